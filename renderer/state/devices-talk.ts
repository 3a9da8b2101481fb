/**
 * The list in one sentence: how many there are, whom we talk to and how; and what was blocked today. Pure.
 */
import type { BlockedPage } from '../../preload/contract.ts'
import { locale, t } from '../../main/words/words.ts'
import type { Device } from './devices.ts'

/** "5 devices. Talking to 2: 1 direct, 1 relayed" */
export function talkSummary(devices: readonly Device[]): string {
  const counts = new Map<string, number>()
  const vias = new Set<string>()
  for (const { isSelf, path } of devices) {
    if (isSelf) continue
    counts.set(path.kind, (counts.get(path.kind) ?? 0) + 1)
    if (path.kind === 'peer-relay') vias.add(path.via ?? '')
  }
  const n = (kind: string): number => counts.get(kind) ?? 0
  const [via] = vias
  const parts = [
    ...(n('direct') > 0 ? [t('devices.talk.direct', { n: n('direct') })] : []),
    ...(n('peer-relay') > 0 ? [vias.size === 1 && via !== '' ? t('devices.talk.through', { n: n('peer-relay'), device: via! }) : t('devices.talk.throughSome', { n: n('peer-relay') })] : []),
    ...(n('relay') > 0 ? [t('devices.talk.relayed', { n: n('relay') })] : []),
    ...(n('trying') > 0 ? [t('devices.talk.trying', { n: n('trying') })] : []),
  ]
  const talking = n('direct') + n('peer-relay') + n('relay') + n('trying')
  if (talking === 0) return t('devices.talk.none', { n: devices.length })
  return t('devices.talk', { n: devices.length, talking, how: new Intl.ListFormat(locale(), { type: 'unit' }).format(parts) })
}

/** What was blocked since midnight here: between whom, by node key. Repetitions of one attempt count once. */
export function blockedToday(page: BlockedPage | undefined, nowMs: number): { readonly count: number; readonly peers: ReadonlySet<string> } {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0)
  const rows = page?.Rows.filter((row) => Date.parse(row.Last) >= midnight) ?? []
  return { count: rows.length, peers: new Set(rows.map((row) => row.PeerKey)) }
}
