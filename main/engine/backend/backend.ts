/**
 * The knot of the engine: facts of the parts come in, the state follows, and what should be is given out again.
 *
 *   control's map → model → plan → apply          intents (edit prefs, start, sign in, sign out) → model → the same
 *   every change → notify bus, health, journal, state file
 *
 * Decisions live elsewhere: state.ts (what state we are in), core/plan (what the parts should be), prefs.ts (what is allowed),
 * login.ts (signing in and out), map-flow.ts (the list of devices). This file only connects.
 */
import { PrivateKey } from '../base/keys.ts'
import { EngineError } from '../base/errors.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { knobsOf, NO_KNOBS } from '../core/netmap/knobs.ts'
import { EMPTY_PLAN, Planner } from '../core/plan/plan.ts'
import { STATE_NUMBER } from '../../localapi/types.ts'
import type { Extras } from '../../localapi/extras.ts'
import type { Notify, PingResult, PingType, Prefs, StartOptions } from '../../localapi/types.ts'
import { Adoption } from './adoption.ts'
import { Applier, relaysArePlain } from './apply.ts'
import { BlockedPages } from './blocked-page.ts'
import { BugReports } from './bug-report.ts'
import { Bus } from './bus.ts'
import type { Watcher, WatchSink } from './bus.ts'
import { ConfigFlow } from './config-flow.ts'
import { checkPrefs } from './check-prefs.ts'
import type { PrefsContext } from './check-prefs.ts'
import { DirectWaits } from './direct-waits.ts'
import { DnsPages } from './dns-pages.ts'
import { exitNodeMask, settleExitNode } from './exit-node.ts'
import { ExitNodePages } from './exit-node-pages.ts'
import { exitNodeWarnings } from './exit-node-warnings.ts'
import { ExitNodeFlow } from './exit-nodes.ts'
import { ExitProofs } from './exit-proofs.ts'
import { changeExtras } from './extras.ts'
import { makeFacts } from './facts.ts'
import { FeaturePlace } from './feature.ts'
import { Forwards } from './forwards.ts'
import { HandOver } from './hand-over.ts'
import type { Knot } from './knot.ts'
import { LoginFlow } from './login.ts'
import { MapFlow, serverNowMs } from './map-flow.ts'
import { newModel, publicNodeKey } from './model.ts'
import type { Model } from './model.ts'
import { networkWarnings } from './network-warnings.ts'
import { PeerSessions } from './peer-sessions.ts'
import { ping, pingedNode } from './ping.ts'
import type { BackendDeps, BackendFacts, ControlState, DnsResolverPort, FeaturePort, NetworkPort, ProxyAnswer } from './ports.ts'
import { applyMask, changedFields, parsePrefs } from './prefs.ts'
import { PolicyFlow } from './policy-flow.ts'
import { Preflights } from './preflight.ts'
import { Proxies } from './proxies.ts'
import { ProxyDoor } from './proxy.ts'
import { Profiles } from './profiles.ts'
import { ProfileSwitch } from './profile-switch.ts'
import { Offers } from './offers.ts'
import { ReachPages } from './reach-pages.ts'
import { outsidePlaces, RoutesPages } from './routes-page.ts'
import { freshState } from './saved-state.ts'
import { SessionPages } from './session-page.ts'
import { closedText, StateGate } from './state-gate.ts'
import { carries, next } from './state.ts'
import type { LifecycleEvent } from './state.ts'
import { Views } from './views.ts'
import { hostinfoOf, relayServerWish } from './wants.ts'
import { WantedChanges } from './wanted-changes.ts'
import { Watching } from './watching.ts'
import { messagesOf, warningsOf } from './warnings.ts'

/** How long the answer to a greeting is waited for. */
const GREETING_MS = 5_000

