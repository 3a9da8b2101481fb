/**
 * The `bowline` command: finds the verb, reads its flags, runs it, and turns what went wrong into a sentence and an exit
 * code (exit.ts has the table). With --json the sentence is {"error": {"code", "message"}} on standard output.
 */
import { errorText } from '../engine/base/errors.ts'
import { VERSION } from '../localapi/version.ts'
import { LocalApi } from './client.ts'
import { CliError, EXIT, unavailable, usageError } from './exit.ts'
import type { ExitCode } from './exit.ts'
import { parseFlags } from './flags.ts'
import { COMMON, overview, topic, TOPICS, verbHelp } from './help.ts'
import { didYouMean } from './nearest.ts'
import { engineToUse } from './paths.ts'
import { gated, processTerminal } from './terminal.ts'
import type { Terminal, Verb } from './verb.ts'
import { printJson } from './verb.ts'
import { findVerb, VERBS } from './verbs.ts'

/** Runs the command line and answers its exit code. Never throws. */
export async function main(argv: readonly string[], given: Terminal = processTerminal()): Promise<ExitCode> {
  const terminal = gated(given)
  let json = argv.some((arg) => /^--?json(=(true|1|t|yes|on))?$/i.test(arg))
  try {
    const { verb, path, rest } = split(argv)
    if (verb === undefined) return top(rest, terminal)
    if (verb.refusal !== undefined && !rest.some((arg) => /^(--?help|-h)$/.test(arg))) throw unavailable(verb.refusal)
    const args = parseFlags(verb.refusal === undefined ? rest : ['--help'], { ...COMMON, ...verb.flags }, path)
    json = args.bool('json')
    if (args.bool('help')) return print(terminal, verbHelp(verb, path, terminal.columns))
    if (!verb.run) throw usageError(wantsSub(verb, path, args.words[0]))
    const engine = await engineToUse(terminal.system, { socket: args.text('socket'), own: args.bool('own') })
    const api = new LocalApi(engine.socketPath, engine.kind)
    return await verb.run({ api, args, json, terminal })
  } catch (error) {
    const failure = error instanceof CliError ? error : new CliError(EXIT.failed, 'failed', errorText(error))
    if (json) printJson(terminal, { error: { code: failure.code, message: failure.message } })
    else terminal.err(`bowline: ${failure.message}\n`)
    return failure.exitCode
  }
}

/** Without a verb: help and its topics, --version. */
function top(argv: readonly string[], terminal: Terminal): ExitCode {
  const asked = parseFlags(argv, { ...COMMON, version: { kind: 'bool', help: '' } }, 'help')
  if (asked.bool('version')) return print(terminal, `${VERSION}\n`)
  const [, name, sub] = asked.words
  if (name === undefined) {
    print(terminal, overview(VERBS, terminal.columns))
    return asked.words.length === 0 && !asked.bool('help') ? EXIT.usage : EXIT.ok
  }
  if (Object.hasOwn(TOPICS, name)) return print(terminal, topic(name, terminal.columns))
  const verb = findVerb(name)
  if (!verb) throw usageError(`There is no help about ${JSON.stringify(name)}.${didYouMean(name, [...VERBS.map((entry) => entry.name), ...Object.keys(TOPICS)])} See: bowline help`)
  const below = verb.subs?.find((entry) => entry.name === sub)
  if (sub !== undefined && !below) throw usageError(wantsSub(verb, verb.name, sub))
  return print(terminal, below ? verbHelp(below, `${verb.name} ${below.name}`, terminal.columns) : verbHelp(verb, verb.name, terminal.columns))
}

/** The verb, and all flags wherever they stand; common ones may come before it. Throws for a word that is no verb. */
function split(argv: readonly string[]): { verb: Verb | undefined; path: string; rest: readonly string[] } {
  const at = nextWord(argv, 0)
  if (at === undefined || argv[at] === 'help') return { verb: undefined, path: '', rest: argv }
  const name = argv[at]!
  const verb = findVerb(name)
  if (!verb) throw usageError(`There is no command ${JSON.stringify(name)}.${didYouMean(name, VERBS.filter((entry) => entry.group).map((entry) => entry.name))} See: bowline help`)
  const rest = [...argv.slice(0, at), ...argv.slice(at + 1)]
  const below = verb.subs ? nextWord(rest, at) : undefined
  const sub = below === undefined ? undefined : verb.subs!.find((entry) => entry.name === rest[below])
  if (!sub) return { verb, path: verb.name, rest }
  return { verb: sub, path: `${verb.name} ${sub.name}`, rest: [...rest.slice(0, below), ...rest.slice(below! + 1)] }
}

/** Where the next argument stands that is neither a flag nor --socket's value. */
function nextWord(argv: readonly string[], from: number): number | undefined {
  for (let i = from; i < argv.length; i++) {
    const arg = argv[i]!
    if (/^--?socket$/.test(arg)) i++
    else if (arg === '--') return undefined
    else if (!arg.startsWith('-')) return i
  }
  return undefined
}

function wantsSub(verb: Verb, path: string, word: string | undefined): string {
  const names = (verb.subs ?? []).map((entry) => entry.name)
  if (names.length === 0) return `${path} takes no ${JSON.stringify(word)}. See: bowline ${path} --help`
  if (word === undefined) return `${path} wants one of: ${names.join(', ')}. See: bowline ${path} --help`
  return `${path} has no ${JSON.stringify(word)}.${didYouMean(word, names)} It wants one of: ${names.join(', ')}.`
}

function print(terminal: Terminal, text: string): ExitCode {
  terminal.out(text)
  return EXIT.ok
}
