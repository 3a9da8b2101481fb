/**
 * What a verb of the command line is, and what it gets to work with.
 */
import type { LocalApi } from './client.ts'
import type { ExitCode } from './exit.ts'
import type { FlagSpec, Parsed } from './flags.ts'
import type { System } from './paths.ts'

/** The terminal, or a test in its place. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly system: System
  /** Ends what waits: Ctrl-C. */
  readonly interrupted: AbortSignal
}

export interface Context {
  readonly api: LocalApi
  readonly args: Parsed
  readonly json: boolean
  readonly terminal: Terminal
}

export interface Verb {
  readonly name: string
  /** One line for the list of verbs. */
  readonly summary: string
  /** What follows "bowline NAME" in help. */
  readonly usage: string
  /** Longer help, with examples. */
  readonly help: string
  readonly flags: FlagSpec
  run(context: Context): Promise<ExitCode>
}

/** Writes a value as JSON for programs. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`)
}