export class Backend {
  readonly facts: BackendFacts
  readonly views: Views
  /** Signing in, as people are told it. */
  readonly session: SessionPages
  /** Networks behind devices. */
  readonly routes: RoutesPages
  readonly dnsPages: DnsPages
  /** What this device offers others. */
  readonly offers: Offers
  /** What did not get through lately. */
  readonly blocked: BlockedPages
  /** Whether places can be reached, and what is in the way. */
  readonly reach: ReachPages
  /** Ports of this computer that lead into the network. */
  readonly forwards: Forwards
  readonly proxies: Proxies
  /** Looks at servers before joining. */
  readonly preflights: Preflights
  readonly profiles: Profiles
  readonly profileSwitch: ProfileSwitch
  /** Accounts that go to another engine of this computer, or come from one. */
  readonly handOver: HandOver
  readonly adoption: Adoption
  readonly config: ConfigFlow
  /** What the administrator of this computer laid down. */
  readonly policy: PolicyFlow
  readonly exitNodes: ExitNodePages
  /** What a change would make of the settings and the plan. */
  readonly wanted: WantedChanges
  readonly #deps: BackendDeps
  readonly #model: Model
  readonly #planner = new Planner()
  readonly #applier: Applier
  readonly #bus: Bus
  readonly #feature = new FeaturePlace()
  readonly #login: LoginFlow
  readonly #map: MapFlow
  readonly #bugReports: BugReports
  readonly #proxy: ProxyDoor
  readonly #sessions: PeerSessions
  readonly #watching: Watching
  readonly #directWaits: DirectWaits
  readonly #gate: StateGate | undefined
  readonly #exit: ExitNodeFlow
  readonly #proofs: ExitProofs

