/**
 * Flags as Go programs take them: `--name=value`, `--name value`, `-name` with one dash, `--flag`, `--flag=false`.
 * Each verb describes its flags as data; help and shell completion are made from the same description.
 */
import { usageError } from './exit.ts'
import { didYouMean } from './nearest.ts'

/** What stands for a value or an argument, for completion; `file-or-target`: what to send, and the device with a colon behind it. */
export type Takes = 'file' | 'folder' | 'file-or-target' | 'device' | 'exit-node' | 'profile'

export interface Flag {
  readonly kind: 'text' | 'bool' | 'number' | 'duration' | 'choice'
  readonly help: string
  /** One letter. */
  readonly short?: string
  /** Shown in help: what stands for the value. */
  readonly value?: string
  /** Taken but not shown: another spelling of the flag named here. */
  readonly sameAs?: string
  /** Taken but not shown: other programs give it, here it changes nothing. */
  readonly hidden?: boolean
  readonly initial?: string
  /** Its value where it is given without one. */
  readonly bare?: string
  /** Of a choice. */
  readonly choices?: readonly string[]
  /** Of a number. */
  readonly max?: number
  readonly takes?: Takes
}

export type FlagSpec = Readonly<Record<string, Flag>>

export interface Parsed {
  readonly words: readonly string[]
  /** Names of the flags that were given. */
  readonly given: readonly string[]
  /** Whether the flag was given. */
  has(name: string): boolean
  text(name: string): string
  bool(name: string): boolean
  number(name: string): number
  /** Milliseconds; 0 = no limit. */
  durationMs(name: string): number
}

const TRUE: readonly string[] = ['true', '1', 't', 'yes', 'on']
const FALSE: readonly string[] = ['false', '0', 'f', 'no', 'off']

/** Reads a verb's arguments. Throws a usage error that names the flag. */
export function parseFlags(argv: readonly string[], spec: FlagSpec, verb: string): Parsed {
  const { words, values } = read(argv, spec, verb)
  const given = new Map<string, string>()
  for (const [name, value] of values) {
    check(name, spec[name]!, value)
    given.set(spec[name]!.sameAs ?? name, value)
  }
  const text = (name: string): string => given.get(name) ?? spec[name]?.initial ?? ''
  return {
    words,
    given: [...given.keys()],
    has: (name) => given.has(name),
    text,
    bool: (name) => TRUE.includes(text(name).toLowerCase()),
    number: (name) => Number(text(name) === '' ? '0' : text(name)),
    durationMs: (name) => parseDuration(text(name)) ?? 0,
  }
}

/** Words and flags in the order given; of a flag given twice the last one counts. */
function read(argv: readonly string[], spec: FlagSpec, verb: string): { words: string[]; values: Map<string, string> } {
  const words: string[] = []
  const values = new Map<string, string>()
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    const match = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(arg)
    if (!match) {
      words.push(arg)
      continue
    }
    const typed = match[1]!
    const name = Object.hasOwn(spec, typed) ? typed : Object.keys(spec).find((key) => spec[key]!.short === typed)
    if (name === undefined) throw usageError(unknownFlag(arg, typed, spec, verb))
    if (match[2] !== undefined) values.set(name, match[2])
    else if (spec[name]!.kind === 'bool') values.set(name, 'true')
    else if (spec[name]!.bare !== undefined) values.set(name, spec[name]!.bare)
    else if (i + 1 < argv.length) values.set(name, argv[++i]!)
    else throw usageError(`--${name} wants a value: --${name}=${valueOf(spec[name]!)}. See: bowline ${verb} --help`)
  }
  return { words, values }
}

function unknownFlag(arg: string, typed: string, spec: FlagSpec, verb: string): string {
  const known = Object.entries(spec).filter(([, flag]) => flag.sameAs === undefined && flag.hidden !== true).map(([name]) => name)
  return `${verb} has no flag ${arg.replace(/=.*$/s, '')}.${didYouMean(typed, known, (name) => `--${name}`)} See: bowline ${verb} --help`
}

function check(name: string, flag: Flag, value: string): void {
  const said = JSON.stringify(value)
  switch (flag.kind) {
    case 'text':
      return
    case 'bool':
      if (![...TRUE, ...FALSE].includes(value.toLowerCase())) throw usageError(`--${name} is on or off: --${name} or --${name}=false, not ${said}.`)
      return
    case 'number': {
      const most = flag.max ?? 999_999_999
      if (!/^\d{1,9}$/.test(value) || Number(value) > most) throw usageError(`--${name} wants a number${flag.max !== undefined ? ` from 0 to ${most}` : ''}, not ${said}.`)
      return
    }
    case 'duration':
      if (parseDuration(value) === undefined) throw usageError(`--${name} wants a time such as 30s, 1m30s or 500ms, not ${said}.`)
      return
    case 'choice': {
      const choices = flag.choices ?? []
      if (!choices.includes(value)) throw usageError(`--${name} wants one of ${choices.join(', ')}, not ${said}.${didYouMean(value, choices)}`)
    }
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of "1m30s", "500ms", "30s", or bare seconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '') return 0
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text) * 1_000
  if (!/^(\d{1,9}(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * UNIT_MS[unit!]!
  return total
}

/** What stands for a flag's value in help. */
export function valueOf(flag: Flag): string {
  return flag.value ?? { text: 'TEXT', bool: '', number: 'N', duration: 'TIME', choice: (flag.choices ?? []).join('|') }[flag.kind]
}
