/**
 * Builds one engine: the only place where the parts' names meet. Built leaf first; callbacks to what is above are tied last.
 *
 * Several engines may live in one process (the demo, tests): nothing here is shared between them, and nothing is read
 * from the process's environment; `env` is handed in.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Backend } from './backend/backend.ts'
import type { ConfigPort, StorePort } from './backend/ports.ts'
import type { PreflightWorld } from './backend/preflight-ports.ts'
import type { Env } from './base/env.ts'
import { EngineError } from './base/errors.ts'
import { formatAddrPort, type AddrPort } from './base/ip.ts'
import { makeLog, type LogLevel } from './base/log.ts'
import { Control } from './control/control.ts'
import { Dataplane } from './dataplane/dataplane.ts'
import { failureOf } from './control/failure.ts'
import { fetchServerKey, findPortal } from './control/server-key.ts'
import { portalTargets } from './core/netcheck/captive-portal.ts'
import type { DerpMap } from './core/tailcfg/types.ts'
import { tunnelCarrier } from './dataplane/tunnel-carrier.ts'
import { UdpPort } from './dataplane/udp-port.ts'
import { DerpRegions } from './derp/derp-regions.ts'
import { OwnLookup } from './dns/own-lookup.ts'
import { PeerQueries } from './dns/peer-queries.ts'
import { Resolver } from './dns/resolver.ts'
import { DnsServer, isServicePlace } from './dns/serve.ts'
import type { Machine } from './features/machine/machine.ts'
import { makeCourier } from './features/taildrop/send/courier.ts'
import { Taildrop } from './features/taildrop/taildrop.ts'
import type { SurroundingsPort } from './features/trial/ports.ts'
import { trialSlice } from './features/trial/slice.ts'
import { CaptiveWatch } from './health/captive-watch.ts'
import { ClockWatch } from './health/clock-watch.ts'
import type { TaildropNetwork } from './features/taildrop/ports.ts'
import { Health } from './health/health.ts'
import { RelayFaults } from './health/relay-faults.ts'
import { SystemClock } from './io/clock.ts'
import { routerLinkOf } from './core/portmap/router-link.ts'
import { PORT_MAP_SERVICES } from './core/portmap/types.ts'
import { SystemCarrier, systemResolvers, systemSearch } from './io/dns-carrier.ts'
import { readConfigFile, readConfigKey } from './io/config-file.ts'
import { readHostinfo, systemName } from './io/hostinfo.ts'
import { hostsPath, hostsReader } from './io/hosts-file.ts'
import { Http2Connection } from './io/http2.ts'
import { HostKeeper, type HostPort } from './io/host-keeper.ts'
import { watchPower } from './io/host-power.ts'
import { HostProxies } from './io/host-proxies.ts'
import { DiskInbox } from './io/inbox/inbox.ts'
import { JournalFile } from './io/journal-file.ts'
import type { KeyKeeper } from './io/key-keeper.ts'
import { MemoryStore } from './io/memory-store.ts'
import { loadNative } from './io/native.ts'
import { Outside } from './io/outside.ts'
import { PingProgram } from './io/ping-program.ts'
import { MACHINE_POLICY, PolicyFiles } from './io/policy-file.ts'
import { portOwner } from './io/port-owner.ts'
import { probePortal } from './io/portal-probe.ts'
import { systemRandom } from './io/random.ts'
import type { ServerLook } from './io/server-look.ts'
import { askStun } from './io/stun-ask.ts'
import { resolveHost, systemLookup, type Lookup } from './io/resolve.ts'
import { RouterWays } from './io/router-access.ts'
import { SealedStore } from './io/sealed-store.ts'
import { SecretService } from './io/secret-service.ts'
import { StateKeys } from './io/state-keys.ts'
import { lockStateDir } from './io/state-lock.ts'
import { keepMemorySmall, makeBufferSweeper } from './io/memory.ts'
import { makeSources } from './io/outgoing/sources.ts'
import { Spool } from './io/spool.ts'
import { Store } from './io/store.ts'
import { NOTHING_SEEN, seenOnLinux, seenRarely } from './io/surroundings.ts'
import { systemHasIpv6 } from './io/system-ipv6.ts'
import { Wires } from './io/wires.ts'
import { zstdDecompress } from './io/zstd.ts'
import { Magicsock } from './magicsock/magicsock.ts'
import { movingOf } from './moving.ts'
import { Netmon } from './netmon/netmon.ts'
import { carriesFrom, networkState } from './netmon/network-state.ts'
import type { InterfaceAddress, NetworkState } from './netmon/ports.ts'
import { PeerApiListener } from './peerapi/listener.ts'
import { PortMap } from './portmap/portmap.ts'
import { tryPortMap } from './portmap/trial.ts'
import { uidOf } from './server/caller.ts'
import { LocalApiServer } from './server/localapi-server.ts'
import { machineParts, makeMachine, withoutDevice } from './wiring-machine.ts'
import type { DaemonOptions } from '../localapi/daemon-options.ts'
import type { StoragePage } from '../localapi/storage.ts'
import { VERSION } from '../localapi/version.ts'

export interface EngineOptions extends DaemonOptions {
  /** Environment variables by name; the debug switches are read from here. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Takes the place of the machine's own interfaces. */
  readonly interfaces?: () => readonly InterfaceAddress[]
  /** The way to whoever hosts this process, where there is one. */
  readonly hostPort?: HostPort
  /** Takes whole log lines. */
  readonly log?: (line: string) => void
}

