/**
 * What a person might have to be told of, from the facts. Pure; what began when is remembered from one look to the next.
 *
 * Words change only when there is something else to say, since each change is told anew: a sign-in that ends soon is told when it
 * is first known, a day, an hour and ten minutes before.
 */
import type { BlockedRow } from '../../localapi/blocked.ts'
import type { ExitNodesPage } from '../../localapi/exit-nodes.ts'
import { NO_TRANSFERS } from '../../localapi/transfers.ts'
import { clockTime, safeText, sentence } from '../../words/format.ts'
import { heldWords } from '../../words/held.ts'
import { networkName } from '../../words/states.ts'
import { locale, t } from '../../words/words.ts'
import type { Facts } from '../engine-facts.ts'
import { fileCauses, nextFileLookMs, NO_FILES, rememberFiles, type FileMemory } from './file-causes.ts'
import type { Cause } from './machine.ts'

/** A connection that is back before that was not lost. */
export const LOST_MS = 10_000
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** News of the moment are over after that. */
const NEWS_MS = HOUR_MS
const BLOCKED_MS = 5 * MINUTE_MS
const BLOCKED_DEVICES = 3
const PORTALS = ['captive-portal-detected', 'exit-node-holds-portal']

export interface Memory {
  /** It was connected, and the person has not ended that. */
  readonly connected: boolean
  readonly lostSinceMs: number | undefined
  readonly waitsForApproval: boolean
  readonly approvedMs: number | undefined
  readonly files: FileMemory
}

export const NOTHING: Memory = { connected: false, lostSinceMs: undefined, waitsForApproval: false, approvedMs: undefined, files: NO_FILES }

/** What is known after a look at the facts. */
export function remember(before: Memory, facts: Facts, nowMs: number): Memory {
  const state = facts.app.engine === 'running' ? facts.status?.BackendState : undefined
  const up = state === 'Running' && facts.warnings?.['network-status'] === undefined
  // Ended by a person, or a matter of the sign-in.
  const ended = state === 'Stopped' || state === 'NeedsLogin' || state === 'NeedsMachineAuth'
  const connected = up || (before.connected && !ended)
  const waits = state === 'NeedsMachineAuth' || (before.waitsForApproval && state === undefined)
  const approved = state === 'Running' && before.waitsForApproval ? nowMs : before.approvedMs
  return {
    connected, lostSinceMs: up || !connected ? undefined : (before.lostSinceMs ?? nowMs),
    waitsForApproval: waits, approvedMs: approved !== undefined && nowMs - approved < NEWS_MS && !ended ? approved : undefined,
    // Without an engine there is no list, and what it said before holds.
    files: facts.app.engine === 'running' && facts.transfers !== NO_TRANSFERS ? rememberFiles(before.files, facts.transfers, nowMs) : before.files,
  }
}

/** When time alone changes the causes; undefined = it does not. */
export function nextLookMs(memory: Memory, facts: Facts, nowMs: number): number | undefined {
  const endsMs = expiryMs(facts)
  const times = [
    memory.lostSinceMs === undefined ? undefined : memory.lostSinceMs + LOST_MS,
    memory.approvedMs === undefined ? undefined : memory.approvedMs + NEWS_MS,
    nextFileLookMs(memory.files),
    ...(endsMs === undefined ? [] : [endsMs - 24 * HOUR_MS, endsMs - HOUR_MS, endsMs - 10 * MINUTE_MS]),
    (facts.blocked?.Rows.length ?? 0) > 0 ? nowMs + MINUTE_MS : undefined,
  ].filter((atMs) => atMs !== undefined && atMs > nowMs) as number[]
  return times.length === 0 ? undefined : Math.min(...times)
}

