/**
 * Exit codes and the one error of the command line. Its text says what happened, where, and what to do.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  noEngine: 3,
  denied: 4,
  notConnected: 5,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export class CliError extends Error {
  readonly exitCode: ExitCode
  /** For --json. */
  readonly code: string

  constructor(exitCode: ExitCode, code: string, message: string) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.code = code
  }
}

export const usageError = (message: string): CliError => new CliError(EXIT.usage, 'usage', message)
