/**
 * The messages of window, tray and notifications in the language of the person: ICU messages with named arguments.
 *
 * One language at a time in a process (`speak`); a change of it draws the window anew. A message is a whole sentence, never glued from
 * pieces. What a language lacks is said in English. `pseudo` is English made long and strange, to see what would not fit or was forgotten.
 */
import { IntlMessageFormat } from 'intl-messageformat'
import { english, type Catalogue, type WordId } from './english.ts'
import { pseudoFormat } from './pseudo.ts'

export type { WordId } from './english.ts'

export const LANGUAGES = ['en', 'de', 'fr', 'es', 'ja', 'zh-CN'] as const
export type Language = (typeof LANGUAGES)[number]
export type Speech = Language | 'pseudo'

export type Value = string | number | Date | boolean
/** A message that is said later, or elsewhere. */
export interface Message {
  readonly id: WordId
  readonly values?: Readonly<Record<string, Value>>
}

let spoken: Speech = 'en'
let words: Catalogue = english
const compiled = new Map<WordId, IntlMessageFormat>()

/** From now on messages are of this language. */
export function speak(language: Speech, catalogue: Catalogue): void {
  spoken = language
  words = catalogue
  compiled.clear()
}

/** The language in use, as a tag for `lang` and Intl. */
export function locale(): string {
  return spoken === 'pseudo' ? 'en' : spoken
}

function formatOf(id: WordId): IntlMessageFormat {
  let format = compiled.get(id)
  if (!format) {
    const own = words[id]
    format = spoken === 'pseudo' ? pseudoFormat(english[id]) : new IntlMessageFormat(own ?? english[id], own === undefined ? 'en' : spoken, undefined, { ignoreTag: true })
    compiled.set(id, format)
  }
  return format
}

/** The message in the language in use. A lacking argument is a mistake of the program and throws. */
export function t(id: WordId, values?: Readonly<Record<string, Value>>): string {
  return String(formatOf(id).format(values))
}

/** The same for what is drawn: arguments may be nodes of whatever draws. */
export function rich<Node>(id: WordId, values: Readonly<Record<string, Value | Node>>): readonly (string | Node)[] {
  const parts = formatOf(id).format<Node>(values as Record<string, Value | Node>) as string | Node | (string | Node)[]
  return Array.isArray(parts) ? parts : [parts]
}

export function say({ id, values }: Message): string {
  return t(id, values)
}

/** Whether there is such a message: for ids that are made from what the engine says. */
export function isWord(id: string): id is WordId {
  return Object.hasOwn(english, id)
}

/** The first language of a person's list (BCP 47 tags) that there are messages for. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const [base] = tag.toLowerCase().split(/[-_]/)
    if (base === 'zh') {
      // Traditional script is another language to read.
      if (/hant|-tw|-hk|-mo/.test(tag.toLowerCase())) continue
      return 'zh-CN'
    }
    const found = LANGUAGES.find((language) => language === base)
    if (found) return found
  }
  return 'en'
}