export function causesOf(memory: Memory, facts: Facts, nowMs: number): readonly Cause[] {
  const running = facts.app.engine === 'running'
  return [
    lost(memory, facts, nowMs), update(facts),
    ...(running ? [signIn(facts, nowMs), approved(memory, facts), exitNode(facts), ...trial(facts, nowMs), portal(facts), ...blocked(facts, nowMs), ...fileCauses(memory.files, facts.transfers, nowMs)] : []),
  ].filter((cause) => cause !== undefined)
}

function lost({ lostSinceMs }: Memory, { app, warnings }: Facts, nowMs: number): Cause | undefined {
  if (lostSinceMs === undefined || nowMs < lostSinceMs + LOST_MS) return undefined
  const body = app.engine !== 'running' ? t('notice.lost.engine') : warnings?.['network-status'] ? t('notice.lost.network') : t('notice.lost.server')
  return { key: 'lost', category: 'connection-lost', title: t('notice.lost'), body, actions: [{ label: t('notice.show'), action: { kind: 'open' } }], open: { kind: 'open' }, inWindow: true }
}

function update({ app }: Facts): Cause | undefined {
  const version = safeText(app.updates?.newer?.version ?? '', 40)
  if (version === '') return undefined
  const open = { kind: 'go', hash: '#/settings/updates' } as const
  return { key: 'update', category: 'updates', title: t('notice.update', { version }), body: t('notice.update.more'), actions: [{ label: t('notice.show'), action: open }], open, inWindow: false }
}

const expiryMs = ({ warnings }: Pick<Facts, 'warnings'>): number | undefined => {
  const atMs = Date.parse(warnings?.['key-expires-soon']?.Args?.['expiry'] ?? '')
  return Number.isNaN(atMs) ? undefined : atMs
}

function signIn(facts: Facts, nowMs: number): Cause | undefined {
  const { status } = facts
  const base = { key: 'sign-in', category: 'sign-in', open: { kind: 'open' }, inWindow: true } as const
  if (status?.BackendState === 'NeedsLogin' && status.Self.Expired === true && status.AuthURL === '') {
    return { ...base, title: t('notice.signIn.ended'), body: t('notice.signIn.ended.more'), actions: [{ label: t('notice.signIn'), action: { kind: 'renew' } }] }
  }
  const atMs = expiryMs(facts)
  if (status?.BackendState !== 'Running' || atMs === undefined || atMs <= nowMs) return undefined
  return { ...base, title: endsTitle(atMs, atMs - nowMs), body: t('notice.signIn.soon.more'), actions: [{ label: t('notice.renew'), action: { kind: 'renew' } }] }
}

function endsTitle(atMs: number, leftMs: number): string {
  const time = clockTime(atMs)
  if (leftMs < 10 * MINUTE_MS) return t('notice.signIn.minutes', { time })
  if (leftMs < HOUR_MS) return t('notice.signIn.hour', { time })
  // With the weekday in the last day, so that it is told once more then.
  const day: Intl.DateTimeFormatOptions = leftMs < 24 * HOUR_MS ? { weekday: 'long' } : {}
  return t('notice.signIn.soon', { date: new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'long', ...day }).format(atMs), time })
}

function approved({ approvedMs }: Memory, { status }: Facts): Cause | undefined {
  if (approvedMs === undefined) return undefined
  return { key: 'approved', category: 'sign-in', title: t('notice.approved'), body: t('notice.approved.more', { network: networkName(status) }), actions: [], open: { kind: 'open' }, inWindow: true }
}

/** A change that waits to be kept, and one that was taken back because nobody was there. */
function trial({ trial: { Trial: open, Last } }: Facts, nowMs: number): readonly Cause[] {
  const base = { category: 'exit-node', open: { kind: 'open' }, inWindow: false } as const
  if (open) {
    const does = (answer: 'keep' | 'undo'): Cause['actions'][number] => ({ label: t(`trial.${answer}`), action: { kind: 'trial', id: open.ID, answer } })
    return [{ ...base, key: 'trial', title: t('notice.trial.open'), body: t('notice.trial.open.more'), actions: [does('keep'), does('undo')], inWindow: true }]
  }
  if (!Last || Last.End === 'kept' || Last.End === 'undone' || Last.End === 'replaced' || nowMs - Date.parse(Last.At) > NEWS_MS) return []
  return [{ ...base, key: `trial ${Last.ID}`, title: t(`trial.end.${Last.End}`), body: t('notice.trial.over'), actions: [] }]
}

