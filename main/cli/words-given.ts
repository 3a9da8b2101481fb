/**
 * Arguments that are no flags: refused with what was probably meant, for verbs that take none.
 */
import { usageError } from './exit.ts'
import type { Parsed } from './flags.ts'

/** Throws a usage error when there is any word. */
export function noWords(verb: string, args: Parsed): void {
  const word = args.words[0]
  if (word === undefined) return
  const last = args.given.at(-1)
  if (/^(true|false|on|off|yes|no)$/i.test(word) && last !== undefined) throw usageError(`A switch takes its value after an equals sign: --${last}=${word}`)
  throw usageError(`${verb} takes flags only; what is ${JSON.stringify(word)}? See: bowline ${verb} --help`)
}
