/**
 * `netmap`: big maps. A whole engine in a process of its own, a simulated control server in this one.
 *
 *   netmap-full   a first map of 10,000 devices: first byte sent → Running on the bus, in seconds
 *   netmap-heap   the engine's heap with that map, in MB
 *   netmap-delta  400 devices added and removed one by one at 10,000, a window watching: processor ms of the engine's thread for each,
 *                 from the wire to the bus; `at_1000` the same at 1,000; `round_trip_ms` from here to the bus and back
 *   netmap-storm  1,000 deltas a second for 60 s: the 99th percentile of the event loop's lateness, in ms; `growth_mb` of the heap
 *
 * No peer program has these numbers, so `peer` is the value that passes.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MapResponse, Node } from '../../main/engine/core/tailcfg/types.ts'
import { BUS_MASK } from '../../main/localapi/reduce-notify.ts'
import { STATE_NUMBER } from '../../main/localapi/types.ts'
import type { Notify } from '../../main/localapi/types.ts'
import { mapFrame, type MapSession } from '../sim/control/map-session.ts'
import { SimControl } from '../sim/control/sim-control.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { pause, within } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { print, round, rowOf } from './row.ts'

const PASS = { full: 1, delta: 2, heap: 80, storm: 100 } as const
const MANY = 10_000
const DELTAS = 400
/** Before the count begins, so that what is measured is compiled. */
const WARM_DELTAS = 100
const STORM_SEC = 60
const STORM_TICK_MS = 10

const engineModule = fileURLToPath(new URL('./netmap-engine.ts', import.meta.url))

/** An engine process that is signed in to a server whose first map has `count` more devices. */
class Bench {
  readonly #folder = makeTempDir('netmap')
  readonly #count: number
  readonly control: SimControl
  #child: ChildProcess | undefined
  #session: MapSession | undefined
  api!: LocalApi
  fullSec = NaN