export interface RunningEngine {
  readonly socketPath: string
  readonly udpPort: number
  readonly socks5: AddrPort | undefined
  readonly httpProxy: AddrPort | undefined
  /** Why the engine cannot go on; resolves only in that case. */
  readonly failed: Promise<string>
  /** It ends for another engine: what keeps traffic in stays. */
  handleReplaced(): void
  stop(): Promise<void>
}

/** After sleep the first packets go before the handshake with the server, which keeps this thread busy for a tenth of a second. */
const PACKETS_FIRST_MS = 500

const LEVELS: readonly LogLevel[] = ['info', 'debug', 'trace']

/** Starts an engine; when it throws EngineError nothing of it is left. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const stops: (() => void | Promise<void>)[] = []
  const unwind = async (): Promise<void> => {
    for (const stop of stops.splice(0).toReversed()) await stop()
  }
  try {
    return await build(options, stops, unwind)
  } catch (error) {
    await unwind()
    throw error
  }
}

async function build(options: EngineOptions, stops: (() => void | Promise<void>)[], unwind: () => Promise<void>): Promise<RunningEngine> {
  const flag = (name: string): boolean => /^(1|t|true)$/i.test(options.env?.[name] ?? '')
  const clock = new SystemClock()
  const log = makeLog(LEVELS[Math.min(options.verbose, 2)]!, options.log ?? ((line) => process.stderr.write(`${line}\n`)))
  const native = loadNative()
  const { store, stateKeys, journal } = openState(options, clock, log, stops)
  const env: Env = { clock, random: systemRandom, log, journal }
  const wires = new Wires(native.wires)
  // What is built last says which device is ours.
  let ownDevice = (): string => ''
  const readAll = networkReader(options, native.networkState && (() => native.networkState!(wires.way?.mark)))
  const readNetwork = (): NetworkState => withoutDevice(readAll(), ownDevice(), networkState)

  const health = new Health({ clock })
  const clockWatch = new ClockWatch({ env, warnings: health })
  const relayFaults = new RelayFaults({ clock, warnings: health })
  stops.push(() => health.stop(), () => clockWatch.stop(), () => relayFaults.stop())
  const netmon = new Netmon({ env, read: readNetwork, links: native.watchLinks ? { start: native.watchLinks } : undefined })
  const interfaces = (): readonly InterfaceAddress[] => netmon.state.interfaces.filter((one) => one.up !== false)
  const dataplane = new Dataplane({ env, native })
  const parts = machineParts({ env, native, dataplane, wires, busAddress: options.env?.['DBUS_SYSTEM_BUS_ADDRESS'] })
  const pings = new PingProgram({ nowMs: () => clock.nowMs(), path: options.env?.['PATH'] })
  const hostProxies = options.hostPort && new HostProxies(options.hostPort, () => clock.nowMs())
  const carrier = new SystemCarrier(wires)
  const ownNames = (): OwnNames => ('dns' in parts ? parts.dns.own() : { servers: systemResolvers(), search: systemSearch() })
  const lookup = hostLookup({ env, options, wires, carrier, own: ownNames, hasIpv6: () => netmon.state.defaultRoute6 !== undefined })
  // Which server is in use is the backend's to say, and nothing is dialled before it stands.
  const outside = new Outside({ env, wires, lookup, store, variables: options.env ?? {}, server: () => backend.views.prefs().ControlURL, hostProxies })
  const derp = new DerpRegions({ env, dial: relayFaults.watch(outside.dialRelay), carriesFrom: (localIp) => carriesFrom(netmon.state, localIp) })
  const routerAccess = new RouterWays(wires, outside.fetchStraight)
  const portmap = new PortMap({ env, access: routerAccess })
  const setPortMapping = (ways: 'all' | 'no-upnp' | 'off'): void => portmap.setModes({
    off: flag('TS_DISABLE_PORTMAPPER') ? 'switched off for this engine' : ways === 'off' ? 'the server allows no UDP' : undefined,
    services: PORT_MAP_SERVICES.filter((service) => service !== 'upnp' || (ways === 'all' && !flag('TS_DISABLE_UPNP'))),
  })
  const findPortal = async (map: DerpMap, home: number): Promise<boolean | undefined> => {
    const found = await probePortal(portalTargets(map, home, hostOf(backend.views.prefs().ControlURL)), clock.wallMs(), outside.fetchStraight)
    captiveWatch.note(found)
    return found
  }
  const magicsock = new Magicsock({
    env, underlay: dataplane, relay: derp, paths: dataplane, interfaces, resolve: outside.resolve, portMapping: portmap, relaySockets: dataplane,
    netcheck: { portal: findPortal, httpsLatency: (region, timeoutMs) => derp.latencyOf(region, timeoutMs), icmpLatencies: (echoes, timeoutMs) => native.askEcho(echoes, timeoutMs, wires.way), osHasIpv6: systemHasIpv6 },
  })
  const captiveWatch = new CaptiveWatch({ env, warnings: health, look: () => magicsock.netchecker.findPortal(), onThrough: (why) => backend.networkIsBack(why) })
  stops.push(() => captiveWatch.stop())
  const udpPort = udpPortOf(options, env, store, dataplane, magicsock)
  const control = new Control({
    env, dial: outside.dial, http: outside.fetch, noteReached: outside.noteReached, peekDate: outside.peekDate, keptKeys: outside.keptKeys,
    noteServerTime: clockWatch.noteServerTime, http2: (stream, authority) => new Http2Connection(stream, authority), zstd: zstdDecompress,
  })
  const dns = new Resolver({
    env, system: carrier, tunnel: tunnelCarrier(dataplane), secure: outside.secure, systemResolvers: () => ownNames().servers, systemSearch: () => ownNames().search,
    systemLookup: (host) => resolveHost(host, lookup),
  })
  const dnsServer = new DnsServer({ env, resolver: dns })
  const peerQueries = new PeerQueries({ env, resolver: dns, mayAsk: (ip) => backend.facts.dns.mayAskHere(ip) })
  const policy = policyOf(options)
  const backend: Backend = new Backend({
    env, store, preflight: preflightWorld(env, outside, wires), stateKeys, moving: movingOf(native.peerCredentials, outside.trust, () => taildrop), config: configOf(options.configPath), policy, forgetServer: outside.forgetServer, health, control, magicsock, derp, dataplane,
    hostinfo: () => readHostinfo(VERSION, { userspace: !machine.form.hasDevice, userspaceRouter: !machine.form.systemForwards, noLogsNoSupport: options.noLogsNoSupport || flag('TS_NO_LOGS_NO_SUPPORT') }),
    dns, machine: () => machine.page(),
    otherCounters: () => ({ ...peerApi.counters(), ...taildrop.counters(), ...dns.told.counters() }),
    // Where not even loopback is listed, nothing is known of this machine's network.
    hasNetwork: () => netmon.state.interfaces.length === 0 || netmon.state.hasV4 || netmon.state.hasV6,
    whoListens: systemName() === 'linux' ? portOwner : undefined,
    setRandomPort: (on) => udpPort.setRandom(on), setPortMapping,
    knowsUser: systemName() === 'linux' ? (name) => uidOf(name) !== undefined : undefined, version: VERSION, os: systemName(), derpPlainHttp: flag('TS_DEBUG_USE_DERP_HTTP'), ephemeral: options.statePath === 'mem:',
    startDisconnected: options.startDisconnected === true,
  })
  const transferNetwork = taildropNetwork(backend, dataplane)
  const filesDir = filesDirOf(options, stops)
  const spool = new Spool({ dir: join(filesDir, 'spool'), random: systemRandom })
  const passed = makeBufferSweeper()
  const courier = makeCourier({ env, passed, network: transferNetwork, tell: (OutgoingFiles) => backend.sendNotify({ OutgoingFiles }) })
  stops.push(() => courier.close())
  const taildrop = new Taildrop({
    env, store, network: transferNetwork, settings: () => backend.extras.Taildrop, spool, courier, sources: makeSources({ spool: spool.dir }), profileId: () => backend.views.profileId(), profileIds: () => backend.profiles.list().map(({ ID }) => ID), emit: (part) => backend.sendNotify(part),
    inbox: new DiskInbox({ env, passed, setAttribute: native.setFileAttribute }), owner: () => backend.views.owner(), stagedFolder: stagedFolder(filesDir),
    setRule: (id, rule) => void backend.editExtras({ Taildrop: { Senders: { ...backend.extras.Taildrop.Senders, [id]: rule } } }),
  })
  backend.attach(taildrop)
  const machine: Machine = makeMachine({ options, env, store, backend, health, udpPort: () => udpPort.now, flushNames: () => dns.flush() }, parts)
  ownDevice = () => machine.device
  backend.attach(machine)
  const peerApi = new PeerApiListener({ env, directory: { callerAt: (ip) => backend.views.peerAt(ip) }, routes: [peerQueries, ...taildrop.routes] })
  const trial = trialSlice({ env, store, wanted: backend.wanted, surroundings: surroundingsOf(env, backend), machine, backend })
  backend.attach(trial.trials)
  const server = new LocalApiServer({
    env, backend, journal, taildrop, machine, trial, trust: outside.trust, storage: () => storageOf(options, stateKeys), peerCredentials: native.peerCredentials, rights: options.service, dial: (ip, port, timeoutMs) => dataplane.dial(ip, port, timeoutMs),
    tryPortMap: async ({ link = routerLinkOf(netmon.state), only, timeoutMs }, say) => {
      const { port: trialPort, close } = await routerAccess.reservePort()
      await tryPortMap({ env, access: routerAccess }, { link, only, timeoutMs, port: trialPort }, say).finally(close)
    },
  })

  let fail: (why: string) => void = () => {}
  const failed = new Promise<string>((resolve) => (fail = resolve))
  const up = backend.facts
  dns.start(up.dns)
  stops.push(() => dns.stop(), () => dnsServer.close())
  derp.start({
    onDisco: (region, from, bytes) => magicsock.handleRelayed(region, from, bytes),
    onFrames: (region, frames) => dataplane.injectRelayFrames(region, frames),
    onPeerGone: (region, peer) => magicsock.handlePeerGone(region, peer),
    onState: (region, state) => {
      magicsock.handleRelayState(region, state)
      up.onRelayChange()
    },
    onHealth: () => up.onRelayChange(),
  })
  stops.push(() => derp.stop())
  const { port } = dataplane.start({ port: udpPort.first }, {
    ...up.dataplane,
    onUnclaimed: (from, bytes) => magicsock.handleDatagram(from, bytes),
    onRelayFrames: (region, frames) => derp.sendFrames(region, frames),
    onPeerActivity: (peer, kind) => {
      up.dataplane.onPeerActivity(peer, kind)
      magicsock.handlePeerActivity(peer, kind)
      if (kind === 'receiving') taildrop.heard(peer)
    },
    onStray: (from) => {
      const peer = magicsock.peerAt(from)
      if (peer) up.onStray(peer)
    },
    onSendError: (to, code) => {
      magicsock.handleSendError(to, code)
      udpPort.handleSendError(code)
    },
    onInboundStream: (stream) => (isServicePlace(stream.to) ? dnsServer.accept(stream.socket) : peerApi.accept(stream)),
    onEngineDatagram: ({ id, to, bytes }) => {
      if (isServicePlace(to)) void dnsServer.datagram(bytes).then((answer) => answer && dataplane.answerDatagram(id, answer))
    },
    onRelayControl: (from, bytes) => magicsock.relaying.handleServerDatagram(from, bytes),
    onEchoWanted: (id, to) => void pings.ask(to).then((end) => {
      dataplane.answerEcho(id, end === 'answered')
      if (end === 'unable') health.set('echo-not-passed')
      else health.clear('echo-not-passed')
    }),
    onTsmpDiscoKey: (peer, disco) => magicsock.handleTsmpDiscoKey(peer, disco),
    onFailed: (code, message) => {
      up.dataplane.onFailed(code, message)
      machine.handleFailed()
      fail(`${message} (${code})`)
    },
  })
  stops.push(() => dataplane.stop(), () => peerApi.close())
  portmap.start({ onMapping: (external) => magicsock.onPortMapping(external), onServices: () => magicsock.onPortMapServices() })
  stops.push(() => portmap.stop())
  setPortMapping('all')
  portmap.setLink(routerLinkOf(netmon.state))
  udpPort.handleStarted(port)
  stops.push(() => udpPort.stop())
  magicsock.setModes({ alwaysDerp: flag('TS_DEBUG_ALWAYS_USE_DERP'), neverDirectUdp: flag('TS_DEBUG_NEVER_DIRECT_UDP') })
  magicsock.start({
    ...up.magicsock,
    onNetInfo: (info) => {
      derp.setPrefersIpv6(info.WorkingIPv6 === true)
      up.magicsock.onNetInfo(info)
    },
  })
  stops.push(() => magicsock.stop())
  const { socks5, http: httpProxy } = backend.proxies.open({ socks5: options.socks5, http: options.httpProxy, isDefault: options.defaultProxies ?? false })
  outside.setOwnProxies([socks5, httpProxy].flatMap((own) => own ?? []))
  outside.trust.onChange(() => {
    control.reconnect('the certificates to trust were changed', true)
    derp.handleNetworkChange('the certificates to trust were changed')
  })
  magicsock.netchecker.setServerReachable(false)
  control.start({
    ...up.control,
    onState: (state) => {
      magicsock.netchecker.setServerReachable(state.kind === 'running')
      up.control.onState(state)
    },
  })
  stops.push(() => control.stop())
  const tellSystem = (): void => up.onSystem({ interfaces: interfaces(), defaultRoutes: [netmon.state.defaultRoute4, netmon.state.defaultRoute6].filter((route) => route !== undefined) })
  tellSystem()
  let cancelReconnect = (): void => {}
  netmon.start({
    onState: tellSystem,
    onChange: ({ state, why, major, kinds }) => {
      const isSamePlace = kinds.every((kind) => kind === 'wake')
      portmap.setLink(routerLinkOf(state))
      if (major) udpPort.handleNetworkChange(why)
      if (major) dns.flush()
      magicsock.handleNetworkChange(why, major, isSamePlace)
      if (!major) return
      hostProxies?.forget()
      up.onMove(why, isSamePlace)
      taildrop.moved()
      cancelReconnect()
      if (isSamePlace) cancelReconnect = clock.after(PACKETS_FIRST_MS, () => control.reconnect(why))
      else control.reconnect(why)
    },
  })
  stops.push(() => netmon.stop(), () => cancelReconnect())
  if (options.hostPort) watchPower(options.hostPort, (event) => netmon.handlePower(event))
  stops.push(policy.watch(() => backend.policy.reload('the file changed')))
  await backend.unlock()
  machine.start()
  stops.push(() => machine.stop())
  // Nobody is told that the engine is there before traffic is kept in as it was when the last one ended.
  await machine.guarded()
  await server.listen(options.socketPath)
  stops.push(() => server.close())
  stops.push(() => backend.stop())
  stops.push(() => taildrop.stop(), () => trial.trials.stop())
  stops.push(keepMemorySmall(clock, () => log.debug('memory given back', { bytes: native.giveBackMemory() })))
  await backend.open()
  log.info(`ready: serving ${options.socketPath}, UDP port ${port}`, {
    socks5: socks5 && formatAddrPort(socks5), http: httpProxy && formatAddrPort(httpProxy),
  })
  return { socketPath: options.socketPath, udpPort: port, socks5, httpProxy, failed, handleReplaced: () => machine.handleFailed(), stop: unwind }
}

/** Where files of a user lie that nobody has fetched yet. */
function stagedFolder(filesDir: string): (name: string) => string {
  const files = join(filesDir, 'files')
  mkdirSync(files, { recursive: true, mode: 0o700 })
  return (name) => join(files, name)
}

