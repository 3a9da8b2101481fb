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
import type { MapResponse } from '../../main/engine/core/tailcfg/types.ts'
import { pause, within } from '../support/wait.ts'
import { device, ManyPeers } from './many-peers.ts'
import type { BenchOptions } from './options.ts'
import { print, round, rowOf } from './row.ts'

const PASS = { full: 1, delta: 2, heap: 80, storm: 100 } as const
const MANY = 10_000
const DELTAS = 400
/** Before the count begins, so that what is measured is compiled. */
const WARM_DELTAS = 100
const STORM_SEC = 60
const STORM_TICK_MS = 10

/** What one delta costs: processor ms of the engine's one JavaScript thread, from the wire to the bus, and ms from here and back. */
async function deltaCost(bench: ManyPeers, base: number): Promise<{ cpuMs: number; roundTripMs: number }> {
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
async function storm(bench: ManyPeers): Promise<{ p99Ms: number; maxMs: number; growthMb: number; sent: number; heard: number; watching: boolean }> {
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

async function withBench<T>(count: number, work: (bench: ManyPeers) => Promise<T>): Promise<T> {
  const bench = new ManyPeers(Array.from({ length: count }, (_, i) => device(i + 2)))
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
