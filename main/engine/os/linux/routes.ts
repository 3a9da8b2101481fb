/**
 * Addresses, rules, routes, firewall and kernel settings of a Linux computer, as one wish at a time.
 *
 *   set      facts → plans → what keeps traffic in, then the rest → watched
 *   fails    the wish before it is put on again; with a chosen exit node, what keeps traffic in stays and nothing else
 *   watched  the kernel's events, and a look every half minute: what somebody else undid is told and put back, at a bounded rate
 *   close    all away, or with `hold` all but what keeps traffic in
 *
 * One change at a time, each from what is really there: so a wish can be put on over whatever an engine that died has left.
 */
import { EngineError, errorText } from '../../base/errors.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import type { FirewallFacts } from './firewall-plan.ts'
import { LinuxFirewall } from './firewall.ts'
import { attachedNetworks, isInternalInterface, isMember } from './interfaces.ts'
import { KernelSettings, type Changed } from './kernel-settings.ts'
import { findObstacle } from './obstacle.ts'
import type { KernelNews, Problem, RouterDeps, RouterResult } from './ports.ts'
import { RepairPace } from './repair-pace.ts'
import { hasLines, heldRoutes, isHolding, isPlainWish, planOffV6, planRemoval, planRoutes, type RoutePlan } from './routes-plan.ts'
import { isInterfaceName, RuntimeFile } from './runtime-file.ts'
import { suspectOf } from './suspects.ts'
import { readSystem, type SystemState } from './system-state.ts'

export const DEVICE = 'bowline0'
const LOOK_MS = 30_000
/** Events come in bursts. */
const SETTLE_MS = 50

export class LinuxRouter {
  readonly #deps: RouterDeps
  readonly #firewall: LinuxFirewall
  readonly #settings: KernelSettings
  readonly #file: RuntimeFile
  readonly #pace: RepairPace
  #queue: Promise<unknown> = Promise.resolve()
  #want: MachineRoutes | undefined
  #hadDevice = false
  #apart: readonly string[] | undefined
  #lastFacts = ''
  #tell: ((what: Problem) => void) | undefined
  #stopWatch: (() => void) | undefined
  #stopLook: (() => void) | undefined
  #isLookDue = false

  constructor(deps: RouterDeps) {
    this.#deps = deps
    this.#firewall = new LinuxFirewall(deps.run)
    this.#settings = new KernelSettings(deps.sysctlDir)
    this.#file = new RuntimeFile(deps.runtimeDir)
    this.#pace = new RepairPace()
  }

