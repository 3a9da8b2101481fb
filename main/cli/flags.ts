/**
 * Flags as Go programs take them, on top of util.parseArgs: `--name=value`, `--name value`, `-name` with one dash,
 * `--flag`, `--flag=false`. Each verb describes its flags as data; help is made from the same description.
 */
import { parseArgs } from 'node:util'
import { usageError } from './exit.ts'

export interface Flag {
  readonly kind: 'text' | 'bool' | 'number' | 'duration'
  readonly help: string
  /** One letter. */
  readonly short?: string
  /** Shown in help: what stands for the value. */
  readonly value?: string
  /** Taken but not shown: another spelling of the flag named here. */
  readonly sameAs?: string
  readonly initial?: string
}

export type FlagSpec = Readonly<Record<string, Flag>>

export interface Parsed {
  readonly words: readonly string[]
  /** Whether the flag was given. */
  has(name: string): boolean
  text(name: string): string
  bool(name: string): boolean
  number(name: string): number
  /** Milliseconds; 0 = no limit. */
  durationMs(name: string): number
}

const TRUE: readonly string[] = ['true', '1', 't', 'yes']
const FALSE: readonly string[] = ['false', '0', 'f', 'no']

/** Reads a verb's arguments. Throws a usage error that names the flag. */
export function parseFlags(argv: readonly string[], spec: FlagSpec, verb: string): Parsed {
  const options: Record<string, { type: 'string'; short?: string }> = {}
  for (const [name, flag] of Object.entries(spec)) options[name] = { type: 'string', ...(flag.short !== undefined ? { short: flag.short } : {}) }
  let values: Readonly<Record<string, unknown>>
  let words: readonly string[]
  try {
    const parsed = parseArgs({ args: normalise(argv, spec), options, allowPositionals: true, strict: true })
    values = parsed.values
    words = parsed.positionals
  } catch (error) {
    throw usageError(sentenceOf(error, verb))
  }
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(values)) {
    const flag = spec[name]!
    check(name, flag, String(value))
    given.set(flag.sameAs ?? name, String(value))
  }
  const text = (name: string): string => given.get(name) ?? spec[name]?.initial ?? ''
  return {
    words,
    has: (name) => given.has(name),
    text,
    bool: (name) => TRUE.includes(text(name).toLowerCase()),
    number: (name) => Number(text(name) === '' ? '0' : text(name)),
    durationMs: (name) => parseDuration(text(name)) ?? 0,
  }
}

/** One dash before a long name becomes two, a bare switch gets its value. */
function normalise(argv: readonly string[], spec: FlagSpec): string[] {
  const out: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '--') return [...out, ...argv.slice(i)]
    const match = /^--?([A-Za-z0-9][A-Za-z0-9-]*)(=.*)?$/s.exec(arg)
    const name = match && (spec[match[1]!] ? match[1]! : Object.keys(spec).find((key) => spec[key]!.short === match[1]))
    if (!match || name === undefined || name === null) {
      out.push(arg)
      continue
    }
    if (match[2] !== undefined) out.push(`--${name}${match[2]}`)
    else if (spec[name]!.kind === 'bool') out.push(`--${name}=true`)
    else if (i + 1 < argv.length) out.push(`--${name}=${argv[++i]!}`)
    else out.push(`--${name}`)
  }
  return out
}

function check(name: string, flag: Flag, value: string): void {
  if (flag.kind === 'bool' && ![...TRUE, ...FALSE].includes(value.toLowerCase())) throw usageError(`--${name} is on or off: --${name} or --${name}=false, not ${JSON.stringify(value)}.`)
  if (flag.kind === 'number' && !/^\d{1,9}$/.test(value)) throw usageError(`--${name} wants a number, not ${JSON.stringify(value)}.`)
  if (flag.kind === 'duration' && parseDuration(value) === undefined) throw usageError(`--${name} wants a time such as 30s, 1m30s or 500ms, not ${JSON.stringify(value)}.`)
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of "1m30s", "500ms", "30s", or bare seconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '') return 0
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * UNIT_MS[unit!]!
  return total
}

function sentenceOf(error: unknown, verb: string): string {
  const text = error instanceof Error ? error.message : String(error)
  const unknown = /Unknown option '(-{1,2}[^']*)'/.exec(text)?.[1]
  if (unknown !== undefined) return `${verb} has no flag ${unknown}. See: bowline ${verb} --help`
  const lacks = /Option '([^' ]*--[^' ]+)[^']*' argument missing/.exec(text)?.[1]
  return lacks !== undefined ? `${lacks} wants a value. See: bowline ${verb} --help` : `${text.split('\n')[0] ?? text}. See: bowline ${verb} --help`
}

/** The flags of a verb for its help, one a line. */
export function flagLines(spec: FlagSpec): string {
  const rows = Object.entries(spec)
    .filter(([, flag]) => flag.sameAs === undefined)
    .map(([name, flag]) => {
      const value = flag.kind === 'bool' ? '' : `=${flag.value ?? { text: 'TEXT', number: 'N', duration: 'TIME' }[flag.kind]}`
      return [`${flag.short !== undefined ? `-${flag.short}, ` : ''}--${name}${value}`, `${flag.help}${flag.initial !== undefined && flag.initial !== 'false' ? ` (${flag.initial})` : ''}`] as const
    })
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
