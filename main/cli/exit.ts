/**
 * Exit codes and the one error of the command line. Its text says what happened, where, and what to do.
 *
 * The table is what `bowline help exit-codes` shows; a code, once given a meaning, keeps it.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  noEngine: 3,
  denied: 4,
  notConnected: 5,
  timeout: 6,
  signIn: 7,
  unavailable: 8,
  /** 128 + SIGINT, as shells count it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_WORDS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  failed: 'failed: the sentence says why',
  usage: 'the command was not understood: an unknown command or flag, or a value that is not allowed',
  noEngine: 'no engine runs at the socket',
  denied: 'this user may not do that; or the server refused',
  notConnected: 'not connected',
  timeout: 'gave up after --timeout, or the engine did not answer in time',
  signIn: 'signed out, or the sign-in has ended: somebody has to sign in',
  unavailable: 'this engine has no such feature',
  interrupted: 'stopped with Ctrl-C while it waited',
}

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
export const unavailable = (message: string): CliError => new CliError(EXIT.unavailable, 'unavailable', message)
