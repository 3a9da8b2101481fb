/**
 * What becomes of traffic to the internet at this moment, also while there is no plan in force: an exit node that is chosen is
 * no less chosen while the engine starts, signs in again or has no map. Pure.
 *
 *   nothing is known yet (start, another profile, a locked state)   → blocked
 *   disconnected or signed out by a person                          → direct, as without Bowline
 *   a plan is in force                                              → what it says
 *   else, with a chosen exit node                                   → blocked
 */
import { DIRECT } from '../core/plan/egress.ts'
import type { Egress } from '../core/plan/egress.ts'
import type { Prefs } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import { carries } from './state.ts'

/** The way out now. */
export function egressNow(model: Pick<Model, 'life' | 'plan' | 'saved'>): Egress {
  const { life, plan, saved } = model
  if (life.name === 'NoState') return { kind: 'blocked', id: '', name: '', why: 'blocked until it is known whether an exit node is chosen' }
  if (carries(life) && life.applied) return plan.egress
  if (!wantsExitNode(saved.prefs) || !life.wantRunning || life.loggedOut) return DIRECT
  const why = life.keyExpired ? 'blocked because your sign-in has ended and an exit node is chosen' : 'blocked because Bowline is not connected yet and an exit node is chosen'
  return { kind: 'blocked', id: saved.prefs.ExitNodeID, name: '', why }
}

/** Whether a person wants an exit node, one that can be used or not. */
export function wantsExitNode(prefs: Prefs): boolean {
  return prefs.ExitNodeID !== '' || prefs.ExitNodeIP !== '' || (prefs.AutoExitNode ?? '') !== ''
}
