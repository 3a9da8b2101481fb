/**
 * What is wrong, as a pure function of what the backend knows: codes of the table of warnables with what fills their texts,
 * and the server's own messages.
 */
import type { DisplayMessage } from '../core/tailcfg/types.ts'
import { expiryOf } from '../core/plan/plan-peer.ts'
import type { WarnableCode, WarningArgs } from '../health/warnables.ts'
import type { Model } from './model.ts'
import { policyNoticeMs, policyServer } from './policy-prefs.ts'
import { carries } from './state.ts'

/** A saved map in use is mentioned only when the server lets wait this long. */
export const SAVED_MAP_GRACE_MS = 3_000
/** The end of a sign-in is mentioned at most so long before. */
const EXPIRY_NOTICE_MS = 7 * 86_400_000
/** The end of one that lasts long enough is mentioned at least so long before. */
const EXPIRY_LAST_CALL_MS = 600_000

/** Of what is wrong in a policy. */
const FAULTS_TOLD = 8

export type Warnings = Partial<Record<WarnableCode, WarningArgs>>

export function warningsOf(model: Model, nowMs: number, wallMs: number): Warnings {
  const { life, netMap } = model
  const out: Warnings = {}
  if (model.dataplaneFailure !== undefined) out['packet-thread'] = { error: model.dataplaneFailure }
  if (model.saveFailure !== undefined) out['state-not-saved'] = { error: model.saveFailure }
  if (model.configFailure !== undefined) out['apply-disk-config'] = { error: model.configFailure }
  if (model.closedWhy !== undefined) out['state-store-health'] = { error: model.closedWhy }
  if (model.plainWhy !== undefined) out['secret-store-plain'] = { error: model.plainWhy }
  if (model.storeProblems.length > 0) out['state-recovered'] = { error: model.storeProblems.join(' ') }
  if (life.name === 'Stopped') out['wantrunning-false'] = { State: life.name }
  if (life.keyExpired) out['key-expired'] = {}
  if (model.plan.filterRefused) out['invalid-packet-filter'] = {}
  aboutControl(model, nowMs, out)
  aboutPolicy(model, out)
  const skewMs = netMap?.clockSkewMs ?? 0
  const expiryMs = netMap ? expiryOf(netMap.self) : Infinity
  const leftMs = expiryMs - (wallMs + skewMs)
  if (life.map === 'control' && leftMs > 0 && leftMs <= (policyNoticeMs(model.policy) ?? expiryNoticeMs(model.saved.nodeKeyAtMs, expiryMs))) out['key-expires-soon'] = { expiry: new Date(expiryMs).toISOString() }
  return out
}

/** How long before its end a sign-in is said to end soon: its last tenth, so that nobody is asked right after a renewal. */
export function expiryNoticeMs(madeAtMs: number | undefined, expiryMs: number): number {
  const wholeMs = madeAtMs === undefined ? Infinity : expiryMs - madeAtMs
  return Math.min(EXPIRY_NOTICE_MS, Math.max(wholeMs / 10, Math.min(EXPIRY_LAST_CALL_MS, wholeMs / 2)))
}

function aboutPolicy({ policy: { policy, refused }, saved }: Model, out: Warnings): void {
  if (refused.length > 0) out['policy-refused'] = { error: refused.join(' ') }
  if (policy.faults.length > 0) out['policy-partly'] = { error: policy.faults.map(({ key, why }) => (key === '' ? why : `${key}: ${why}`)).slice(0, FAULTS_TOLD).join('; ') }
  const server = policyServer(policy)
  if (server !== undefined && saved.nodeKey && saved.nodeKeyUrl !== server) out['policy-other-server'] = { server, used: saved.nodeKeyUrl }
}

function aboutControl(model: Model, nowMs: number, out: Warnings): void {
  const { control, life, loss } = model
  if (loss) out['not-in-map-poll'] = { code: loss.code, error: loss.message, carries: String(carries(life)) }
  if (control.kind === 'failed') out['login-state'] = { code: control.code, error: control.message }
  if (control.kind === 'needs-login' && !life.loggedOut && life.wantRunning) out['login-state'] = { why: control.why }
  const since = model.savedMapSinceMs
  if (life.map === 'saved' && model.mapSavedAtMs !== undefined && carries(life) && since !== undefined && (loss !== undefined || nowMs - since >= SAVED_MAP_GRACE_MS)) {
    out['saved-map'] = { 'saved-at': new Date(model.mapSavedAtMs).toISOString() }
  }
}

const NO_MESSAGES: ReadonlyMap<string, DisplayMessage> = new Map()
const converted = new WeakMap<readonly string[], ReadonlyMap<string, DisplayMessage>>()

/** The server's messages by ID; its older list of texts counts while there are no others. The same object while they stay. */
export function messagesOf({ netMap }: Model): ReadonlyMap<string, DisplayMessage> {
  if (!netMap || (netMap.displayMessages.size === 0 && netMap.health.length === 0)) return NO_MESSAGES
  if (netMap.displayMessages.size > 0) return netMap.displayMessages
  let messages = converted.get(netMap.health)
  if (!messages) {
    messages = new Map(netMap.health.map((text, i) => [`health-${i}`, { Title: 'Message from the server', Text: text, Severity: 'medium' }]))
    converted.set(netMap.health, messages)
  }
  return messages
}