/** What transfers need of the network: the device's map, the way there as people are told it, and connections through the tunnel. */
function taildropNetwork(backend: Backend, dataplane: Dataplane): TaildropNetwork {
  return {
    netMap: () => backend.views.liveMap(),
    pathTo: (node) => {
      const row = backend.views.pathViews.rowsOf([node]).get(node.Key)
      if (!row) return undefined
      if (row.kind === 'direct') return { Kind: 'direct', Via: '' }
      if (row.kind === 'peer-relay') return { Kind: 'peer-relay', Via: row.via ?? '' }
      if (row.kind === 'none') return { Kind: 'unknown', Via: '' }
      // While both ways are tried, only the relay is known to carry.
      return { Kind: 'relay', Via: row.regionCode ?? '' }
    },
    dial: (ip, port, timeoutMs) => dataplane.dial(ip, port, timeoutMs),
  }
}

/** The computer's own resolvers and search domains, without us among them. */
type OwnNames = ReturnType<ConstructorParameters<typeof OwnLookup>[0]['own']>

/** Who finds the addresses of hosts: the system; by its own resolvers, past the tunnel, while the engine has the whole computer. */
function hostLookup(deps: { env: Env; options: EngineOptions; wires: Wires; carrier: SystemCarrier; own: () => OwnNames; hasIpv6: () => boolean }): Lookup {
  const { options, wires, ...rest } = deps
  const own = new OwnLookup({
    ...rest, hosts: hostsReader(hostsPath(process.platform, options.env?.['SystemRoot'])),
    neighbours: (host, family) => systemLookup(host, { all: true, verbatim: true, family }),
  })
  return (host, how) => (wires.way === undefined ? systemLookup(host, how) : own.lookup(host, how.family))
}

