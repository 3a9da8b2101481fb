/**
 * English made long, accented and bracketed: text that stays plain on screen is not in the catalogue, and what gets cut has no room to grow.
 */
import { IntlMessageFormat } from 'intl-messageformat'

type Part = ReturnType<IntlMessageFormat['getAst']>[number]

const LITERAL = 0
const FROM = 'aceinouyAEIOUC'
const TO = 'àçéîñôûýÀÉÎÔÛÇ'

/** Accents, and about 40 % more letters. */
function stretch(text: string): string {
  const accented = Array.from(text, (letter) => TO[FROM.indexOf(letter)] ?? letter).join('')
  return accented.replaceAll(/\p{L}{4,}/gu, (word) => word + word.slice(-Math.ceil(word.length * 0.4)))
}

function change(part: Part): Part {
  if (part.type === LITERAL) return { ...part, value: stretch(part.value) } as Part
  if (!('options' in part)) return part
  const options = Object.fromEntries(Object.entries(part.options).map(([key, option]) => [key, { ...option, value: option.value.map(change) }]))
  return { ...part, options } as Part
}

export function pseudoFormat(english: string): IntlMessageFormat {
  const parts = new IntlMessageFormat(english, 'en', undefined, { ignoreTag: true }).getAst().map(change)
  return new IntlMessageFormat([{ type: LITERAL, value: '[' } as Part, ...parts, { type: LITERAL, value: ']' } as Part], 'en', undefined, { ignoreTag: true })
}
