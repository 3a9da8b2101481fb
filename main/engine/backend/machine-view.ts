/**
 * Of all that the backend knows what the whole-computer mode goes by. Pure.
 *
 *   unknown   the saved state has not been read, or the profile changes
 *   off       disconnected or signed out by a person: the computer is as it was
 *   on        a plan is in force; or an exit node is chosen, and whatever is wrong, traffic is to be kept in
 */
import { DIRECT } from '../core/plan/egress.ts'
import type { MachineWant } from '../core/plan/machine-plan.ts'
import type { Prefs } from '../../localapi/types.ts'
import { egressNow, wantsExitNode } from './egress-now.ts'
import type { Model } from './model.ts'
import { carries } from './state.ts'

export interface MachineView extends Omit<MachineWant, 'device' | 'mtu' | 'udpPort'> {
  readonly life: 'unknown' | 'off' | 'on'
  /** One sentence without its full stop: why it is so. */
  readonly why: string
}

/** The view of the moment. */
export function machineView(model: Model): MachineView {
  const { life, plan, saved, system, netMap } = model
  const egress = life.name === 'NoState' ? DIRECT : egressNow(model)
  const common = { plan, egress, prefs: machinePrefs(saved.prefs), self: netMap?.self, system }
  if (life.name === 'NoState') return { ...common, life: 'unknown', why: 'the saved state is not known yet' }
  if (!life.wantRunning) return { ...common, life: 'off', why: 'disconnected' }
  if (life.loggedOut) return { ...common, life: 'off', why: 'signed out' }
  if (carries(life)) return { ...common, life: 'on', why: 'connected' }
  if (wantsExitNode(saved.prefs)) return { ...common, life: 'on', why: egress.kind === 'blocked' ? egress.why : 'an exit node is chosen' }
  return { ...common, life: 'off', why: life.keyExpired ? 'the sign-in has ended' : 'not connected yet' }
}

export function machinePrefs(prefs: Prefs): MachineWant['prefs'] {
  return {
    acceptDns: prefs.CorpDNS,
    allowLan: prefs.ExitNodeAllowLANAccess,
    advertiseRoutes: prefs.AdvertiseRoutes ?? [],
    noSnat: prefs.NoSNAT,
    // The stock daemon filters by state only where that is said outright.
    stateful: prefs.NoStatefulFiltering === false,
    netfilter: prefs.NetfilterMode,
  }
}
