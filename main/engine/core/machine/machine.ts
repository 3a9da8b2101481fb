/**
 * What is done next to put the whole computer on the network, or to take it off. Pure: one step at a time goes out, its end comes in.
 *
 *   put on     take (the computer, alone) → open (device) → routes (what keeps traffic in, addresses, rules) → names
 *   take off   names → routes → device → release
 *
 *   no exit node     whatever fails is taken back as a whole, and tried again ever more rarely
 *   exit node        what keeps traffic in stays whatever fails; without a device it is put on alone ("holding")
 *
 * What somebody else disturbed is put back at once, and ever more slowly when it happens again and again. What a dead engine left is taken
 * over where traffic is to be kept in, so that there is no gap, else cleaned up first. Times are monotonic milliseconds.
 */
import type { MachineDns, MachinePlan, MachineRoutes } from '../plan/machine.ts'
import { Repairs } from './repairs.ts'

export type MachineWish =
  /** Nothing is known yet: what is there stays. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' }
  /** The engine ends, and not because somebody said so: what keeps traffic in stays. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'plan'; readonly plan: MachinePlan }

export type MachineStep =
  /** `isToUse`: not only to clean up what an engine left. */
  | { readonly kind: 'take'; readonly isToUse: boolean }
  | { readonly kind: 'clean-up' }
  | { readonly kind: 'open'; readonly want: MachineRoutes }
  | { readonly kind: 'routes'; readonly want: MachineRoutes }
  | { readonly kind: 'names'; readonly want: MachineDns | undefined }
  | { readonly kind: 'close-names' }
  | { readonly kind: 'close-routes'; readonly hold: boolean }
  | { readonly kind: 'close' }
  | { readonly kind: 'release' }

/** A code and a sentence for a person. */
export interface MachineFault {
  readonly code: string
  readonly text: string
}

export type MachineState = 'off' | 'starting' | 'on' | 'holding' | 'stopping' | 'failed'

/** After a failure; the last one again and again. */
const RETRY_MS = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000] as const

interface Failure {
  readonly fault: MachineFault
  readonly untilMs: number
}

export class MachineCore {
  #wish: MachineWish = { kind: 'unknown' }
  #running: MachineStep | undefined
  #hasLock = false
  #hasDevice = false
  /** What `routes` was last done with; undefined: nothing of it is on. */
  #routes: MachineRoutes | undefined
  /** A step with routes did not end well: something of it may be on. */
  #routesUnsure = false
  #routesDirty = false
  #names: MachineDns | undefined
  #namesTouched = false
  #namesDirty = false
  /** Something of an engine that died may be there. */
  #left: boolean
  readonly #failures = new Map<MachineStep['kind'], Failure>()
  readonly #counts = new Map<MachineStep['kind'], number>()
  readonly #repairs = { device: new Repairs(), routes: new Repairs(), names: new Repairs() }
  #isRollingBack = false

  /** `left`: what an engine put on was perhaps not taken away. */
  constructor(left: boolean) {
    this.#left = left
  }

  handleWish(wish: MachineWish): void {
    const before = this.#wish
    this.#wish = wish
    if (wish.kind === 'plan' && before.kind === 'plan' && wish.plan === before.plan) return
    if (wish.kind !== before.kind) {
      this.#isRollingBack = false
      this.forgetFailures()
    }
  }

  /** A person asks again: nothing is waited for. */
  forgetFailures(): void {
    this.#failures.clear()
    this.#counts.clear()
  }