  constructor(deps: BackendDeps) {
    this.#deps = deps
    this.#model = newModel(freshState(deps.env.random, deps.os, deps.env.clock.wallMs()))
    this.views = new Views(deps, this.#model, this.#feature)
    this.session = new SessionPages(deps.env, this.#model)
    this.dnsPages = new DnsPages(deps, this.#model, this.views.pathViews)
    this.offers = new Offers(deps.env, this.#model, deps.dataplane)
    this.routes = new RoutesPages(deps.env, this.#model, () => this.offers.rows())
    this.blocked = new BlockedPages({ ...deps, model: this.#model })
    this.#bugReports = new BugReports(deps.env, this.#model, deps.health)
    this.#applier = new Applier(deps)
    this.#bus = new Bus(deps.env, deps.version, () => this.#feature.standing())
    this.#sessions = new PeerSessions(deps.env, (part) => this.#bus.emit(part), (ip) => void deps.dataplane.ping('tsmp', ip, 0, GREETING_MS).catch(() => {}))
    this.#watching = new Watching({ clock: deps.env.clock, bus: this.#bus, model: this.#model, views: this.views, sessions: this.#sessions, feature: this.#feature })
    this.#directWaits = new DirectWaits({ clock: deps.env.clock, magicsock: deps.magicsock })
    this.#proofs = new ExitProofs({ env: deps.env, model: this.#model, dataplane: deps.dataplane, dns: deps.dns, machine: deps.machine })
    this.#proxy = new ProxyDoor({ env: deps.env, model: this.#model, dataplane: deps.dataplane, dns: deps.dns, onAnswer: (answer, context) => this.#proofs.noteAnswer(answer, context) })
    this.reach = new ReachPages({ ...deps, model: this.#model, plan: (host, port) => this.#proxy.plan(host, port) })
    this.forwards = new Forwards({ env: deps.env, model: this.#model, dataplane: deps.dataplane, door: this.#proxy, takeExtras: (extras) => this.#takeExtras(extras), whoListens: deps.whoListens })
    this.proxies = new Proxies({ env: deps.env, model: this.#model, dataplane: deps.dataplane, store: deps.store })
    this.preflights = new Preflights({ ...deps, world: deps.preflight, model: this.#model, editPrefs: (mask) => void this.editPrefs(mask) })
    const knot = this.#knot()
    this.#exit = new ExitNodeFlow({ ...deps, model: this.#model, knot })
    this.exitNodes = new ExitNodePages({ ...deps, model: this.#model, flow: this.#exit, proofs: this.#proofs, pathViews: this.views.pathViews, offer: () => this.offers.exit(), editPrefs: (mask) => this.editPrefs(mask), editExtras: (change) => this.editExtras(change) })
    this.profiles = new Profiles({ ...deps, model: this.#model, onSaveAgain: () => this.#refreshWarnings() })
    this.policy = new PolicyFlow({ ...deps, model: this.#model, knot, profiles: this.profiles, login: () => this.#login })
    this.wanted = new WantedChanges({ model: this.#model, nowMs: () => serverNowMs(deps.env.clock, this.#model), prefsContext: () => this.#prefsContext(), policy: this.policy, exitNodes: () => this.exitNodes.rows() })
    const shared = { ...deps, model: this.#model, bus: this.#bus, knot, profiles: this.profiles, session: this.session, managed: this.policy }
    this.#map = new MapFlow(shared)
    this.#login = new LoginFlow({ ...shared, map: this.#map })
    this.profileSwitch = new ProfileSwitch({ ...shared, map: this.#map, login: this.#login, leaving: () => this.#feature.leaving(), begin: () => this.#begin() })
    this.config = new ConfigFlow({ ...shared, login: this.#login, config: deps.config, prefsContext: () => this.#prefsContext() })
    const moving = { ...shared, moving: deps.moving, switch: this.profileSwitch, refreshWarnings: () => this.#refreshWarnings() }
    this.adoption = new Adoption(moving)
    this.handOver = new HandOver({ ...moving, loaded: () => this.#loaded(), assertMayGo: () => {
      this.config.assertUnlocked()
      this.policy.assertMayLeave()
    } })
    this.#gate = deps.stateKeys && new StateGate({ ...shared, keys: deps.stateKeys, start: () => this.start(), refreshWarnings: () => this.#refreshWarnings() })
    this.facts = makeFacts({ deps, model: this.#model, bus: this.#bus, map: this.#map, login: this.#login, proxy: this.#proxy, forwards: this.forwards, knot, sessions: this.#sessions, directWaits: this.#directWaits, views: this.views, blocked: this.blocked, reach: this.reach, exit: this.#exit, onControlState: (state) => this.#onControlState(state) })
    deps.health.onChange(() => this.#bus.emit({ Health: deps.health.state() }))
  }

  /** Reads the settings file, and finds out whether the saved state can be opened; before the LocalAPI is served, so that nothing is written over it. */
  async unlock(): Promise<void> {
    this.policy.reload('the engine starts')
    await this.config.read()
    await this.#gate?.ask()
  }

  /** Reads the saved state and goes on where the last engine was. Facts may come from here on. */
  async open(): Promise<void> {
    if (this.#gate) await this.#gate.open()
    else this.start()
  }

  /** Why nothing may be changed for now, as a sentence. */
  get closed(): string | undefined {
    return this.#model.closedWhy === undefined ? undefined : closedText(this.#model.closedWhy)
  }

  /** The same with a state that is open. */
  start(): void {
    if (this.handOver.resume()) return
    this.profiles.load()
    this.#loaded()
    const { saved } = this.#model
    if (this.#deps.startDisconnected === true && saved.prefs.WantRunning) this.profiles.save({ ...saved, prefs: { ...saved.prefs, WantRunning: false } })
    this.#begin()
    this.config.signIn()
  }

  /** The state is in the model; none of it is in use yet. */
  #loaded(): void {
    this.#noteStoreProblems()
    this.#feature.loaded()
    this.adoption.settle()
    this.config.applyToSaved()
  }

  #begin(): void {
    this.policy.settleSaved()
    const { prefs, nodeKey } = this.#model.saved
    this.#deps.env.journal.add({ part: 'backend', kind: 'start', wantRunning: prefs.WantRunning, signedIn: nodeKey !== undefined })
    this.#advance({ kind: 'node-key', has: nodeKey !== undefined })
    this.#advance({ kind: 'prefs', wantRunning: prefs.WantRunning, loggedOut: prefs.LoggedOut })
    this.#advance({ kind: 'loaded' })
    this.pushWants()
    if (nodeKey && prefs.WantRunning) {
      this.#map.useSaved()
      this.#login.resume()
    }
  }

  /** Lets watchers go and stops timers; the parts are stopped by their owner. */
  stop(): void {
    this.handOver.stop()
    this.adoption.stop()
    this.forwards.stop()
    this.reach.stop()
    this.#map.stop()
    this.profiles.stop()
    this.#gate?.stop()
    this.session.stop()
    this.#watching.stop()
    this.#exit.stop()
    this.#proofs.stop()
    this.exitNodes.stop()
    this.preflights.stop()
  }

  /** Gives a slice above its place on the bus; before `open`. */
  attach(feature: FeaturePort): void {
    this.#feature.attach(feature)
  }

  checkPrefs(value: unknown): string | undefined {
    if (this.config.lockedText !== undefined) return this.config.lockedText
    const prefs = parsePrefs(value, this.#model.saved.prefs, true)
    return typeof prefs === 'string' ? prefs : (checkPrefs(prefs, this.#prefsContext()) ?? this.policy.refusesWhole(prefs))
  }

  /** Changes the marked fields; throws EngineError('bad-prefs' | 'managed-by-policy') and changes nothing when one is refused. */
  editPrefs(mask: unknown): Prefs {
    this.config.assertUnlocked()
    const prefs = applyMask(this.#model.saved.prefs, mask)
    const reason = typeof prefs === 'string' ? prefs : checkPrefs(prefs, this.#prefsContext(), this.#model.saved.prefs)
    if (typeof prefs === 'string' || reason !== undefined) throw new EngineError('bad-prefs', reason ?? 'bad prefs')
    this.policy.assertMayEdit(prefs)
    const before = this.#model.saved.prefs
    this.#takePrefs(prefs)
    if (!before.WantRunning && prefs.WantRunning) this.#login.resume()
    if (before.WantRunning && !prefs.WantRunning) this.#login.pause()
    return this.#model.saved.prefs
  }

  /** Bowline's own settings of the profile in use. */
  get extras(): Extras {
    return this.#model.saved.extras
  }

  /** Changes the fields that are named; throws EngineError('bad-prefs' | 'managed-by-policy') and changes nothing when one is refused. */
  editExtras(change: unknown): Extras {
    const extras = changeExtras(this.extras, change)
    this.policy.assertMayKeep(extras)
    this.#takeExtras(extras)
    return this.extras
  }

  /** Takes whole prefs and signs in as they say; throws EngineError('bad-prefs' | 'bad-argument'). */
  startWith(options: StartOptions): void {
    if (options.UpdatePrefs) this.config.assertUnlocked()
    this.#login.start(options)
  }

  loginInteractive(): void {
    this.#login.interactive()
  }

  /** Signs out here in any case; rejects when the server could not be told. */
  async logout(): Promise<void> {
    this.policy.assertMayLeave()
    return this.#login.logout()
  }

  /** Forgets every profile and the machine key, without telling a server. */
  resetAuth(): void {
    this.policy.assertMayLeave()
    this.profileSwitch.removeAll()
  }

  /** Looks at the network anew: addresses, relays, paths. */
  networkChanged(why: string): void {
    this.#deps.magicsock.handleNetworkChange(why, true)
  }

  /** What held everything back is gone: the server and the relays are tried at once. */
  networkIsBack(why: string): void {
    this.#deps.control.reconnect(why)
    this.networkChanged(why)
  }

  /** Speaks with control anew. */
  reconnectControl(why: string): void {
    this.#deps.control.reconnect(why)
  }

  /** Lets go of control until the next login, edit or start; the tunnels stay up. */
  disconnectControl(): void {
    this.policy.assertMayLeave()
    this.#deps.env.journal.add({ part: 'backend', kind: 'control-left', why: 'a person asked to leave the server while the tunnels stay up' })
    this.#login.pause()
  }

  /** Turns the exit node that was last in use on or off; throws EngineError('not-found') when there is none. */
  useExitNode(enabled: boolean): Prefs {
    const mask = exitNodeMask(this.#model.saved.prefs, enabled)
    return mask ? this.editPrefs(mask) : this.#model.saved.prefs
  }

  /** Where a connection to a host goes: into the tunnel, past it, or nowhere. */
  dialPlan(host: string, port: number): Promise<ProxyAnswer> {
    return this.#proxy.plan(host, port)
  }

  /** Who resolves names. */
  get dns(): DnsResolverPort {
    return this.#deps.dns
  }

  /** Writes a marker with what matters now into the journal and answers it. */
  bugReport(note: string, diagnose: boolean): string {
    return this.#bugReports.mark(note, diagnose)
  }

  /** Tells watchers: for the slice above, and for trying watchers out. */
  sendNotify(part: Partial<Notify>): void {
    this.#bus.emit(part)
    // What is known of an exit node hangs on it.
    if (part.Machine) this.exitNodes.refresh()
  }

  ping(ip: string, type: PingType, sizeBytes: number): Promise<PingResult> {
    return ping({ clock: this.#deps.env.clock, model: this.#model, dataplane: this.#deps.dataplane, magicsock: this.#deps.magicsock }, ip, type, sizeBytes)
  }

  /** Whether packets to the device behind `ip` go directly, known after `timeoutMs` at the latest; undefined: there is none. */
  async waitDirect(ip: string, timeoutMs: number): Promise<boolean | undefined> {
    const node = pingedNode(this.#model, ip)
    return node && this.#directWaits.wait(node.Key as NodePublicKey, timeoutMs)
  }

  /** What the network here lets through, and which relay is home. */
  get network(): NetworkPort {
    return this.#deps.magicsock
  }

  /** Adds a watcher; its first message, if the mask asks for one, is written before this returns. */
  watch(mask: number, sink: WatchSink): Watcher {
    return this.#watching.watch(mask, sink)
  }

  /** Another disco key from here on: the server tells it to the peers. */
  rotateDiscoKey(): void {
    this.profiles.save({ ...this.#model.saved, discoKey: PrivateKey.fromRandom(this.#deps.env.random.bytes(32)) })
    this.pushWants()
    this.networkChanged('asked by a person: another disco key')
  }

  /** Tells control what this device is; does nothing when it knows. */
  pushWants(): void {
    const { control, magicsock, hostinfo } = this.#deps
    magicsock.setDiscoKey(this.#model.saved.discoKey)
    magicsock.setStaticEndpoints(this.config.staticEndpoints)
    control.set({ hostinfo: hostinfoOf(hostinfo(), this.#model), endpoints: this.#model.endpoints, discoKey: magicsock.discoKey })
  }

  /** What signing in and the map may do to the rest. */
  #knot(): Knot {
    return {
      advance: (event) => this.#advance(event),
      save: (saved, wipe) => void this.profiles.save(saved, wipe),
      takePrefs: (prefs) => this.#takePrefs(prefs),
      emit: (part) => this.#bus.emit(part),
      pushWants: () => this.pushWants(),
      applyAgain: () => this.#apply(),
      planAgain: () => void (carries(this.#model.life) && this.#apply()),
      refreshWarnings: () => this.#refreshWarnings(),
      noteStoreProblems: () => this.#noteStoreProblems(),
    }
  }

  #prefsContext(): PrefsContext {
    return { self: this.#model.netMap?.self, knowsUser: this.#deps.knowsUser }
  }

  #onControlState(state: ControlState): void {
    this.#model.control = state
    if (state.kind === 'lost') this.#model.loss = state
    else if (state.kind !== 'working') this.#model.loss = undefined
    const tell = this.#login.handleControlState(state)
    this.session.handleState(state)
    const before = this.#model.life.name
    this.#advance({ kind: 'control', state: state.kind })
    if (tell && before === this.#model.life.name) this.#bus.emit({ State: STATE_NUMBER[before] })
  }

  #noteStoreProblems(): void {
    const known = this.#model.storeProblems.length
    this.#model.storeProblems = this.#deps.store.problems().map((problem) => {
      const used = problem.usedFromMs === undefined ? 'There was no good copy, so it starts empty' : `The copy of ${new Date(problem.usedFromMs).toISOString()} is used`
      return `The ${problem.name} file was damaged. ${used}; the damaged file is kept at ${problem.keptAside}.`
    })
    for (const why of this.#model.storeProblems.slice(known)) this.#deps.env.journal.add({ part: 'store', kind: 'damaged', why })
  }

  #takePrefs(wanted: Prefs): void {
    const prefs = settleExitNode(this.policy.settle(wanted), this.#model.netMap)
    const fields = changedFields(this.#model.saved.prefs, prefs)
    if (fields.length === 0) return
    this.profiles.save({ ...this.#model.saved, prefs })
    this.#deps.env.journal.add({ part: 'backend', kind: 'prefs', why: `changed: ${fields.join(', ')}`, fields })
    const wasCarrying = carries(this.#model.life)
    this.#advance({ kind: 'prefs', wantRunning: prefs.WantRunning, loggedOut: prefs.LoggedOut })
    this.#bus.emit({ Prefs: this.#model.saved.prefs })
    this.pushWants()
    if (wasCarrying && carries(this.#model.life)) this.#apply()
  }

  #takeExtras(extras: Extras): void {
    const before = this.extras
    const fields = (Object.keys(extras) as (keyof Extras)[]).filter((field) => JSON.stringify(before[field]) !== JSON.stringify(extras[field]))
    if (fields.length === 0) return
    this.profiles.save({ ...this.#model.saved, extras })
    this.#deps.env.journal.add({ part: 'backend', kind: 'extras', why: `changed: ${fields.join(', ')}`, fields })
    this.#bus.emit({ Extras: this.extras })
    this.#feature.changed()
    if (carries(this.#model.life)) this.#apply()
  }

  /** Takes an event into the life; a change of name is told, a change of what may flow is applied. */
  #advance(event: LifecycleEvent): void {
    const before = this.#model.life
    const after = next(before, event)
    this.#model.life = after
    if (before.name !== after.name) {
      this.#deps.env.log.info(`${before.name} → ${after.name} (${event.kind})`)
      this.#deps.env.journal.add({ part: 'backend', kind: 'state', why: `after ${event.kind}`, from: before.name, to: after.name })
      this.#bus.emit({ State: STATE_NUMBER[after.name] })
      if (after.name === 'Running') this.#login.handleTold()
    }
    const isLeft = this.#model.netMap === undefined && this.#model.plan !== EMPTY_PLAN
    if (after.name !== 'NoState' && (carries(after) !== after.applied || isLeft)) this.#apply()
    this.#syncDoors()
    this.#refreshWarnings()
    this.adoption.note()
  }

  #apply(): void {
    const { life, netMap, saved } = this.#model
    const on = carries(life) && netMap !== undefined && saved.nodeKey !== undefined
    const plan = on ? this.#planner.plan(netMap, this.#planPrefs(), serverNowMs(this.#deps.env.clock, this.#model), this.#model.system) : this.#planner.resting(netMap, this.#planPrefs())
    if (plan.problems.length > 0 && plan.problems !== this.#model.plan.problems) {
      this.#deps.env.journal.add({ part: 'filter', kind: 'problem', why: plan.problems[0]!, count: plan.problems.length })
    }
    const newAddresses = on && plan.dataplane.selfAddresses !== this.#model.plan.dataplane.selfAddresses
    this.#model.plan = plan
    this.routes.note(plan)
    this.offers.note()
    const plainHttp = this.#deps.derpPlainHttp || (on && relaysArePlain(saved.nodeKeyUrl, netMap.derpMap))
    this.#applier.apply({ plan, privateKey: on ? saved.nodeKey : undefined, publicKey: on ? publicNodeKey(this.#model) : undefined, plainHttp, knobs: on ? knobsOf(netMap.self) : NO_KNOBS })
    this.#syncDoors()
    if (newAddresses) this.pushWants()
    this.#exit.refresh()
    this.#feature.planned()
    if (life.applied !== on) this.#advance({ kind: 'applied', on })
  }

  /** What programs of this computer use follows what the network is now. */
  #syncDoors(): void {
    this.proxies.sync()
    this.forwards.sync()
  }

  #planPrefs(): Parameters<Planner['plan']>[1] {
    const { netMap, saved: { prefs, extras } } = this.#model
    return { skippedRoutes: extras.SkippedRoutes, outside: netMap ? outsidePlaces(prefs.ControlURL, netMap.derpMap) : [], acceptRoutes: prefs.RouteAll, acceptDns: prefs.CorpDNS, ...this.#exit.planning(), shieldsUp: prefs.ShieldsUp, advertiseRoutes: prefs.AdvertiseRoutes ?? [], relayServer: relayServerWish(prefs) }
  }

  #refreshWarnings(): void {
    const { clock } = this.#deps.env
    // It may read files of its own, and meet a damaged one.
    this.#feature.changed()
    if (this.#deps.store.problems().length > this.#model.storeProblems.length) this.#noteStoreProblems()
    this.#deps.health.setGroup('backend', {
      ...warningsOf(this.#model, clock.nowMs(), clock.wallMs()),
      ...networkWarnings(this.#model, this.#deps.derp, this.#deps.hasNetwork),
      ...exitNodeWarnings(this.#model, this.#deps.health),
      ...this.offers.warnings(),
    })
    this.#deps.health.setMessages(messagesOf(this.#model))
    this.session.refresh()
    this.#exit.refresh()
    this.exitNodes.refresh()
    this.#watching.refresh()
  }
}