  /**
   * Puts a wish on. Rejects with EngineError: 'bad-argument', 'not-found' (no device, or no `ip`), 'address-in-use', 'access-denied', 'io'.
   * Without its device a wish whose internet is not direct still keeps traffic in, and says so by a problem.
   */
  set(wish: MachineRoutes): Promise<RouterResult> {
    return this.#inTurn(async () => {
      const want = wish.device === '' ? { ...heldRoutes(wish), device: DEVICE } : wish
      if (!isPlainWish(want)) throw new EngineError('bad-argument', 'addresses and prefixes of a wish for the computer have to be in canonical text')
      const before = this.#want
      try {
        const done = await this.#apply(want)
        this.#want = want
        this.#watch()
        return done
      } catch (error) {
        await this.#takeBack(want, before)
        throw error
      }
    })
  }

  /** Takes everything away; with `hold` what keeps traffic in stays, also what another engine left before the first wish. */
  close(hold: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const want = this.#want
      this.#unwatch()
      this.#want = undefined
      if (hold && want && want.internet !== 'direct') await this.#apply(heldRoutes(want))
      else if (!hold || want || !isHolding(await this.#read(DEVICE))) await this.#removeAll(want?.device ?? DEVICE)
    })
  }

  onDisturbed(call: (what: Problem) => void): void {
    this.#tell = call
  }

  /** Removes what an engine that died left; with `hold` nothing that keeps traffic in. Answers whether there was something. */
  cleanUp({ hold = false }: { readonly hold?: boolean } = {}): Promise<boolean> {
    return this.#inTurn(async () => {
      const now = await this.#read(DEVICE)
      if (hold && isHolding(now)) {
        const had = this.#putSettingsBack()
        return (await this.#firewall.shut()) || had
      }
      return this.#removeAll(DEVICE)
    })
  }

  /** Whether what is there keeps all traffic in: an engine with an exit node died, or holds. */
  isHolding(): Promise<boolean> {
    return this.#inTurn(async () => isHolding(await this.#read(DEVICE)))
  }

  obstacle(): Promise<Problem | undefined> {
    return this.#inTurn(() => findObstacle(this.#deps.run, DEVICE))
  }

  /** Packets that the firewall dropped since its rules were last put on. */
  dropped(): Promise<{ readonly spoofed: number; readonly held: number }> {
    return this.#firewall.dropped()
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(call, call)
    this.#queue = turn.catch(() => {})
    return turn
  }

  #read(device: string): Promise<SystemState> {
    return readSystem(this.#deps.run, device, this.#settings.hasV6)
  }

  async #apply(want: MachineRoutes): Promise<RouterResult> {
    this.#adopt()
    this.#settings.allowV6(want.device)
    const now = await this.#read(want.device)
    refuse(want, now)
    const facts = this.#facts(want, now)
    const isIn = want.internet !== 'direct'
    // A setting that is not told of after a death would stay for ever.
    const settings = this.#settings.apply(want, (changed) => this.#note(changed))
    const guarded = isIn ? await this.#firewall.set(want, facts, now.hasV6) : undefined
    await this.#route(want, now)
    const firewall = guarded ?? (await this.#firewall.set(want, facts, now.hasV6))
    if (this.#settings.changed.length === 0) this.#file.remove()
    this.#hadDevice = now.device !== undefined
    this.#lastFacts = JSON.stringify(facts)
    const gone = now.device || want.routes.length === 0 ? [] : [{ code: 'tun-gone', text: `The tunnel device ${want.device} is not there; nothing leaves this computer until it is.` }]
    return { firewall: firewall.kind, forwarding: settings.forwarding, problems: [...gone, ...settings.problems, ...firewall.problems] }
  }

  /** What an engine that died had changed is put back by this one. */
  #adopt(): void {
    if (this.#want) return
    const { changed, apart } = this.#file.read()
    this.#settings.adopt(changed)
    this.#apart ??= apart
  }

  #note(changed: readonly Changed[]): void {
    try {
      this.#file.write({ changed, apart: this.#apart })
    } catch (error) {
      this.#deps.log.warn('kernel settings cannot be remembered for after a crash', { why: errorText(error) })
    }
  }

  #facts(want: MachineRoutes, now: SystemState): FirewallFacts {
    const others = now.links.map(({ name }) => name).filter((name) => name !== want.device && name !== 'lo' && isInterfaceName(name))
    if (!want.forward) this.#apart = undefined
    else if (this.#apart === undefined && !this.#settings.forwardsAlready) this.#apart = others.filter((name) => !isInternalInterface(name))
    return {
      attached: attachedNetworks(now.links, want.device).map(({ prefix }) => prefix),
      internal: others.filter((name) => isInternalInterface(name) && !isMember(name)),
      apart: this.#apart,
    }
  }

  /** Looked at again afterwards: something may have changed between the look and the change, or because of it. */
  async #route(want: MachineRoutes, now: SystemState): Promise<void> {
    await this.#batch(6, planOffV6(want, now)).catch(() => {})
    const plan = planRoutes(want, now)
    if (!hasLines(plan)) return
    await this.#put(plan).catch((error: unknown) => this.#deps.log.debug('routes could not be set, once more', { why: errorText(error) }))
    await this.#put(planRoutes(want, await this.#read(want.device)))
  }

  async #put(plan: RoutePlan): Promise<void> {
    await this.#batch(4, plan[4])
    await this.#batch(6, plan[6])
  }

  async #batch(family: 4 | 6, lines: readonly string[], more: readonly string[] = []): Promise<void> {
    if (lines.length === 0) return
    const { code, err } = await this.#deps.run('ip', [`-${family}`, ...more, '-batch', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 60_000 })
    if (code === 0) return
    const line = /Command failed -:(\d+)/.exec(err)
    const what = line ? lines[Number(line[1]) - 1] : undefined
    throw new EngineError(/not permitted/i.test(err) ? 'access-denied' : 'io', `ip failed: ${err.trim().slice(0, 200)}${what === undefined ? '' : ` (ip -${family} ${what})`}`)
  }

  async #takeBack(want: MachineRoutes, before: MachineRoutes | undefined): Promise<void> {
    try {
      if (want.internet !== 'direct') {
        this.#want = heldRoutes(want)
        await this.#keepIn(this.#want)
        this.#watch()
      } else if (before) await this.#apply(before)
      else await this.#removeAll(want.device)
    } catch (error) {
      this.#deps.log.warn('what was begun could not be taken back', { why: errorText(error) })
    }
  }

  /** As much of it as can be had. */
  async #keepIn(want: MachineRoutes): Promise<void> {
    const now = await this.#read(want.device)
    const tries = [() => this.#firewall.set(want, this.#facts(want, now), now.hasV6), () => this.#route(want, now)]
    for (const attempt of tries) await attempt().catch((error: unknown) => this.#deps.log.warn('traffic is not kept in as it should be', { why: errorText(error) }))
  }

  async #removeAll(device: string): Promise<boolean> {
    const now = await this.#read(device)
    const plan = planRemoval(device, now)
    // What is gone meanwhile is no fault: all lines are tried.
    for (const family of [4, 6] as const) await this.#batch(family, plan[family], ['-force']).catch(() => {})
    const left = planRemoval(device, await this.#read(device))
    const hadRules = await this.#firewall.remove()
    const hadSettings = this.#putSettingsBack()
    this.#apart = undefined
    if (hasLines(left)) throw new EngineError('io', `Not everything could be taken away: ip ${[...left[4], ...left[6]][0]}`)
    return hasLines(plan) || hadRules || hadSettings
  }

  #putSettingsBack(): boolean {
    this.#settings.adopt(this.#file.read().changed)
    const had = this.#settings.changed.length > 0
    this.#settings.putBack()
    return this.#file.remove() || had
  }

  #watch(): void {
    this.#stopWatch ??= this.#deps.watchKernel?.(52, (news) => this.#heard(news))
    this.#lookBy(LOOK_MS)
  }

  #unwatch(): void {
    this.#stopWatch?.()
    this.#stopLook?.()
    this.#stopWatch = this.#stopLook = undefined
    this.#isLookDue = false
  }

  #lookIn(delayMs: number): void {
    this.#stopLook?.()
    this.#stopLook = this.#deps.clock.after(delayMs, () => void this.#inTurn(() => this.#look()).catch((error: unknown) => this.#deps.log.warn('looking after routes failed', { why: errorText(error) })))
  }

  /** Unless news have come meanwhile: then a look is due sooner. */
  #lookBy(delayMs: number): void {
    if (!this.#isLookDue) this.#lookIn(delayMs)
  }

  #heard({ links, rules, routes, firewall }: KernelNews): void {
    if (this.#isLookDue || !(links || rules || routes || firewall)) return
    this.#isLookDue = true
    this.#lookIn(this.#pace.nextLookMs(this.#deps.clock.nowMs(), SETTLE_MS))
  }

  /** Compares what is there with the wish, tells and puts back. */
  async #look(): Promise<void> {
    const want = this.#want
    this.#isLookDue = false
    if (!want) return
    const beganMs = this.#deps.clock.nowMs()
    const found = await this.#findDisturbance(want)
    const nowMs = this.#deps.clock.nowMs()
    this.#pace.looked(nowMs, nowMs - beganMs)
    this.#lookBy(LOOK_MS)
    if (found === undefined) return
    const { waitMs, isFight } = found.code === 'changed-around' ? { waitMs: 0, isFight: false } : this.#pace.repair(nowMs, want.internet !== 'direct')
    const problem = isFight ? fought(found) : found
    // What is around the tunnel changes all day, and nobody is to blame.
    if (found.code === 'changed-around') this.#deps.log.debug(problem.text)
    else {
      this.#deps.log.warn(`${found.code} → put back`, { why: problem.text })
      this.#tell?.(problem)
    }
    if (waitMs > 0) return this.#lookBy(waitMs)
    await this.#apply(want).catch((error: unknown) => {
      this.#deps.log.warn('could not be put back', { why: errorText(error) })
      this.#lookBy(this.#pace.retryMs)
    })
  }

  async #findDisturbance(want: MachineRoutes): Promise<Problem | undefined> {
    const now = await this.#read(want.device)
    if (this.#hadDevice && !now.device) return { code: 'tun-gone', text: `Somebody removed the tunnel device ${want.device}.` }
    const plan = planRoutes(want, now)
    const lines = [...plan[4], ...plan[6]]
    if (lines.some((line) => line.startsWith('rule'))) return { code: 'rules-gone', text: 'Another program removed or changed the routing rules of the tunnel.' }
    if (lines.some((line) => line.startsWith('link'))) return { code: 'routes-gone', text: `Another program took the tunnel device ${want.device} down or changed it.` }
    if (lines.length > 0) return { code: 'routes-gone', text: 'Another program removed or changed the routes or addresses of the tunnel.' }
    if (await this.#firewall.isDisturbed(want)) return { code: 'firewall-flushed', text: 'Another program removed or changed the firewall rules of the tunnel.' }
    if (this.#settings.isDisturbed(want)) return { code: 'forwarding-off', text: 'Another program switched off a kernel setting that the tunnel needs, such as the forwarding of packets.' }
    if (JSON.stringify(this.#facts(want, now)) !== this.#lastFacts) return { code: 'changed-around', text: 'Interfaces of this computer changed.' }
    return undefined
  }
}

function fought({ code, text }: Problem): Problem {
  const suspect = suspectOf(code)
  return { code, text: `${text} It happens again and again${suspect === '' ? '' : `; running here: ${suspect}`}.` }
}

function refuse(want: MachineRoutes, { links, device }: SystemState): void {
  if (!device && want.internet === 'direct') throw new EngineError('not-found', `The tunnel device ${want.device} is not there.`)
  const own = new Set(want.addresses.map((prefix) => prefix.slice(0, prefix.indexOf('/'))))
  for (const link of links) {
    const same = link.name === want.device ? undefined : link.addresses.find((prefix) => own.has(prefix.slice(0, prefix.indexOf('/'))))
    if (same !== undefined) throw new EngineError('address-in-use', `The interface ${link.name} has this device's tunnel address ${same.slice(0, same.indexOf('/'))} already; another client for the same network may be running.`)
  }
}