const shortName = (node: { readonly Name: string }): string => safeText(node.Name.split('.')[0]!, 40)

function exitNode({ exit, status, warnings, policy }: Facts): Cause | undefined {
  if (!exit || status?.BackendState !== 'Running') return undefined
  const base = { key: 'exit-node', category: 'exit-node', open: { kind: 'go', hash: '#/exit-nodes' } } as const
  if (exit.Egress.Kind === 'blocked') {
    const name = shortName(exit.Egress)
    const next = otherExit(exit)
    return {
      ...base, title: name === '' ? t('notice.exit.blocked.none') : t('notice.exit.blocked', { name }), body: t('notice.exit.blocked.more'), inWindow: true,
      // Nobody can choose otherwise than the device policy.
      actions: heldWords(policy, 'ExitNodeID') !== undefined ? [{ label: t('notice.show'), action: base.open }] : [
        ...(next ? [{ label: t('notice.exit.use', { name: shortName(next) }), action: { kind: 'exit', do: { Do: 'use', Node: next.ID } } as const }] : []),
        { label: t('notice.exit.off'), action: { kind: 'exit', do: { Do: 'clear' } } },
      ],
    }
  }
  const replaced = warnings?.['exit-node-replaced']
  if (!replaced || exit.Egress.Kind !== 'exit') return undefined
  return { ...base, title: t('notice.exit.replaced', { name: shortName(exit.Egress) }), body: t('notice.exit.replaced.more'), actions: [{ label: t('notice.show'), action: base.open }], inWindow: false }
}

/** What could be used instead: the suggested one, else the nearest that works. */
function otherExit({ Chosen, Nodes }: ExitNodesPage): ExitNodesPage['Nodes'][number] | undefined {
  const usable = Nodes.filter((node) => (node.Unavailable ?? '') === '' && (Chosen.Kind === 'none' || node.ID !== Chosen.ID))
  return usable.find((node) => node.Suggested) ?? usable.toSorted((a, b) => (a.LatencyMs ?? Infinity) - (b.LatencyMs ?? Infinity))[0]
}

function portal({ warnings }: Facts): Cause | undefined {
  if (!PORTALS.some((code) => warnings?.[code] !== undefined)) return undefined
  return { key: 'portal', category: 'connection-lost', title: t('notice.portal'), body: t('notice.portal.more'), actions: [{ label: t('notice.show'), action: { kind: 'open' } }], open: { kind: 'open' }, inWindow: true }
}

/** What this device tried lately and was not let through to: one for each device, the latest few. */
function blocked(facts: Facts, nowMs: number): readonly Cause[] {
  const late = (facts.blocked?.Rows ?? []).filter((row) => row.Direction === 'out' && nowMs - Date.parse(row.Last) < BLOCKED_MS)
  const latest = new Map<string, BlockedRow>()
  for (const row of late) if (!latest.has(row.PeerKey)) latest.set(row.PeerKey, row)
  return [...latest].slice(0, BLOCKED_DEVICES).map(([key, row]) => {
    const peer = facts.status?.Peer?.[key]
    const open = { kind: 'go', hash: peer ? `#/devices/${encodeURIComponent(peer.ID)}/access` : '#/devices' } as const
    const device = safeText(row.Peer, 40) || safeText(row.To, 60)
    return { key: `blocked ${key}`, category: 'blocked', title: t('notice.blocked', { device }), body: sentence(row.Why), actions: [{ label: t('notice.explain'), action: open }], open, inWindow: false } as const
  })
}
