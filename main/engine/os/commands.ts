/**
 * What plans for a system consist of: programs of the system with their words, in order. Words are the plan's own and canonical texts of
 * addresses, names and numbers; no shell reads them.
 */
import { EngineError } from '../base/errors.ts'

/** Programs of macOS and Windows that plans name. */
export type PlannedProgram = 'ifconfig' | 'route' | 'pfctl' | 'scutil' | 'dscacheutil' | 'killall' | 'netsh' | 'reg' | 'ipconfig' | 'powershell'

export interface Command {
  readonly program: PlannedProgram
  readonly words: readonly string[]
  /** For its standard input. */
  readonly input?: string
  /** What it takes away may be gone already. */
  readonly mayFail?: true
}

export interface CommandEnd {
  readonly code: number | undefined
  readonly out: string
  readonly err: string
}

/** Runs a program of the system to its end. Rejects with EngineError when it did not end by itself. */
export type RunCommand = (program: PlannedProgram, words: readonly string[], options?: { readonly input?: string }) => Promise<CommandEnd>

/** Runs commands in order; rejects with EngineError('access-denied' | 'io' | …) at the first that fails and may not. */
export async function runAll(run: RunCommand, commands: readonly Command[]): Promise<void> {
  for (const { program, words, input, mayFail } of commands) {
    const end = await run(program, words, input === undefined ? {} : { input }).catch((error: unknown) => {
      if (mayFail !== true) throw error
      return undefined
    })
    if (end && end.code !== 0 && mayFail !== true) throw faultOf(program, end)
  }
}

/** The same, whatever fails. */
export const runLoosely = (run: RunCommand, commands: readonly Command[]): Promise<void> => runAll(run, commands.map((command) => ({ ...command, mayFail: true })))

/** A failed program as an error; its words are cut and made plain. */
export function faultOf(program: PlannedProgram, { code, out, err }: CommandEnd): EngineError {
  const said = (err.trim() === '' ? out : err).replaceAll(/[^\x20-\x7e]+/g, ' ').trim().slice(0, 300)
  const isRefused = /not permitted|permission denied|must be root|requires elevation|access is denied/i.test(said)
  return new EngineError(isRefused ? 'access-denied' : 'io', `${program} failed (${code ?? 'ended by a signal'})${said === '' ? '' : `: ${said}`}`)
}
