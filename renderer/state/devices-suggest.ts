/**
 * Tokens offered while somebody types into the search of the list: keys at first, then values that this network has. Pure.
 */
import type { Device } from './devices.ts'
import { fold } from './devices.ts'
import { IS_VALUES, PATH_VALUES, quoted, TOKEN_KEYS, wordsOf, type TokenKey } from './devices-query.ts'

export interface Suggestion {
  /** Takes the place of the word that is being typed. */
  readonly insert: string
  readonly key: TokenKey
  /** A key alone: a value is still to come. */
  readonly isKey: boolean
}

const LIMIT = 8

/** What the word at the caret may become; [] = nothing is offered. */
export function suggestions(query: string, caret: number, devices: readonly Device[]): readonly Suggestion[] {
  const word = wordAt(query, caret)
  if (word === '') return []
  const colon = word.indexOf(':')
  const start = word.slice(0, colon < 0 ? undefined : colon).toLowerCase()
  if (colon < 0) return TOKEN_KEYS.filter((key) => key.startsWith(start)).map((key) => ({ insert: `${key}:`, key, isKey: true }))
  const key = TOKEN_KEYS.find((one) => one === start)
  if (key === undefined) return []
  const typed = fold(word.slice(colon + 1).replaceAll('"', ''))
  const values = knownValues(key, devices)
  const fits = values.filter((value) => fold(value).includes(typed))
  // What is typed in full needs no offer.
  if (fits.length === 1 && fold(fits[0]!) === typed) return []
  return fits.slice(0, LIMIT).map((value) => ({ insert: `${key}:${quoted(value)}`, key, isKey: false }))
}

/** The query with the word at the caret replaced, and where the caret is then. */
export function accepted(query: string, caret: number, { insert, isKey }: Suggestion): { readonly query: string; readonly caret: number } {
  const word = wordsOf(query).find(({ start, raw }) => start < caret && caret <= start + raw.length)
  const start = word?.start ?? caret
  const after = query.slice(start + (word?.raw.length ?? 0)).replace(/^\s+/, '')
  const before = `${query.slice(0, start)}${insert}${isKey ? '' : ' '}`
  return { query: `${before}${after}`, caret: before.length }
}

function wordAt(query: string, caret: number): string {
  const word = wordsOf(query).find(({ start, raw }) => start < caret && caret <= start + raw.length)
  return word === undefined ? '' : word.raw.slice(0, caret - word.start)
}

const known = new WeakMap<readonly Device[], Map<TokenKey, readonly string[]>>()

/** Values are counted once for a list, not for each letter. */
function knownValues(key: TokenKey, devices: readonly Device[]): readonly string[] {
  let ofList = known.get(devices)
  if (!ofList) known.set(devices, (ofList = new Map()))
  let values = ofList.get(key)
  if (!values) ofList.set(key, (values = valuesOf(key, devices)))
  return values
}

function valuesOf(key: TokenKey, devices: readonly Device[]): readonly string[] {
  switch (key) {
    case 'path':
      return Object.keys(PATH_VALUES)
    case 'is':
      return IS_VALUES
    case 'can':
      return ['files', 'exit']
    case 'tag':
      return frequent(devices.flatMap((device) => device.peer.Tags?.map((tag) => tag.replace(/^tag:/, '')) ?? []))
    case 'owner':
      return frequent(devices.flatMap((device) => (device.tagged ? [] : [device.owner])))
    case 'os':
      return frequent(devices.flatMap((device) => (device.peer.OS === '' ? [] : [device.peer.OS])))
    case 'route':
      return frequent(devices.flatMap((device) => device.peer.PrimaryRoutes ?? []))
    case 'version':
      return frequent(devices.flatMap((device) => (device.peer.IPNVersion === undefined ? [] : [device.peer.IPNVersion.split('-')[0]!])))
  }
}

/** Each once, the most frequent first. */
function frequent(values: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([value]) => value)
}
