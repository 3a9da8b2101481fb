/**
 * What the tray's small window says: at most two lines that ask for a person, and the devices that are likely to be wanted. Pure.
 */
import { age, ageOf } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { AccountView, ExitNodesPage, MachinePage, Prefs } from '../../preload/contract.ts'
import { isMoving, type TransferAsk, type TransferRow, type TransfersPage } from '../../main/localapi/transfers.ts'
import { policyKeyOf, type PolicySnapshot } from '../../main/localapi/policy.ts'
import type { HealthState, Status } from '../../main/localapi/types.ts'
import type { Device } from './devices.ts'
import { filterDevices } from './devices-query.ts'
import { nicknameOf } from './devices-view.ts'
import { chosenName } from './exit-nodes.ts'
import { expiryOf } from './expiry.ts'
import { healthRows } from './health.ts'

export interface AttentionLine {
  readonly key: string
  readonly words: string
  readonly grave: boolean
  /** What its button says and does; `show` opens the main window at a place. */
  readonly button: { readonly label: string; readonly does: { readonly kind: 'renew' } | { readonly kind: 'exit-off' } | { readonly kind: 'show'; readonly hash: string } }
}

const LINES = 2
const DEVICES = 30

export interface SmallFacts {
  readonly status: Status | undefined
  readonly warnings: HealthState['Warnings']
  readonly exit: ExitNodesPage | undefined
  readonly machine: MachinePage | undefined
  readonly policy: PolicySnapshot
  readonly nowMs: number
}

/** The gravest first; the rest is in the main window. */
export function attentionLines({ status, warnings, exit, machine, policy, nowMs }: SmallFacts): readonly AttentionLine[] {
  const lines: AttentionLine[] = []
  const isHolding = machine?.State === 'holding'
  if (isHolding || (status?.BackendState === 'Running' && exit?.Egress.Kind === 'blocked')) {
    const isHeld = policyKeyOf(policy.Settings, 'ExitNodeID') !== undefined
    const words = isHolding || exit === undefined ? t('machine.holding') : t('small.exitBlocked', { name: chosenName(exit) })
    lines.push({ key: 'exit', words, grave: true, button: isHeld ? { label: t('notice.show'), does: { kind: 'show', hash: '#/exit-nodes' } } : { label: t('notice.exit.off'), does: { kind: 'exit-off' } } })
  }
  if (status?.BackendState === 'NeedsLogin' && status.Self.Expired === true) {
    lines.push({ key: 'ended', words: t('signIn.ended'), grave: true, button: { label: t('notice.signIn'), does: { kind: 'renew' } } })
  }
  const expiry = status?.BackendState === 'Running' ? expiryOf(warnings, nowMs) : undefined
  if (expiry) lines.push({ key: 'expiry', words: t('small.endsIn', { left: age(expiry.leftMs) }), grave: false, button: { label: t('notice.renew'), does: { kind: 'renew' } } })
  if (status?.BackendState !== 'Stopped') {
    for (const row of healthRows(warnings, nowMs).filter(({ severity }) => severity !== 'low')) {
      lines.push({ key: row.code, words: row.title, grave: row.severity === 'high', button: { label: t('notice.show'), does: { kind: 'show', hash: '#/devices' } } })
    }
  }
  return lines.slice(0, LINES)
}

const ASKS = 2
const TRANSFERS = 3

/** Who waits for an answer, and what moves bytes now; `more`: what there is of both beyond that. */
export function smallTransfers({ Asks, Rows }: TransfersPage): { readonly asks: readonly TransferAsk[]; readonly rows: readonly TransferRow[]; readonly more: number } {
  const moving = Rows.filter(isMoving)
  return { asks: Asks.slice(0, ASKS), rows: moving.slice(0, TRANSFERS), more: Math.max(0, Asks.length - ASKS) + Math.max(0, moving.length - TRANSFERS) }
}

/** How much of it is there, from 0 to 1; undefined while nobody knows its size. */
export function shareOf({ Done, Size }: Pick<TransferRow, 'Done' | 'Size'>): number | undefined {
  return Size > 0 ? Math.min(1, Done / Size) : undefined
}

/** Pinned, then opened lately, then talked to; what matches when somebody searches. This device is in the head. */
export function smallDevices(devices: readonly Device[], view: AccountView, query: string, nowMs: number): readonly Device[] {
  const named = devices.filter((device) => !device.isSelf).map((device) => withNickname(device, nicknameOf(view, device.id)))
  if (query.trim() !== '') return filterDevices(named, query).slice(0, DEVICES)
  const rank = new Map([...view.pinned, ...view.recent].toReversed().map((id, index) => [id, index + 1]))
  const ages = new Map(named.map((device) => [device, ageOf(device.peer.LastHandshake, nowMs) ?? Infinity]))
  const heard = (device: Device): number => ages.get(device)!
  const shown = named.filter((device) => !view.hidden.includes(device.id) || view.pinned.includes(device.id))
  return shown.toSorted((a, b) =>
    (rank.get(b.id) ?? 0) - (rank.get(a.id) ?? 0) || Number(b.peer.Active) - Number(a.peer.Active) || Number(b.peer.Online) - Number(a.peer.Online)
    || Math.sign(heard(a) - heard(b) || 0) || (a.name < b.name ? -1 : 1)).slice(0, DEVICES)
}

const withNickname = (device: Device, nickname: string): Device => (nickname === '' ? device : { ...device, name: nickname })

/** What the large switch stands at; undefined = there is nothing to switch. */
export function switchOf(running: boolean, state: Status['BackendState'] | undefined, prefs: Prefs | undefined): boolean | undefined {
  if (!running || !(state === 'Running' || state === 'Starting' || state === 'Stopped')) return undefined
  return prefs?.WantRunning ?? state !== 'Stopped'
}