  constructor(count: number) {
    this.#count = count
    this.control = new SimControl({ onStream: (session, first) => this.#first(session, first) })
  }

  #firstSentMs = 0

  #first(session: MapSession, first: MapResponse): void {
    this.#session = session
    const peers = Array.from({ length: this.#count }, (_, i) => device(i + 2))
    const frame = mapFrame({ ...first, Peers: peers, UserProfiles: [{ ID: 1, LoginName: 'ada@example.com', DisplayName: 'Ada' }] }, session.zstd)
    this.#firstSentMs = performance.now()
    session.sendBytes(frame)
  }

  async start(): Promise<void> {
    await this.control.start()
    const socketPath = join(this.#folder, 'engine.sock')
    this.api = new LocalApi(socketPath)
    this.#child = fork(engineModule, [join(this.#folder, 'state'), socketPath], { execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await within('the engine to start', 30_000, once(this.#child, 'message'))
    let tell = (): void => {}
    const running = new Promise<void>((done) => (tell = done))
    const end = this.api.watch(2, (notify) => {
      if (notify.State === STATE_NUMBER.Running) tell()
    })
    const AuthKey = this.control.createAuthKey({ login: 'ada@example.com' })
    await this.api.call('start', { body: { AuthKey, UpdatePrefs: { ControlURL: this.control.url, WantRunning: true, Hostname: 'bench' } } })
    await within('the engine to run', 60_000, running)
    this.fullSec = (performance.now() - this.#firstSentMs) / 1000
    end()
  }

  async ask(ask: string): Promise<Record<string, number>> {
    const answer = once(this.#child!, 'message') as Promise<[Record<string, number>]>
    this.#child!.send({ ask })
    return (await within(`an answer to ${ask}`, 30_000, answer))[0]
  }

  send(message: MapResponse): void {
    this.#session!.sendBytes(mapFrame(message, this.#session!.zstd))
  }

  /** Watches as a window does; resolves when the watcher has the whole map. */
  async watch(onNotify: (notify: Notify) => void): Promise<() => void> {
    let tell = (): void => {}
    const first = new Promise<void>((done) => (tell = done))
    const end = this.api.watch(BUS_MASK, (notify) => {
      if (notify.NetMap) tell()
      else onNotify(notify)
    })
    await within('the watcher to have the map', 30_000, first)
    return end
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null) {
      const ended = once(child, 'exit')
      child.send({ ask: 'stop' })
      await Promise.race([ended, pause(5000)])
      child.kill('SIGKILL')
    }
    await this.control.stop()
    removeTempDir(this.#folder)
  }
}

/** A device as Headscale tells of it, with a whole Hostinfo. */
function device(id: number): Node {
  const hex = (salt: string): string => createHash('sha256').update(`${salt}${id}`).digest('hex')
  const addresses = [`100.${64 + (id >> 16)}.${(id >> 8) & 255}.${id & 255}/32`, `fd7a:115c:a1e0::${(id >> 16).toString(16)}:${(id & 0xffff).toString(16)}/128`]
  return {
    ID: id, StableID: String(id), Name: `device-${id}.sim.internal.`, User: 1, Key: `nodekey:${hex('n')}`, Machine: `mkey:${hex('m')}`, DiscoKey: `discokey:${hex('d')}`,
    Addresses: addresses, AllowedIPs: addresses, Endpoints: [`192.0.2.${id & 255}:${1024 + (id % 60000)}`, `10.0.${(id >> 8) & 255}.${id & 255}:41641`], HomeDERP: 1 + (id % 20),
    Hostinfo: {
      IPNVersion: '1.102.5', BackendLogID: hex('l'), OS: 'linux', OSVersion: '6.1.0', Distro: 'debian', DistroVersion: '12.11', DistroCodeName: 'bookworm', Desktop: true,
      Hostname: `device-${id}`, Machine: 'x86_64', GoArch: 'amd64', Services: [{ Proto: 'peerapi4', Port: 40000 + (id % 20000) }, { Proto: 'peerapi6', Port: 40000 + (id % 20000) }],
      NetInfo: { WorkingIPv6: false, OSHasIPv6: true, WorkingUDP: true, WorkingICMPv4: false, UPnP: false, PMP: false, PCP: false, PreferredDERP: 1 + (id % 20), DERPLatency: { '1-v4': id / 1e5, '2-v4': id / 5e4 } },
      Userspace: false, UserspaceRouter: false, StateEncrypted: false,
    },
    Created: '2026-11-22T21:44:17.535229899Z', Cap: 131, Online: id % 3 !== 0, MachineAuthorized: true, CapMap: { 'suggest-exit-node': null },
  }
}

/** What one delta costs: processor ms of the engine's one JavaScript thread, from the wire to the bus, and ms from here and back. */
async function deltaCost(bench: Bench, base: number): Promise<{ cpuMs: number; roundTripMs: number }> {
  let heard = 0
  let wake = (): void => {}
  const end = await bench.watch((notify) => {
    heard += (notify.PeersChanged?.length ?? 0) + (notify.PeersRemoved?.length ?? 0)
    wake()
  })
  const one = async (i: number): Promise<void> => {
    // Every second one removes what the one before added, somewhere in the middle of the list.
    const id = base + 2 + 2 * i
    bench.send(i % 2 === 0 ? { PeersChanged: [device(id)] } : { PeersRemoved: [id - 2] })
    while (heard <= i) await within(`delta ${i} on the bus`, 30_000, new Promise<void>((done) => (wake = done)))
  }
  for (let i = 0; i < WARM_DELTAS; i++) await one(i)
  const before = await bench.ask('cpu')
  const startedMs = performance.now()
  for (let i = WARM_DELTAS; i < WARM_DELTAS + DELTAS; i++) await one(i)
  const roundTripMs = (performance.now() - startedMs) / DELTAS
  const after = await bench.ask('cpu')
  end()
  return { cpuMs: (after['cpuMs']! - before['cpuMs']!) / DELTAS, roundTripMs }
}

/** 1,000 deltas a second: devices that come and go, move and change their relay. */
async function storm(bench: Bench): Promise<{ p99Ms: number; maxMs: number; growthMb: number; sent: number; heard: number; watching: boolean }> {
  let heard = 0
  let watching = true
  const end = await bench.watch((notify) => {
    heard += (notify.PeersChanged?.length ?? 0) + (notify.PeersRemoved?.length ?? 0) + (notify.PeerChangedPatch?.length ?? 0)
    // A watcher that falls behind is let go: then nobody watched the rest.
    if (notify.ErrMessage !== null) watching = false
  })
  const before = await bench.ask('heap')
  await bench.ask('loop-start')
  const startedMs = performance.now()
  let sent = 0
  while (performance.now() - startedMs < STORM_SEC * 1000) {
    const wanted = Math.floor(performance.now() - startedMs)
    for (; sent < wanted; sent++) bench.send(stormMessage(sent))
    await pause(STORM_TICK_MS)
  }
  const { p99Ms, maxMs } = await bench.ask('loop-end')
  const after = await bench.ask('heap')
  end()
  return { p99Ms: p99Ms!, maxMs: maxMs!, growthMb: after['heapMb']! - before['heapMb']!, sent, heard, watching }
}

function stormMessage(n: number): MapResponse {
  const id = 2 + ((n * 7919) % MANY)
  switch (n % 4) {
    case 0:
      return { PeersChangedPatch: [{ NodeID: id, Online: n % 8 === 0 }] }
    case 1:
      return { PeersChangedPatch: [{ NodeID: id, Endpoints: [`198.51.100.${n & 255}:${1024 + (n % 60000)}`], DERPRegion: 1 + (n % 20) }] }
    case 2:
      return { PeersChanged: [{ ...device(id), Online: n % 8 === 2 }] }
    default:
      return n % 8 === 3 ? { PeersChanged: [device(MANY + 2 + (n % 512))] } : { PeersRemoved: [MANY + 2 + ((n - 4) % 512)] }
  }
}

async function withBench<T>(count: number, work: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = new Bench(count)
  try {
    await bench.start()
    return await work(bench)
  } finally {
    await bench.stop()
  }
}

const median = (values: readonly number[]): number => values.toSorted((x, y) => x - y)[values.length >> 1]!

export async function benchNetmap({ pairs }: BenchOptions): Promise<void> {
  const full: number[] = []
  const heap: { value: number; rssMb: number }[] = []
  const delta: { cpuMs: number; roundTripMs: number }[] = []
  const small: { cpuMs: number; roundTripMs: number }[] = []
  for (let run = 0; run < pairs; run++) {
    await withBench(MANY, async (bench) => {
      full.push(bench.fullSec)
      const { heapMb, rssMb } = await bench.ask('heap')
      heap.push({ value: heapMb!, rssMb: rssMb! })
      delta.push(await deltaCost(bench, MANY))
    })
    small.push(await withBench(MANY / 10, (bench) => deltaCost(bench, MANY)))
    const [d, s] = [delta.at(-1)!, small.at(-1)!]
    console.error(`netmap ${run + 1}/${pairs}: full ${round(full.at(-1))} s, heap ${round(heap.at(-1)!.value)} MB, delta ${round(d.cpuMs)} ms (${round(s.cpuMs)} ms at 1,000), there and back ${round(d.roundTripMs)} ms (${round(s.roundTripMs)} ms)`)
  }
  const row = (name: string, unit: string, samples: readonly (number | { value: number; rssMb?: number })[], pass: number, extra?: Record<string, unknown>): void => {
    const ours = samples.map((sample) => (typeof sample === 'number' ? { value: sample } : sample))
    print(rowOf({ name, better: 'lower', unit, ...(extra ? { extra } : {}) }, ours, ours.map(() => ({ value: pass }))))
  }
  row('netmap-full', 's', full, PASS.full)
  row('netmap-heap', 'MB', heap, PASS.heap)
  row('netmap-delta', 'ms', delta.map(({ cpuMs }) => cpuMs), PASS.delta, {
    at_1000: round(median(small.map(({ cpuMs }) => cpuMs))), round_trip_ms: round(median(delta.map(({ roundTripMs }) => roundTripMs))),
    round_trip_ms_at_1000: round(median(small.map(({ roundTripMs }) => roundTripMs))),
  })
  const { p99Ms, maxMs, growthMb, sent, heard, watching } = await withBench(MANY, storm)
  row('netmap-storm', 'ms', [p99Ms], PASS.storm, { max_ms: round(maxMs), growth_mb: round(growthMb), sent, heard, watching })
}
