/**
 * What may stand at a place of the command line, from the table of verbs: for the shells' completion.
 */
import { COMMON, TOPICS } from './help.ts'
import type { Flag, FlagSpec, Takes } from './flags.ts'
import type { Verb } from './verb.ts'

export type Candidate = readonly [value: string, what: string]

export interface Candidates {
  readonly fixed: readonly Candidate[]
  /** What else fits that the table cannot know, before `prefix` is put in front of it. */
  readonly also?: Takes
  /** In front of every value: "--flag=". */
  readonly prefix: string
  /** The typed beginning of the value. */
  readonly begun: string
}

/** Candidates for the last word, given all words after "bowline". */
export function candidates(verbs: readonly Verb[], words: readonly string[]): Candidates {
  const typed = words.at(-1) ?? ''
  const place = walk(verbs, words.slice(0, -1))
  if (place.awaits) return values(place.awaits, '', typed)
  const match = /^--?([^=]+)=(.*)$/s.exec(typed)
  if (match) {
    const flag = place.flags[match[1]!]
    return flag ? values(flag, typed.slice(0, typed.indexOf('=') + 1), match[2]!) : { fixed: [], prefix: '', begun: typed }
  }
  const flags = Object.entries(place.flags).filter(([name, flag]) => flag.sameAs === undefined && flag.hidden !== true && !place.given.has(name)).map(([name, flag]): Candidate => [`--${name}`, flag.help])
  if (typed.startsWith('-')) return { fixed: begunBy(flags, typed), prefix: '', begun: typed }
  const fixed = [...place.words, ...(Array.isArray(place.takes) ? (place.takes as readonly string[]).map((word): Candidate => [word, '']) : [])]
  const also = typeof place.takes === 'string' ? { also: place.takes } : {}
  if (fixed.length === 0 && place.takes === undefined) return { fixed: begunBy(flags, typed), prefix: '', begun: typed }
  return { fixed: begunBy(fixed, typed), ...also, prefix: '', begun: typed }
}

interface Place {
  readonly words: readonly Candidate[]
  readonly flags: FlagSpec
  readonly given: ReadonlySet<string>
  readonly takes: Verb['takes']
  /** The flag whose value comes next. */
  readonly awaits: Flag | undefined
}

const listed = (verbs: readonly Verb[]): Candidate[] => verbs.filter((verb) => verb.refusal === undefined && !verb.name.startsWith('__')).map((verb) => [verb.name, verb.summary])

/** Where the words lead: which verb, which of its flags are given. */
function walk(verbs: readonly Verb[], words: readonly string[]): Place {
  let below: readonly Verb[] = verbs
  let flags: FlagSpec = COMMON
  let takes: Verb['takes']
  let top = true
  let awaits: Flag | undefined
  const given = new Set<string>()
  for (const word of words) {
    if (awaits) {
      awaits = undefined
      continue
    }
    const match = /^--?([^=]+)(=.*)?$/s.exec(word)
    if (match) {
      given.add(match[1]!)
      const flag = flags[match[1]!]
      if (flag && flag.kind !== 'bool' && match[2] === undefined) awaits = flag
      continue
    }
    if (top && word === 'help') return { words: [...listed(verbs), ...Object.entries(TOPICS)], flags: {}, given, takes: undefined, awaits: undefined }
    const verb = below.find((entry) => entry.name === word)
    if (verb) {
      below = verb.subs ?? []
      flags = { ...verb.flags, ...COMMON }
      takes = verb.takes
    } else below = []
    top = false
  }
  return { words: top ? [...listed(verbs), ['help', 'explain a command']] : listed(below), flags, given, takes, awaits }
}

function values(flag: Flag, prefix: string, begun: string): Candidates {
  const fixed = (flag.choices ?? (flag.kind === 'bool' ? ['true', 'false'] : [])).map((choice): Candidate => [`${prefix}${choice}`, ''])
  return { fixed: begunBy(fixed, prefix + begun), ...(flag.takes !== undefined ? { also: flag.takes } : {}), prefix, begun }
}

const begunBy = (all: readonly Candidate[], typed: string): Candidate[] => all.filter(([value]) => value.startsWith(typed))