/** What a person has on this computer now. */
function surroundingsOf(env: Env, backend: Backend): SurroundingsPort {
  const nowMs = (): number => env.clock.nowMs()
  const seen = systemName() === 'linux' ? seenRarely(() => seenOnLinux(nowMs), nowMs) : () => NOTHING_SEEN
  return {
    look: async () => ({ ...seen(), names: { servers: backend.dns.systemResolvers(), search: backend.dns.systemSearch() } }),
    proxyPorts: () => backend.proxies.ports(),
  }
}

/** What looks at servers before joining go by: the same ways, questions and words as signing in. */
function preflightWorld(env: Env, outside: Outside, wires: Wires): PreflightWorld<ServerLook> {
  return {
    waysTo: outside.lookAt,
    resolve: outside.resolve,
    stun: (address, port, timeoutMs, signal) => askStun(wires, address, port, timeoutMs, signal),
    failureOf,
    trust: outside.trust,
    serverKey: async (url, ways, signal) => {
      let serverMs: number | undefined
      const deps = { env, dial: ways.dial, http: ways.fetch, peekDate: ways.peekDate, noteServerTime: (ms: number) => void (serverMs = ms) }
      const failure = await fetchServerKey(deps, new URL(url), signal).then(() => undefined, (error: unknown) => failureOf(error, new URL(url).host))
      return { ...(failure ? { failure } : {}), ...(serverMs === undefined ? {} : { serverMs }) }
    },
    portal: (url, ways, signal) => findPortal({ http: ways.fetch }, new URL(url), signal),
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}

/** The UDP port that was ours last time is ours again, where nobody named one. */
function udpPortOf(options: EngineOptions, env: Env, store: StorePort, dataplane: Dataplane, magicsock: Magicsock): UdpPort {
  const isPort = (port: unknown): port is number => typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536
  const saved = store.load('udp-port', (text) => {
    const { port } = JSON.parse(text) as { port?: unknown }
    return isPort(port) ? port : undefined
  })
  return new UdpPort({
    env, configured: options.port, saved: saved?.value ?? 0,
    rebind: (ports) => dataplane.rebind(ports),
    save: (port) => store.saveLater('udp-port', () => JSON.stringify({ port })),
    onPort: (port, isNamed) => magicsock.setPort(port, isNamed),
  })
}

/** The state directory, locked, with its journal; or memory alone for "mem:". */
function openState(options: EngineOptions, clock: SystemClock, log: ReturnType<typeof makeLog>, stops: (() => void)[]): { store: StorePort; stateKeys?: StateKeys; journal: JournalFile } {
  const onFailure = (message: string): void => log.warn(`the journal is kept in memory only: ${message}`)
  if (options.statePath === 'mem:') return { store: new MemoryStore(), journal: new JournalFile({ clock, dir: undefined, onFailure }) }
  const store = new Store({
    dir: options.stateDir,
    ...(options.statePath === undefined ? {} : { paths: { state: options.statePath } }),
    clock,
    onLateFailure: (name, message) => log.error(`could not save ${name}`, { message }),
  })
  stops.push(lockStateDir(options.stateDir, { socketPath: options.socketPath, wallMs: clock.wallMs() }))
  const journal = new JournalFile({ clock, dir: journalDir(options), onFailure })
  stops.push(() => journal.flush(), () => store.flush())
  const sealed = new SealedStore({ store, random: systemRandom, sealed: ['state'] })
  const stateKeys = new StateKeys({ store, sealed, random: systemRandom, keepers: keepersOf(options), wanted: options.encryptState })
  return { store: sealed, stateKeys, journal }
}

/** Where files lie that are to be sent or that came in; of an engine that keeps nothing they go with it. */
function filesDirOf(options: EngineOptions, stops: (() => void)[]): string {
  if (options.statePath !== 'mem:') return options.stateDir
  const dir = mkdtempSync(join(tmpdir(), 'bowline-files-'))
  stops.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** "optional:PATH" need not be there. */
function configOf(setting: string | undefined): ConfigPort | undefined {
  if (setting === undefined) return undefined
  const isOptional = setting.startsWith('optional:')
  const path = isOptional ? setting.slice('optional:'.length) : setting
  const read: ConfigPort['read'] = () => readConfigFile(path).catch((error: unknown) => {
    if (isOptional && error instanceof EngineError && error.code === 'not-found') return undefined
    throw error
  })
  return { path, read, readKey: readConfigKey }
}

/** The policy of the whole computer, and under it one that was named at start, which may be that user's own file. */
function policyOf({ policyPath }: EngineOptions): PolicyFiles {
  const machine = systemName() === 'linux' ? [{ path: MACHINE_POLICY }] : []
  return new PolicyFiles([...machine, ...(policyPath === undefined ? [] : [{ path: policyPath, alsoOwner: process.getuid?.() }])])
}

function storageOf(options: EngineOptions, stateKeys: StateKeys | undefined): StoragePage {
  if (!stateKeys) return { Keys: 'memory' }
  const { by, why } = stateKeys.kept
  const State = options.statePath ?? join(options.stateDir, 'state.json')
  return { State, Journal: journalDir(options), Keys: by === 'secret-service' ? 'keyring' : by, ...(why === undefined ? {} : { Why: why }) }
}

const journalDir = (options: EngineOptions): string => options.env?.['TS_LOGS_DIR'] || join(options.stateDir, 'journal')

/** Who may keep the key of the state: the session's keyring, then whoever hosts the engine. */
function keepersOf({ env, hostPort }: EngineOptions): readonly KeyKeeper[] {
  const busAddress = env?.['DBUS_SESSION_BUS_ADDRESS'] ?? ''
  return [...(busAddress === '' ? [] : [new SecretService({ busAddress })]), ...(hostPort ? [new HostKeeper(hostPort)] : [])]
}

/** Where the state of this machine's network comes from: the caller, the add-on, or what Node knows, which is no routes. */
function networkReader(options: EngineOptions, native: (() => Parameters<typeof networkState>[1] & { interfaces: readonly InterfaceAddress[] }) | undefined): () => NetworkState {
  if (options.interfaces) return () => networkState(options.interfaces!())
  if (!native) return () => networkState(nodeInterfaces())
  return () => {
    const { interfaces, ...routes } = native()
    return networkState(interfaces, routes)
  }
}

function nodeInterfaces(): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) => (addresses ?? []).map(({ address, internal }) => ({ name, ip: address.replace(/%.*$/, ''), internal })))
}
