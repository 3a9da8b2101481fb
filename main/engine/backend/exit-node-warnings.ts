/**
 * What a person has to know of the way out, as a pure function of what the backend knows.
 */
import type { HealthState } from '../../localapi/types.ts'
import { egressNow, wantsExitNode } from './egress-now.ts'
import type { Model } from './model.ts'
import type { Warnings } from './warnings.ts'

/** `health`: a sign-in page may be in the way. */
export function exitNodeWarnings(model: Model, health: { state(): HealthState }): Warnings {
  const egress = egressNow(model)
  const { prefs } = model.saved
  if (model.life.name === 'NoState' || !wantsExitNode(prefs) || egress.kind === 'direct') return {}
  if (egress.kind === 'paused') return { 'exit-node-paused': { error: egress.why, ...(egress.untilMs === undefined ? {} : { until: new Date(egress.untilMs).toISOString() }) } }
  if (health.state().Warnings?.['captive-portal-detected'] !== undefined) return { 'exit-node-holds-portal': { 'exit-node': egress.name } }
  if (egress.kind === 'blocked') return { 'exit-node-blocked': { error: egress.why } }
  const isReplaced = (prefs.AutoExitNode ?? '') === '' && prefs.ExitNodeID !== egress.id
  return isReplaced ? { 'exit-node-replaced': { 'exit-node': egress.name, error: egress.why } } : {}
}
