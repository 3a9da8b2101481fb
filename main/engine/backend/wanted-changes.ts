/**
 * What a change would make of the settings and of the plan, without making it: by the same checks and the same planner.
 */
import { EngineError } from '../base/errors.ts'
import { Planner } from '../core/plan/plan.ts'
import type { Plan, PlanPrefs } from '../core/plan/plan.ts'
import type { Egress, ExitVerdict } from '../core/plan/egress.ts'
import { UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import { addressesOf } from '../core/plan/names.ts'
import type { SystemFacts } from '../core/plan/system-facts.ts'
import type { ExitNodeRow } from '../../localapi/exit-nodes.ts'
import type { WantedChange } from '../../localapi/machine.ts'
import type { Extras } from '../../localapi/extras.ts'
import type { Prefs } from '../../localapi/types.ts'
import { checkPrefs } from './check-prefs.ts'
import type { PrefsContext } from './check-prefs.ts'
import { egressNow } from './egress-now.ts'
import { settleExitNode } from './exit-node.ts'
import { changeExtras } from './extras.ts'
import type { Model } from './model.ts'
import { outsidePlaces } from './routes-page.ts'
import { applyMask } from './prefs.ts'
import { carries } from './state.ts'

export interface WantedChangesDeps {
  readonly model: Model
  /** The server's time. */
  readonly nowMs: () => number
  readonly prefsContext: () => PrefsContext
  readonly policy: { settle(prefs: Prefs): Prefs; refusal(prefs: Prefs): string | undefined }
  /** Exit nodes with what is known of each. */
  readonly exitNodes: () => readonly ExitNodeRow[]
}

/** The settings that a change may touch. */
export interface WantedValues {
  readonly prefs: Prefs
  readonly skippedRoutes: readonly string[]
}

/** What follows from settings. */
export interface WantedOutcome {
  readonly plan: Pick<Plan, 'dataplane' | 'egress' | 'routes' | 'dns'>
  readonly prefs: Prefs
  readonly system: SystemFacts
  readonly isConnected: boolean
  /** Why the exit node in it carries nothing now, as far as is known; "" = nothing speaks against it. */
  readonly exitTrouble: string
}

export class WantedChanges {
  readonly #deps: WantedChangesDeps

  constructor(deps: WantedChangesDeps) {
    this.#deps = deps
  }

  /** As they are. */
  values(): WantedValues {
    const { prefs, extras } = this.#deps.model.saved
    return { prefs, skippedRoutes: extras.SkippedRoutes }
  }

  profileId(): string {
    return this.#deps.model.saved.profile.id
  }

  selfAddresses(): readonly string[] {
    const { netMap } = this.#deps.model
    return netMap ? addressesOf(netMap.self) : []
  }

  /** As they would be; throws EngineError('bad-prefs' | 'managed-by-policy'). */
  valuesAfter({ Prefs: mask, SkippedRoutes }: WantedChange): WantedValues {
    const { model, policy } = this.#deps
    return { prefs: mask === undefined ? model.saved.prefs : settleExitNode(policy.settle(this.#checked(mask)), model.netMap), skippedRoutes: this.#skipped(SkippedRoutes) }
  }

  /** What is in force. */
  outcome(): WantedOutcome {
    const { model } = this.#deps
    const egress = egressNow(model)
    return { plan: { ...model.plan, egress }, prefs: model.saved.prefs, system: model.system, isConnected: this.#isConnected(), exitTrouble: this.#troubleOf(egress) }
  }

  /** What would be in force with these. */
  outcomeOf({ prefs, skippedRoutes }: WantedValues): WantedOutcome {
    const { model, nowMs } = this.#deps
    const { netMap, system } = model
    if (!netMap) return { ...this.outcome(), prefs }
    const wish = this.#exitWish(prefs)
    const plan = new Planner().plan(netMap, {
      skippedRoutes, outside: outsidePlaces(prefs.ControlURL, netMap.derpMap), acceptRoutes: prefs.RouteAll, acceptDns: prefs.CorpDNS, shieldsUp: prefs.ShieldsUp,
      advertiseRoutes: prefs.AdvertiseRoutes ?? [], ...wish,
    }, nowMs(), system)
    return { plan, prefs, system, isConnected: this.#isConnected(), exitTrouble: this.#troubleOf(plan.egress) }
  }

  #checked(mask: unknown): Prefs {
    const { model, prefsContext, policy } = this.#deps
    const prefs = applyMask(model.saved.prefs, mask)
    const fault = typeof prefs === 'string' ? prefs : checkPrefs(prefs, prefsContext(), model.saved.prefs)
    if (typeof prefs === 'string' || fault !== undefined) throw new EngineError('bad-prefs', fault ?? 'bad prefs')
    const refusal = policy.refusal(prefs)
    if (refusal !== undefined) throw new EngineError('managed-by-policy', refusal)
    return prefs
  }

  #skipped(wanted: Extras['SkippedRoutes'] | undefined): readonly string[] {
    const { extras } = this.#deps.model.saved
    return wanted === undefined ? extras.SkippedRoutes : changeExtras(extras, { SkippedRoutes: wanted }).SkippedRoutes
  }

  #isConnected(): boolean {
    const { life, netMap } = this.#deps.model
    return carries(life) && netMap !== undefined
  }

  /** The wish for an exit node: as it is judged now where it stays the same, else the one that an automatic choice would come to first. */
  #exitWish(prefs: Prefs): Pick<PlanPrefs, 'exitNodeId' | 'exitNodeIp' | 'exitVerdict'> {
    const { prefs: now } = this.#deps.model.saved
    const isSame = prefs.ExitNodeID === now.ExitNodeID && prefs.ExitNodeIP === now.ExitNodeIP && (prefs.AutoExitNode ?? '') === (now.AutoExitNode ?? '')
    if (isSame) return { exitNodeId: prefs.ExitNodeID, exitNodeIp: prefs.ExitNodeIP, exitVerdict: verdictOf(egressNow(this.#deps.model)) }
    const isOpen = (prefs.AutoExitNode ?? '') !== '' && (prefs.ExitNodeID === '' || prefs.ExitNodeID === UNRESOLVED_EXIT)
    const best = isOpen ? this.#deps.exitNodes().find(({ Unavailable }) => Unavailable === undefined)?.ID : undefined
    return { exitNodeId: best ?? prefs.ExitNodeID, exitNodeIp: prefs.ExitNodeIP }
  }

  #troubleOf(egress: Egress): string {
    return egress.kind === 'exit' ? (this.#deps.exitNodes().find(({ ID }) => ID === egress.id)?.Unavailable ?? '') : ''
  }
}

function verdictOf(egress: Egress): ExitVerdict | undefined {
  switch (egress.kind) {
    case 'direct':
      return undefined
    case 'exit':
      return { kind: 'use', id: egress.id, why: egress.why }
    case 'blocked':
      return { kind: 'block', id: egress.id, why: egress.why }
    case 'paused':
      return { kind: 'pause', id: egress.id, why: egress.why, ...(egress.untilMs === undefined ? {} : { untilMs: egress.untilMs }) }
  }
}
