/**
 * The whole-computer mode: a tunnel device with routes, firewall and names, so that every program of the computer is on the network.
 *
 *   backend's news, a person's word → wish → core/machine (what next) → steps (the parts of this system) → bus, journal, warnings
 *
 * The wish is kept per engine, not per profile. What is put on is written down before, so that the engine after one that died cleans up.
 */
import type { FeaturePort } from '../../backend/ports.ts'
import type { MachineView } from '../../backend/machine-view.ts'
import type { Env } from '../../base/env.ts'
import { EngineError, errorText } from '../../base/errors.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { MachineCore } from '../../core/machine/machine.ts'
import type { MachineFault, MachineStep, MachineWish } from '../../core/machine/machine.ts'
import { MachinePlanner } from '../../core/plan/machine-plan.ts'
import type { MachinePlan } from '../../core/plan/machine.ts'
import { EMPTY_PLAN } from '../../core/plan/plan.ts'
import type { MachineMode, MachinePage, MachineWhy } from '../../../localapi/machine.ts'
import type { Notify } from '../../../localapi/types.ts'
import { WATCH } from '../../../localapi/watch-mask.ts'
import type { MachineDoors } from './doors.ts'
import { loadMachine, saveMachine } from './machine-store.ts'
import type { MachineStorePort, SavedMachine } from './machine-store.ts'
import { machinePage, samePage, whyOf } from './page.ts'
import { MachineSteps } from './steps.ts'
import type { MachineParts } from './steps.ts'

export interface MachineDeps {
  readonly env: Env
  readonly store: MachineStorePort
  /** What this system has for it; or what is missing. */
  readonly parts: MachineParts | MachineWhy
  readonly view: () => MachineView
  readonly udpPort: () => number
  readonly isService: boolean
  readonly device: string
  /** As the engine was started: `apps` holds whatever is saved, `whole` where nothing is. */
  readonly startedAs: MachineMode | undefined
  readonly emit: (part: Partial<Notify>) => void
  readonly warnings: { set(code: 'machine-failed' | 'machine-holding' | 'machine-problem', args: Readonly<Record<string, string>>): void; clear(code: 'machine-failed' | 'machine-holding' | 'machine-problem'): void }
  /** The computer's own resolvers are others now. */
  readonly onOwnNames: () => void
  /** Whether a device is there, or who passes packets on, is another. */
  readonly onForm: () => void
}

const MTU = 1280
/** A person's word is answered at last after so long. */
const ANSWER_MS = 20_000
const GUARD_MS = 5_000
/** The process ends soon after it is told to. */
const STOP_MS = 3_500
/** What is missing for taking the computer is looked at anew when somebody asks, not more often. */
const OBSTACLE_MS = 5_000
const FIRST_LOOK_MS = 1_000

export class Machine implements FeaturePort, MachineDoors {
  readonly #deps: MachineDeps
  readonly #parts: MachineParts | undefined
  readonly #steps: MachineSteps | undefined
  readonly #planner = new MachinePlanner()
  readonly #core: MachineCore
  #saved: SavedMachine
  #mode: MachineMode
  #ending: 'none' | 'hold' | undefined
  #key: readonly unknown[] = []
  #plan: MachinePlan | undefined
  #why = 'the engine starts'
  #cannot: MachineWhy | undefined
  #cannotAtMs = -Infinity
  #disturbed = new Map<'routes' | 'names' | 'device', MachineFault>()
  #shown: MachinePage
  #form = ''
  #isDue = false
  /** It was known once what the engine's state is. */
  #isKnown = false
  #isPumping = false
  #takeBack: (() => void) | undefined
  #cancelLook: () => void = () => {}
  readonly #waiting = new Set<() => void>()

  constructor(deps: MachineDeps) {
    this.#deps = deps
    this.#parts = 'tun' in deps.parts ? deps.parts : undefined
    this.#cannot = 'tun' in deps.parts ? undefined : deps.parts
    this.#steps = this.#parts && new MachineSteps(this.#parts)
    this.#saved = loadMachine(deps.store)
    this.#mode = deps.startedAs === 'apps' ? 'apps' : (this.#saved.mode ?? deps.startedAs ?? 'apps')
    this.#core = new MachineCore(this.#saved.touched)
    this.#shown = this.#page()
    this.#form = JSON.stringify(this.form)
  }

