/**
 * What a verb of the command line is, and what it gets to work with.
 */
import type { Readable } from 'node:stream'
import type { LocalApi } from './client.ts'
import type { ExitCode } from './exit.ts'
import type { FlagSpec, Parsed, Takes } from './flags.ts'
import type { System } from './paths.ts'
import { jsonText } from './text.ts'

/** The terminal, or a test in its place. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly system: System
  /** Standard input; nothing is read of it before this is called. */
  readonly input?: () => Readable
  /** Ends what waits: Ctrl-C. */
  readonly interrupted: AbortSignal
  /** Columns of standard output; undefined when that is no terminal. */
  readonly columns?: number
  /** Standard error is a terminal: `line` shows a line there in place of the one that `line` showed before; '' takes it away. */
  readonly line?: (text: string) => void
  /** A person is at the terminal: asks, and answers what was typed. */
  readonly ask?: (question: string) => Promise<string>
  /** Standard output is a terminal: shows a page in place of all that is on it. */
  readonly page?: (text: string) => void
}

export interface Context {
  readonly api: LocalApi
  readonly args: Parsed
  readonly json: boolean
  readonly terminal: Terminal
}

/** Parts of `bowline help`, in its order. */
export const GROUPS = ['Connect', 'Look', 'Use the network', 'Find out why', 'The engine and this command'] as const

export interface Verb {
  readonly name: string
  /** One line for the list of verbs. */
  readonly summary: string
  /** What follows "bowline NAME" in help. */
  readonly usage: string
  /** Longer help; each line is a paragraph. */
  readonly help: string
  readonly flags: FlagSpec
  /** Where it stands in the list; without one it is not shown there. */
  readonly group?: (typeof GROUPS)[number]
  /** Command lines that work, each with what it does. */
  readonly examples?: readonly (readonly [string, string])[]
  /** What --json prints, when help has to say it. */
  readonly json?: string
  /** Verbs below this one; the word after the verb's name is looked up here first. */
  readonly subs?: readonly Verb[]
  /** What its arguments are, for completion. */
  readonly takes?: Takes | readonly string[]
  /** Why nothing of it is served, whatever is typed after it. */
  readonly refusal?: string
  /** Absent: only with one of `subs`, or refused. */
  readonly run?: (context: Context) => Promise<ExitCode>
}

/** Writes a value as JSON for programs. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${jsonText(value, 2)}\n`)
}

/** Writes a value as one line of JSON: for verbs that go on. */
export function printJsonLine(terminal: Terminal, value: unknown): void {
  terminal.out(`${jsonText(value)}\n`)
}
