/**
 * The messages: every language has all of them with the same arguments, each is used, and each one parses.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { IntlMessageFormat } from 'intl-messageformat'
import { describe, expect, it } from 'vitest'
import { chinese } from '../../../main/words/chinese.ts'
import { english, type Catalogue, type WordId } from '../../../main/words/english.ts'
import { french } from '../../../main/words/french.ts'
import { german } from '../../../main/words/german.ts'
import { japanese } from '../../../main/words/japanese.ts'
import { spanish } from '../../../main/words/spanish.ts'
import { pickLanguage, rich, speak, t } from '../../../main/words/words.ts'

const root = new URL('../../..', import.meta.url).pathname
const ids = Object.keys(english) as WordId[]
const others: readonly (readonly [string, Catalogue])[] = [['de', german], ['fr', french], ['es', spanish], ['ja', japanese], ['zh-CN', chinese]]

type Parts = ReturnType<IntlMessageFormat['getAst']>

/** Names of a message's arguments, plural and select ones with their kind. */
function argumentsOf(parts: Parts, found = new Set<string>()): Set<string> {
  for (const part of parts) {
    if (part.type === 0 || part.type === 7 || part.type === 8) continue
    found.add('options' in part ? `${part.value}:${part.type}` : part.value)
    if ('options' in part) for (const option of Object.values(part.options)) argumentsOf(option.value, found)
  }
  return found
}

const parsed = (message: string, language: string): Parts => new IntlMessageFormat(message, language, undefined, { ignoreTag: true }).getAst()
/** A plural may be left out by a language that has none, not an argument. */
const names = (message: string, language: string): string[] => [...new Set([...argumentsOf(parsed(message, language))].map((name) => name.split(':')[0]!))].toSorted()

function sources(): string {
  const files = ['renderer', 'main/app', 'main/words'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name)).map((name) => `${folder}/${name}`))
  return files.filter((file) => !/^main\/words\/(en|de|fr|es|ja|zh)\//.test(file)).map((file) => readFileSync(`${root}${file}`, 'utf8')).join('\n')
}

describe('the catalogue', () => {
  it.each(others)('has every message in %s, with the same arguments', (language, catalogue) => {
    expect(ids.filter((id) => catalogue[id] === undefined)).toEqual([])
    const wrong = ids.filter((id) => catalogue[id] !== undefined && names(catalogue[id], language).join() !== names(english[id], 'en').join())
    expect(wrong).toEqual([])
  })

  it.each(others)('has no message in %s that English lacks', (_language, catalogue) => {
    expect(Object.keys(catalogue).filter((id) => !Object.hasOwn(english, id))).toEqual([])
  })

  it.each(others)('has the plural forms that %s needs', (language, catalogue) => {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories.filter((one) => one !== 'many')
    const lacking = ids.filter((id) => catalogue[id] !== undefined && parsed(catalogue[id], language).some((part) => part.type === 6 && needed.some((one) => !Object.hasOwn(part.options, one))))
    expect(lacking).toEqual([])
  })

  it('has no message that nothing uses', () => {
    const text = sources()
    const made = [...text.matchAll(/`([\w.-]+\.)\$\{/g)].map((match) => match[1]!)
    const unused = ids.filter((id) => !text.includes(`'${id}'`) && !text.includes(`"${id}"`) && !made.some((prefix) => id.startsWith(prefix)))
    expect(unused).toEqual([])
  })
})

describe('speaking', () => {
  it.each([
    [['de-AT', 'en'], 'de'],
    [['pt-BR', 'fr-CA'], 'fr'],
    [['zh-Hant-TW', 'ja-JP'], 'ja'],
    [['zh-SG'], 'zh-CN'],
    [['xx'], 'en'],
    [[], 'en'],
  ] as const)('picks for %j: %s', (wanted, language) => {
    expect(pickLanguage(wanted)).toBe(language)
  })

  it('says in English what a language lacks', () => {
    speak('de', {})
    expect(t('engine.stopped')).toBe('Engine stopped')
    speak('en', english)
  })

  it('keeps the arguments of a stretched message', () => {
    speak('pseudo', english)
    expect(t('path.through', { device: 'nas-oslo' })).toMatch(/^\[.*nas-oslo.*\]$/)
    speak('en', english)
  })

  it('puts what is drawn between the words', () => {
    const node = { drawn: true }
    expect(rich('path.through', { device: node })).toEqual(['Through ', node])
  })
})