  handleTunGone(nowMs: number): void {
    if (!this.#hasDevice) return
    this.#hasDevice = false
    this.#repairs.device.note(nowMs)
    this.#routesDirty = true
    this.#namesDirty = this.#namesTouched
  }

  handleDisturbed(what: 'routes' | 'names', nowMs: number): void {
    if (what === 'routes' && this.#routes) {
      this.#routesDirty = true
      this.#repairs.routes.note(nowMs)
    }
    if (what === 'names' && this.#namesTouched) {
      this.#namesDirty = true
      this.#repairs.names.note(nowMs)
    }
  }

  /** The next step, which is under way from then on; undefined: nothing is to be done now, or one is under way. */
  takeOutput(nowMs: number): MachineStep | undefined {
    if (this.#running) return undefined
    const step = this.#decide(nowMs)
    this.#running = step
    if (step?.kind === 'routes') this.#routesDirty = false
    if (step?.kind === 'names') this.#namesDirty = false
    return step
  }

  /** The end of the step under way; without a fault it was done. */
  handleEnd(nowMs: number, fault?: MachineFault): void {
    const step = this.#running!
    this.#running = undefined
    if (fault) return this.#failed(step, fault, nowMs)
    this.#failures.delete(step.kind)
    this.#counts.delete(step.kind)
    this.#done(step)
  }

  /** When to ask again without news; Infinity = never. */
  wakeMs(nowMs: number): number {
    const gates = [this.#repairs.device, this.#repairs.routes, this.#repairs.names].map(({ gateMs }) => gateMs)
    return Math.min(...[...gates, ...[...this.#failures.values()].map(({ untilMs }) => untilMs)].filter((atMs) => atMs > nowMs), Infinity)
  }

  /** Nothing is under way, and nothing is to be done but to wait. */
  isResting(nowMs: number): boolean {
    return this.#running === undefined && this.#decide(nowMs) === undefined
  }

  get state(): MachineState {
    const isSome = this.#hasDevice || this.#routes !== undefined || this.#routesUnsure || this.#namesTouched
    if (this.#wish.kind === 'unknown') return isSome ? 'on' : 'off'
    if (this.#wish.kind !== 'plan') return isSome || this.#running ? 'stopping' : 'off'
    if (this.#hasDevice && this.#isRouted && !this.#isRollingBack && !this.#failures.has('routes')) return this.#namesTouched || this.#wish.plan.dns === undefined || this.#failures.has('names') ? 'on' : 'starting'
    if (this.keepsIn && !this.#hasDevice) return 'holding'
    return this.fault ? (this.keepsIn ? 'holding' : 'failed') : 'starting'
  }

  /** Why it failed, or why traffic is held; undefined while all is well. */
  get fault(): MachineFault | undefined {
    for (const kind of ['take', 'open', 'routes', 'clean-up'] as const) {
      const failure = this.#failures.get(kind)
      if (failure) return failure.fault
    }
    return undefined
  }

  /** What could not be done although the rest goes on. */
  get problems(): readonly MachineFault[] {
    return [...this.#failures].flatMap(([kind, { fault }]) => (fault !== this.fault && kind !== 'take' ? [fault] : []))
  }

  /** Traffic to the internet goes nowhere but into the tunnel, whether that is there or not. */
  get keepsIn(): boolean {
    return this.#routes !== undefined && this.#routes.internet !== 'direct'
  }

  get hasDevice(): boolean {
    return this.#hasDevice
  }

  /** What is on of routes, firewall and addresses. */
  get routes(): MachineRoutes | undefined {
    return this.#routes
  }

  get names(): MachineDns | undefined {
    return this.#names
  }

  /** Nothing of the computer is ours, and nothing of another engine is known to be left. */
  get isClean(): boolean {
    return !this.#left && !this.#hasDevice && this.#routes === undefined && !this.#routesUnsure && !this.#namesTouched
  }

  /** Routes are on with a device, in whatever version. */
  get #isRouted(): boolean {
    return this.#routes !== undefined && this.#routes.device !== ''
  }

  #decide(nowMs: number): MachineStep | undefined {
    const wish = this.#wish
    if (wish.kind === 'unknown') return undefined
    if (wish.kind === 'hold') return this.#leave()
    if (wish.kind === 'none') return this.#takeOff(nowMs)
    const keepIn = wish.plan.routes.internet !== 'direct'
    if (keepIn) this.#isRollingBack = false
    if (this.#isRollingBack) {
      const step = this.#takeOff(nowMs)
      if (step || this.#waits('open', nowMs) || this.#waits('routes', nowMs) || !this.#isOff) return step
      this.#isRollingBack = false
    }
    return this.#putOn(wish.plan, keepIn, nowMs)
  }

  #putOn(plan: MachinePlan, keepIn: boolean, nowMs: number): MachineStep | undefined {
    if (!this.#hasLock) return this.#waits('take', nowMs) ? undefined : { kind: 'take', isToUse: true }
    if (this.#left && !keepIn) return this.#waits('clean-up', nowMs) ? undefined : { kind: 'clean-up' }
    const mayOpen = !this.#waits('open', nowMs) && this.#repairs.device.gateMs <= nowMs
    if (!this.#hasDevice && mayOpen) return { kind: 'open', want: plan.routes }
    if (!this.#hasDevice && !keepIn) return undefined
    const wanted = this.#hasDevice ? plan.routes : heldOf(plan.routes)
    const isOther = this.#routesDirty ? this.#repairs.routes.gateMs <= nowMs : !this.#isOn(wanted)
    if (isOther) return this.#waits('routes', nowMs) ? undefined : { kind: 'routes', want: wanted }
    if (!this.#hasDevice || this.#routesDirty) return undefined
    const isOtherName = this.#namesDirty ? this.#repairs.names.gateMs <= nowMs : plan.dns !== this.#names
    if (isOtherName && !this.#waits('names', nowMs)) return { kind: 'names', want: plan.dns }
    return undefined
  }

  #isOn(wanted: MachineRoutes): boolean {
    const on = this.#routes
    if (this.#routesUnsure || !on) return false
    return on === wanted || (wanted.device === '' && on.device === '' && on.bypass === wanted.bypass && on.allowLan === wanted.allowLan && on.guardNames === wanted.guardNames)
  }

  #takeOff(nowMs: number): MachineStep | undefined {
    if (this.#namesTouched && !this.#waits('close-names', nowMs)) return { kind: 'close-names' }
    if ((this.#routes || this.#routesUnsure) && !this.#waits('close-routes', nowMs)) return { kind: 'close-routes', hold: false }
    if (this.#hasDevice && !this.#waits('close', nowMs)) return { kind: 'close' }
    if (this.#left && !this.#hasLock) return this.#waits('take', nowMs) ? undefined : { kind: 'take', isToUse: false }
    if (this.#left && !this.#waits('clean-up', nowMs)) return { kind: 'clean-up' }
    return this.#hasLock && this.isClean ? { kind: 'release' } : undefined
  }

  /** One try each: the process is about to end. */
  #leave(): MachineStep | undefined {
    const tried = (kind: MachineStep['kind']): boolean => this.#failures.has(kind)
    if (this.#namesTouched && !tried('close-names')) return { kind: 'close-names' }
    if ((this.#routes || this.#routesUnsure) && !tried('close-routes') && !this.#isHeld) return { kind: 'close-routes', hold: this.keepsIn }
    if (this.#hasDevice && !tried('close')) return { kind: 'close' }
    return this.#hasLock && !this.#isHeld && this.isClean ? { kind: 'release' } : undefined
  }

  get #isHeld(): boolean {
    return this.#routes?.device === ''
  }

  get #isOff(): boolean {
    return !this.#hasDevice && this.#routes === undefined && !this.#routesUnsure && !this.#namesTouched && !this.#hasLock
  }

  #waits(kind: MachineStep['kind'], nowMs: number): boolean {
    return (this.#failures.get(kind)?.untilMs ?? -Infinity) > nowMs
  }

  #done(step: MachineStep): void {
    switch (step.kind) {
      case 'take':
        this.#hasLock = true
        return
      case 'clean-up':
        this.#left = false
        return
      case 'open':
        this.#hasDevice = true
        this.#routesDirty = this.#routes !== undefined
        return
      case 'routes':
        this.#routes = step.want
        this.#routesUnsure = false
        this.#left = false
        return
      case 'names':
        this.#names = step.want
        this.#namesTouched = step.want !== undefined
        return
      case 'close-names':
        this.#names = undefined
        this.#namesTouched = false
        return
      case 'close-routes':
        this.#routes = step.hold && this.#routes ? heldOf(this.#routes) : undefined
        this.#routesUnsure = false
        this.#routesDirty = false
        return
      case 'close':
        this.#hasDevice = false
        return
      case 'release':
        this.#hasLock = false
    }
  }

  #failed(step: MachineStep, fault: MachineFault, nowMs: number): void {
    const count = this.#counts.get(step.kind) ?? 0
    this.#counts.set(step.kind, count + 1)
    this.#failures.set(step.kind, { fault, untilMs: nowMs + RETRY_MS[Math.min(count, RETRY_MS.length - 1)]! })
    if (step.kind === 'routes') {
      this.#routesDirty = true
      // What was on before keeps traffic in as it did; else it is not known what is on.
      this.#routesUnsure = !this.keepsIn
    }
    if (step.kind === 'names') this.#namesTouched = true
    if (step.kind === 'take' && this.#wish.kind === 'none') this.#left = false
    if ((step.kind === 'open' || step.kind === 'routes') && this.#wish.kind === 'plan' && this.#wish.plan.routes.internet === 'direct') this.#isRollingBack = true
  }
}

/** Of what should be on only what keeps traffic in: there is no device. */
export function heldOf(routes: MachineRoutes): MachineRoutes {
  return { ...routes, device: '', addresses: [], routes: [], forward: undefined, internet: 'blocked' }
}