  /** Facts come from here on. */
  start(): void {
    if (!this.#parts) return
    const { tun, router, dns } = this.#parts
    tun.onGone((why) => this.#handleGone({ code: 'tun-gone', text: why }))
    router.onDisturbed((what) => (what.code === 'tun-gone' ? this.#handleGone(what) : this.#handleDisturbed('routes', what)))
    dns.onDisturbed((what) => this.#handleDisturbed('names', what))
    dns.onOwnChanged(() => {
      this.#deps.onOwnNames()
      this.#tell()
    })
    this.#refresh()
    // Windows are told by themselves; the start is not kept for it.
    this.#cancelLook = this.#deps.env.clock.after(FIRST_LOOK_MS, () => void this.look())
  }

  initial(mask: number): Partial<Notify> {
    return (mask & WATCH.machine) === 0 ? {} : { Machine: this.#shown }
  }

  standing(): Partial<Notify> {
    return {}
  }

  changed(): void {
    this.#soon()
  }

  planned(): void {
    this.#soon()
  }

  page(): MachinePage {
    return this.#shown
  }

  async look(): Promise<MachinePage> {
    await this.#lookForObstacle()
    this.#tell()
    return this.#shown
  }

  async act(body: unknown): Promise<MachinePage> {
    const mode = modeOf(body)
    const { env } = this.#deps
    if (mode === 'whole') {
      this.#cannotAtMs = -Infinity
      await this.#lookForObstacle()
      this.#tell()
      if (this.#cannot) throw new EngineError(codeOf(this.#cannot), this.#cannot.Text)
    }
    this.#mode = mode
    this.#save({ mode })
    env.journal.add({ part: 'machine', kind: 'mode', why: `a person asked for ${mode === 'whole' ? 'the whole computer' : 'programs alone'}`, mode })
    this.#core.forgetFailures()
    this.#refresh()
    await this.#settled(ANSWER_MS)
    return this.#shown
  }

  /** Resolves once traffic is kept in, where it is to be: at once mostly, and after five seconds in any case. */
  async guarded(): Promise<void> {
    this.#refresh()
    const wish = this.#parts ? this.#wish() : undefined
    if (wish?.kind === 'plan' && wish.plan.routes.internet !== 'direct' && !this.#core.keepsIn) await this.#settled(GUARD_MS)
  }

  /** Whether programs of the computer have a device into the network, and whether the system passes packets on. */
  get form(): { readonly hasDevice: boolean; readonly systemForwards: boolean } {
    return { hasDevice: this.#core.hasDevice, systemForwards: this.#core.hasDevice && this.#steps?.router.forwarding === 'system' }
  }

  /** The name of our tunnel device; "" = there is none. */
  get device(): string {
    return this.#steps?.device ?? ''
  }

  /** The engine ends because it cannot go on, or for another one: what keeps traffic in stays. */
  handleFailed(): void {
    this.#ending = 'hold'
  }

  async stop(): Promise<void> {
    this.#cancelLook()
    this.#ending ??= 'none'
    this.#refresh()
    await this.#settled(STOP_MS)
    this.#takeBack?.()
  }

  /** Two may notice it. */
  #handleGone(fault: MachineFault): void {
    if (!this.#core.hasDevice) return
    this.#note('device', fault)
    this.#core.handleTunGone(this.#deps.env.clock.nowMs())
    this.#pump()
  }

  #handleDisturbed(what: 'routes' | 'names', fault: MachineFault): void {
    this.#note(what, fault)
    this.#core.handleDisturbed(what, this.#deps.env.clock.nowMs())
    this.#pump()
  }

  #note(what: 'routes' | 'names' | 'device', fault: MachineFault): void {
    const { env } = this.#deps
    this.#disturbed.set(what, fault)
    env.journal.add({ part: 'machine', kind: 'disturbed', why: fault.text, code: fault.code })
    env.log.part('machine').warn(fault.text, { code: fault.code })
  }

  /** After what happens now: news come in runs. */
  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      this.#refresh()
    })
  }

  #refresh(): void {
    if (!this.#parts) return
    this.#core.handleWish(this.#wish())
    this.#pump()
  }

  #wish(): MachineWish {
    if (this.#ending) return { kind: this.#ending }
    if (this.#mode === 'apps') return { kind: 'none' }
    const view = this.#deps.view()
    this.#why = view.why
    if (view.life !== 'unknown') this.#isKnown = true
    if (view.life === 'off') return { kind: 'none' }
    if (view.life === 'on') return { kind: 'plan', plan: this.#planOf(view) }
    // At the start it is not known yet whether an exit node is chosen: what was written last counts.
    if (this.#isKnown || !this.#saved.keptIn) return { kind: 'unknown' }
    return { kind: 'plan', plan: this.#planOf({ ...view, plan: EMPTY_PLAN, egress: { kind: 'blocked', id: '', name: '', why: view.why } }) }
  }

  #planOf(view: MachineView): MachinePlan {
    const { device, udpPort } = this.#deps
    const port = udpPort()
    const { acceptDns, allowLan, advertiseRoutes, noSnat, stateful, netfilter } = view.prefs
    const key = [view.plan, view.egress.kind, view.self, view.system, port, acceptDns, allowLan, advertiseRoutes, noSnat, stateful, netfilter]
    if (this.#plan && key.every((part, i) => part === this.#key[i])) return this.#plan
    this.#key = key
    return (this.#plan = this.#planner.plan({ ...view, device, mtu: MTU, udpPort: port }))
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    void this.#run().finally(() => {
      this.#isPumping = false
      this.#arm()
      this.#tell()
    })
  }

  async #run(): Promise<void> {
    const { env } = this.#deps
    for (;;) {
      const step = this.#core.takeOutput(env.clock.nowMs())
      if (!step) return
      if (step.kind === 'open' || step.kind === 'routes' || step.kind === 'names') this.#save({ touched: true })
      this.#tell()
      const fault = await this.#steps!.run(step)
      this.#core.handleEnd(env.clock.nowMs(), fault)
      this.#handleEnd(step, fault)
      // What came meanwhile counts for the next step.
      this.#core.handleWish(this.#wish())
    }
  }

  #handleEnd(step: MachineStep, fault: MachineFault | undefined): void {
    const { env } = this.#deps
    if (fault) {
      env.journal.add({ part: 'machine', kind: `${step.kind}-failed`, why: fault.text, code: fault.code })
      env.log.part('machine').warn(`${step.kind} failed: ${fault.text}`, { code: fault.code })
      return
    }
    env.journal.add({ part: 'machine', kind: step.kind, why: this.#why, ...detailsOf(step) })
    if (step.kind === 'open') this.#disturbed.delete('device')
    if (step.kind === 'routes' || step.kind === 'close-routes') this.#disturbed.delete('routes')
    if (step.kind === 'names' || step.kind === 'close-names') this.#disturbed.delete('names')
    if (step.kind === 'routes') this.#save({ keptIn: step.want.internet !== 'direct' })
    if (step.kind === 'close-routes' && !step.hold && this.#ending === undefined) this.#save({ keptIn: false })
    if (this.#core.isClean) this.#save({ touched: false })
  }

  #save(part: Partial<SavedMachine>): void {
    const next = { ...this.#saved, ...part }
    if (JSON.stringify(next) === JSON.stringify(this.#saved)) return
    this.#saved = next
    try {
      saveMachine(this.#deps.store, next)
    } catch (error) {
      this.#deps.env.log.error('what is put on the computer could not be written down', { error: errorText(error) })
    }
  }

  #arm(): void {
    const { clock } = this.#deps.env
    this.#takeBack?.()
    const nowMs = clock.nowMs()
    const atMs = this.#core.wakeMs(nowMs)
    this.#takeBack = atMs === Infinity || this.#ending ? undefined : clock.after(Math.max(1, atMs - nowMs), () => this.#pump())
    if (!this.#core.isResting(nowMs)) return
    for (const call of this.#waiting) call()
  }

  #settled(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        takeBack()
        resolve()
      }
      const takeBack = this.#deps.env.clock.after(limitMs, done)
      if (!this.#isPumping && this.#core.isResting(this.#deps.env.clock.nowMs())) done()
      else this.#waiting.add(done)
    })
  }

  async #lookForObstacle(): Promise<void> {
    const nowMs = this.#deps.env.clock.nowMs()
    if (!this.#parts || this.#core.hasDevice) return
    if (nowMs - this.#cannotAtMs < OBSTACLE_MS) return
    this.#cannotAtMs = nowMs
    const fault = await this.#parts.router.obstacle().catch((error: unknown) => ({ code: 'routes-failed', text: errorText(error) }))
    this.#cannot = fault && whyOf(fault)
  }

  #page(): MachinePage {
    const { isService } = this.#deps
    return machinePage({
      mode: this.#mode, core: this.#core, cannot: this.#core.hasDevice ? undefined : this.#cannot, isService, device: this.#steps?.device ?? '', disturbed: [...this.#disturbed.values()],
      router: this.#steps?.router ?? { problems: [], firewall: 'none', forwarding: 'none' }, dns: this.#steps?.dns ?? { problems: [], through: 'none' }, own: this.#core.names ? (this.#parts?.dns.own().servers ?? []) : [],
    })
  }

  #tell(): void {
    const before = this.#shown
    const page = this.#page()
    const form = JSON.stringify(this.form)
    if (form !== this.#form) {
      this.#form = form
      this.#deps.onForm()
    }
    if (samePage(before, page)) return
    this.#shown = page
    if (before.State !== page.State || before.Internet !== page.Internet) this.#logState(before, page)
    this.#warn(page)
    this.#deps.emit({ Machine: page })
  }

  #logState(before: MachinePage, page: MachinePage): void {
    const { env } = this.#deps
    const why = page.Why?.Text ?? this.#why
    env.log.part('machine').info(`${before.State} → ${page.State} (${why})`, { internet: page.Internet, device: page.Device })
    env.journal.add({ part: 'machine', kind: 'state', why, from: before.State, to: page.State, internet: page.Internet })
  }

  #warn({ State, Why, Problems }: MachinePage): void {
    const { warnings } = this.#deps
    if (State === 'failed') warnings.set('machine-failed', { error: Why?.Text ?? '' })
    else warnings.clear('machine-failed')
    if (State === 'holding') warnings.set('machine-holding', { error: Why?.Text ?? '' })
    else warnings.clear('machine-holding')
    if (Problems.length > 0 && State === 'on') warnings.set('machine-problem', { error: Problems.map(({ Text }) => Text).join(' ') })
    else warnings.clear('machine-problem')
  }
}

function detailsOf(step: MachineStep): Readonly<Record<string, unknown>> {
  if (step.kind === 'routes') return { internet: step.want.internet, routes: step.want.routes.length, bypass: step.want.bypass.length, device: step.want.device }
  if (step.kind === 'names') return { domains: step.want?.matchDomains.length ?? 0, all: step.want?.all ?? false, exclusive: step.want?.exclusive ?? false }
  return step.kind === 'close-routes' ? { hold: step.hold } : {}
}

function codeOf({ Code }: MachineWhy): ErrorCode {
  return Code === 'no-rights' ? 'access-denied' : Code === 'other-engine' || Code === 'tailscaled-runs' ? 'already-running' : 'not-supported'
}

/** Throws EngineError('bad-argument'). */
function modeOf(body: unknown): MachineMode {
  const mode = typeof body === 'object' && body !== null ? (body as { Mode?: unknown }).Mode : undefined
  if (mode !== 'apps' && mode !== 'whole') throw new EngineError('bad-argument', 'Mode is "apps" or "whole".')
  return mode
}
