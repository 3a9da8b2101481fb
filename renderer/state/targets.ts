/**
 * Devices that files can go to, in the order in which they are offered, and those that cannot receive. Pure; thousands cost one walk.
 */
import type { TransferTarget, TransferTargetsPage } from '../../main/localapi/transfers.ts'
import { isWord, t } from '../../main/words/words.ts'
import { safeText } from '../../main/words/format.ts'
import { fold, orderKey, type Device } from './devices.ts'
import { named } from './transfers-words.ts'

export type TargetSection = 'recent' | 'all' | 'cannot'

export type TargetLine =
  | { readonly kind: 'section'; readonly key: string; readonly id: TargetSection; readonly count: number }
  | { readonly kind: 'target'; readonly key: string; readonly target: TransferTarget }

const RECENT = 4

const orders = new WeakMap<TransferTarget, string>()

function orderOf(target: TransferTarget): string {
  let key = orders.get(target)
  if (key === undefined) orders.set(target, (key = orderKey(target.Name)))
  return key
}

const texts = new WeakMap<TransferTarget, string>()

function textOf(target: TransferTarget): string {
  let text = texts.get(target)
  if (text === undefined) texts.set(target, (text = fold(`${target.Name} ${target.Owner} ${target.OS} ${target.DNSName}`)))
  return text
}

/** Used ones first, then every other that can receive, then those that cannot; only what has all words that were typed. */
export function targetLines(page: TransferTargetsPage | undefined, typed: string): readonly TargetLine[] {
  const words = fold(typed).split(/\s+/).filter((word) => word !== '')
  const found = (page?.Targets ?? []).filter((target) => words.every((word) => textOf(target).includes(word)))
  const usable = found.filter((target) => target.Usable)
  const recent = usable.filter((target) => target.Used !== undefined).slice(0, RECENT)
  const rest = new Set(recent)
  const others = usable.filter((target) => !rest.has(target)).toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : orderOf(a) > orderOf(b) ? 1 : 0))
  return [...section('recent', recent), ...section('all', others), ...section('cannot', found.filter((target) => !target.Usable))]
}

function section(id: TargetSection, targets: readonly TransferTarget[]): readonly TargetLine[] {
  if (targets.length === 0) return []
  return [{ kind: 'section', key: `section ${id}`, id, count: targets.length }, ...targets.map((target): TargetLine => ({ kind: 'target', key: target.ID, target }))]
}

/** Why it cannot receive, short enough for its row. */
export function reasonWords(target: TransferTarget): string {
  const id = `transfers.reason.${target.Why?.Code ?? ''}`
  return isWord(id) ? t(id) : safeText(target.Why?.Text ?? '', 120)
}

/** The same as a sentence, with what would help. */
export function reasonMeans(target: TransferTarget): string {
  const id = `transfers.means.${target.Why?.Code ?? ''}`
  return isWord(id) ? t(id, { device: named(target.Name, 60) }) : safeText(target.Why?.Text ?? '', 200)
}

/** For whoever looks after the network: what is wanted and what would allow it. */
export function requestText(name: string, reason: string, grant: string | undefined): string {
  const request = t('transfers.request', { device: named(name, 60), why: reason })
  return grant === undefined || grant === '' ? request : `${request}\n\n${grant}`
}

/** The daemon's numbers for a device that takes files: now, or when it is there. */
const TAKES = 1
const OFFLINE = 5

/** Whether sending to it is worth offering; the page of transfers knows more. */
export function mayReceive({ isSelf, peer }: Device): boolean {
  return !isSelf && (peer.TaildropTarget === TAKES || peer.TaildropTarget === OFFLINE)
}
