/**
 * The device policy in force: read when the engine starts and whenever it changes, held against every change of prefs, told on the bus.
 * What it refuses, and what it changed, is in the journal.
 */
import { EngineError } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import { NO_READING } from '../core/policy/read-policy.ts'
import type { PolicyReading } from '../core/policy/read-policy.ts'
import type { Extras } from '../../localapi/extras.ts'
import type { PolicySnapshot } from '../../localapi/policy.ts'
import type { Prefs } from '../../localapi/types.ts'
import type { Knot } from './knot.ts'
import type { LoginFlow } from './login.ts'
import type { Model } from './model.ts'
import { alwaysOnText, failureRefusal, policyRefusal, policySnapshot, settlePolicy } from './policy-prefs.ts'
import { changedFields, defaultPrefs } from './prefs.ts'
import type { Profiles } from './profiles.ts'

export interface PolicyFlowDeps {
  readonly env: Env
  readonly model: Model
  readonly knot: Knot
  readonly profiles: Profiles
  readonly os: Parameters<typeof defaultPrefs>[0]
  readonly login: () => LoginFlow
  readonly policy?: { read(): PolicyReading } | undefined
}

export class PolicyFlow {
  readonly #deps: PolicyFlowDeps

  constructor(deps: PolicyFlowDeps) {
    this.#deps = deps
  }

  get snapshot(): PolicySnapshot {
    return policySnapshot(this.#deps.model.policy)
  }

  /** Reads the policy again and holds it from here on; does nothing when it is as it was. */
  reload(why: string): void {
    const { model, env, knot, policy } = this.#deps
    const next = policy?.read() ?? NO_READING
    const keys = changedKeys(model.policy, next)
    if (keys.length === 0 && String(next.refused) === String(model.policy.refused)) return
    model.policy = next
    env.log.info('device policy read', { keys: keys.length, refused: next.refused.length })
    env.journal.add({ part: 'policy', kind: 'read', why: `${why}: ${next.refused[0] ?? `${Object.keys(next.policy.values).length} keys are followed`}`, keys, from: next.from })
    knot.emit({ Policy: this.snapshot })
    if (model.life.name !== 'NoState') this.#hold()
    knot.planAgain()
    knot.refreshWarnings()
  }

  /** Prefs as the policy wants them. */
  settle(prefs: Prefs): Prefs {
    const { model } = this.#deps
    return settlePolicy(prefs, model.policy.policy, this.#signedInAt)
  }

  /** Settles the saved prefs of the profile that takes over, before anything runs. */
  settleSaved(): void {
    const { model, profiles } = this.#deps
    const prefs = this.settle(model.saved.prefs)
    if (prefs === model.saved.prefs) return
    this.#note(changedFields(model.saved.prefs, prefs))
    profiles.save({ ...model.saved, prefs })
  }

  /** Throws EngineError('managed-by-policy') when a change asks for what the policy holds otherwise. */
  assertMayEdit(wanted: Prefs): void {
    const why = this.refusal(wanted)
    if (why !== undefined) this.#refuse(why)
  }

  /** Why such a change is not allowed, or undefined. */
  refusal(wanted: Prefs): string | undefined {
    return policyRefusal(wanted, this.#deps.model.saved.prefs, this.#deps.model.policy, this.#signedInAt)
  }

  /** The same of our own settings. */
  assertMayKeep({ ExitNodeFailure: wanted }: Extras): void {
    const { saved, policy } = this.#deps.model
    const why = failureRefusal(wanted, saved.extras.ExitNodeFailure, policy)
    if (why !== undefined) this.#refuse(why)
  }

  /** Why whole prefs of another program cannot be taken, or undefined. */
  refusesWhole(wanted: Prefs): string | undefined {
    const { model, os } = this.#deps
    return policyRefusal(wanted, model.saved.prefs, model.policy, this.#signedInAt, { defaults: defaultPrefs(os) })
  }

  /** Throws EngineError('managed-by-policy') while nobody may disconnect: signing out is no way round it. */
  assertMayLeave(): void {
    const { model } = this.#deps
    if (model.policy.policy.values['AlwaysOn.Enabled'] === true && model.saved.nodeKey) this.#refuse(alwaysOnText(model.policy))
  }

  get #signedInAt(): string | undefined {
    const { saved } = this.#deps.model
    return saved.nodeKey ? saved.nodeKeyUrl : undefined
  }

  #hold(): void {
    const { model, knot, login } = this.#deps
    const before = model.saved.prefs
    const fields = changedFields(before, this.settle(before))
    if (fields.length === 0) return
    this.#note(fields)
    knot.takePrefs(before)
    if (!before.WantRunning && model.saved.prefs.WantRunning) login().resume()
  }

  #note(fields: readonly string[]): void {
    this.#deps.env.journal.add({ part: 'policy', kind: 'held', why: `the device policy sets ${fields.join(', ')}`, fields })
  }

  #refuse(why: string): never {
    this.#deps.env.journal.add({ part: 'policy', kind: 'refused', why })
    throw new EngineError('managed-by-policy', why)
  }
}

function changedKeys(before: PolicyReading, after: PolicyReading): readonly string[] {
  const [a, b] = [policySnapshot(before).Settings ?? {}, policySnapshot(after).Settings ?? {}]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key])).sort()
}
