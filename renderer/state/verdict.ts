/**
 * The engine's reason for a path as a sentence of the person's language: by its rule and what the rule names. A rule that this window
 * does not know is said in the engine's own English.
 */
import type { PathPage } from '../../preload/contract.ts'
import { sentence, safeText } from '../../main/words/format.ts'
import type { PathKind } from '../../main/words/states.ts'
import { isWord, rich, t, type WordId } from '../../main/words/words.ts'

const WAYS: Readonly<Record<PathPage['kind'], string>> = { relay: 'relay', 'peer-relay': 'device', none: 'none', direct: 'direct', both: 'both' }
/** What messages of rules name; a rule gives those that it has. */
const NOTHING = { place: '', state: '', misses: 0, named: 0, family: '', tried: 0, known: 0, foreign: '', side: '', missing: '' }

/** The verdict, its names drawn by `name` and the one hard word by `hardNat`; an idle path is said as idle, whatever it was before. */
export function verdict<Node>(page: PathPage, kind: PathKind, name: (text: string) => Node, hardNat: Node): readonly (string | Node)[] {
  const id = kind === 'idle' ? 'reason.idle' : kind === 'blocked' ? 'reason.blocked' : `reason.${page.reason.rule}`
  if (!isWord(id)) return [sentence(page.reason.sentence)]
  // The way of one that rests is what it was once.
  const rests = page.reason.rule === 'offline' && !page.active
  return rich(id, {
    ...NOTHING, ...selectable(page.reason.args), way: rests ? '' : WAYS[page.kind],
    hard: hardNat,
    peer: name(safeText(page.name, 60)),
    relay: name(safeText(page.regionCode ?? '', 20) || t('reason.relay.some')),
    via: name(safeText(page.via ?? '', 60) || t('reason.via.some')),
  })
}

/** Words that a message selects by have no hyphen. */
function selectable(args: PathPage['reason']['args']): PathPage['reason']['args'] {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, typeof value === 'string' ? value.replaceAll('-', '_') : value]))
}

/** The engine's fixed words in the person's language, by what they are in English. */
function known(prefix: string, words: string): string {
  const id = `${prefix}.${words.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
  return isWord(id) ? t(id as WordId) : safeText(words, 200)
}

export const sideLabel = (label: string): string => known('reason.side', label)
export const sideValue = (value: string): string => known('reason.value', value)
export const whoWords = (who: string): string => known('reason.who', who)

export function stepWords({ id, step }: PathPage['reason']['steps'][number]): string {
  const word = `reason.step.${id}`
  return isWord(word) ? t(word) : safeText(step, 200)
}
