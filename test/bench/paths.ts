/**
 * `paths`: how soon paths are found, left and found again, in the NAT lab: two of ours beside two tailscaleds, everybody
 * behind an easy NAT of its own, 40 ms round trip between any two sites, one relay nearest to all. Seconds.
 *
 *   easy-direct      first packet between two that never met → direct; new nodes each time
 *   relay-failover   UDP of one side vanishes without a word, under traffic → first answer through the relay
 *   rebind-gap       the local address becomes another under a TCP stream; the longest time without an answer
 *   wake             all frozen for 60 s at once and resumed → first answer
 *
 * `p95` and `peer_p95` stand beside the medians. Linux, root.
 */
import { fileURLToPath } from 'node:url'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { NatLab } from '../natlab/nat-lab.ts'
import type { Site } from '../natlab/networks.ts'
import { timeToAnswer, timeToDirect, waitKnowsItself } from '../natlab/time-to-direct.ts'
import type { Beat } from '../support/beat.ts'
import { Child } from '../support/child.ts'
import { pause, waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, round, rowOf, type Sample } from './row.ts'

/** One way, on each site's line: 40 ms there and back between two sites. */
const LINE = { delayMs: 10 } as const
const FAR_RELAY_MS = 20
const GIVE_UP_MS = 20_000
/** How long a pair may take to be ready for the next run. */
const PATIENCE_MS = 120_000
const FROZEN_MS = 60_000
const WAKES = 5
const FULL_RUNS = 30
/** How long after a change of addresses the stream is watched. */
const WATCHED_MS = 6000
const beatScript = fileURLToPath(new URL('../support/beat.ts', import.meta.url))

/** Two nodes of a kind that talk to each other, each at a site of its own. */
interface Pair {
  readonly near: LabNode
  readonly far: LabNode
  readonly site: Site
}

const KINDS = { ours: 'bowline', peer: 'tailscaled' } as const
type Side = keyof typeof KINDS

export async function benchPaths({ pairs, full }: BenchOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('paths makes network namespaces and needs root')
  const runs = full ? FULL_RUNS : pairs
  const lab = new NatLab(requirePeers())
  try {
    // Whether two happen to have the same home relay would make more of a difference than the program.
    await lab.start({ farRelayMs: FAR_RELAY_MS })
    await easyDirect(lab, runs)
    const both = { ours: await joinPair(lab, 'bowline', 'o'), peer: await joinPair(lab, 'tailscaled', 'p') }
    await relayFailover(both, runs)
    await wake(both, full ? FULL_RUNS : WAKES)
    // Last: a tailscaled whose address has changed some times may not answer for half a minute.
    await rebindGap(both, runs)
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}

async function joinPair(lab: NatLab, kind: NodeKind, name: string): Promise<Pair> {
  const sites = await Promise.all(['near', 'far'].map(() => lab.networks.add('easy', LINE)))
  const [near, far] = await Promise.all(sites.map((site, i) => lab.join(kind, `${name}-${i === 0 ? 'near' : 'far'}`, site, { ephemeral: true })))
  await Promise.all([waitKnowsItself(near!, sites[0]!.address), waitKnowsItself(far!, sites[1]!.address)])
  return { near: near!, far: far!, site: sites[0]! }
}

/** Seconds of something measured; what never came counts as the whole time that was waited. */
function seconds(ms: number | undefined): Sample {
  return { value: (ms ?? GIVE_UP_MS) / 1000 }
}

async function easyDirect(lab: NatLab, pairs: number): Promise<void> {
  let count = 0
  const meet = async (kind: NodeKind): Promise<Sample> => {
    const { near, far } = await joinPair(lab, kind, `e${count++}-${kind[0]}`)
    const tookMs = await timeToDirect(near, far, GIVE_UP_MS)
    await Promise.all([near, far].map((node) => node.api.logout().catch(() => undefined)))
    await Promise.all([near.stop(), far.stop()])
    return seconds(tookMs)
  }
  await inTurns('easy-direct', pairs, (side) => meet(KINDS[side]))
}

async function relayFailover(both: Record<Side, Pair>, pairs: number): Promise<void> {
  const fail = async ({ near, far, site }: Pair): Promise<Sample> => {
    await near.waitDirect(far, PATIENCE_MS)
    const { v4 } = await far.ips()
    const traffic = setInterval(() => void near.api.ping(v4, 'TSMP').catch(() => undefined), 100)
    await pause(1500)
    await site.line?.set({ udp: 'none' })
    const tookMs = await timeToAnswer(near, v4, GIVE_UP_MS)
    clearInterval(traffic)
    await site.line?.set({ udp: 'both' })
    return seconds(tookMs)
  }
  await inTurns('relay-failover', pairs, (side) => fail(both[side]))
}

async function rebindGap(both: Record<Side, Pair>, pairs: number): Promise<void> {
  const change = async (pair: Pair, run: number): Promise<Sample> => {
    await pair.near.waitDirect(pair.far, PATIENCE_MS)
    const stream = await openStream(pair)
    try {
      await pause(1000)
      const changedMs = Date.now()
      await changeAddress(pair.site, run)
      await waitFor('the stream to go on', () => {
        const beats = stream.beats()
        return Date.now() - changedMs > WATCHED_MS && (beats.at(-1)?.atMs ?? 0) > Date.now() - 500
      }, { withinMs: 60_000, everyMs: 50 })
      return { value: Math.max(...stream.beats().filter(({ atMs }) => atMs > changedMs).map(({ gapMs }) => gapMs)) / 1000 }
    } finally {
      await stream.stop()
    }
  }
  await inTurns('rebind-gap', pairs, (side, run) => change(both[side], run))
}

/** A TCP stream through the tunnel with a beat every 10 ms. */
async function openStream({ near, far }: Pair): Promise<{ beats: () => { atMs: number; gapMs: number }[]; stop: () => Promise<void> }> {
  const { v4 } = await far.ips()
  const server = new Child({ name: 'echo', command: process.execPath, args: [beatScript, 'serve', '127.0.0.1'], prefix: far.prefix })
  const port = await waitFor('the echo', () => (server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined), { withinMs: 30_000 })
  const client = new Child({ name: 'beat', command: process.execPath, args: [beatScript, 'beat', String(near.socksPort), v4, String(port), '10'], prefix: near.prefix })
  const beats = (): { atMs: number; gapMs: number }[] => {
    client.assertRunning()
    const lines = client.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Beat)
    return lines.map((line) => {
      if ('closed' in line) throw new Error(`the stream ended: ${line.closed}`)
      return line
    })
  }
  await waitFor('the stream', () => beats().length > 3, { withinMs: 30_000 })
  return { beats, stop: async () => void (await Promise.all([client.stop(), server.stop()])) }
}

/** Another address of the same LAN, as after a new lease. */
async function changeAddress(site: Site, run: number): Promise<void> {
  const old = /inet (10\.(\d+)\.0\.\d+)\/24/.exec(await site.ip('-4', 'addr', 'show', 'dev', 'eth0'))
  if (old === null) throw new Error('the host has no address of its LAN')
  const [, address, number] = old
  await site.ip('addr', 'del', `${address}/24`, 'dev', 'eth0')
  await site.ip('addr', 'add', `10.${number}.0.${20 + (run % 200)}/24`, 'dev', 'eth0')
  await site.ip('route', 'add', 'default', 'via', `10.${number}.0.1`)
}

/** All are frozen and resumed together, so both programs are measured in the same moments. */
async function wake(both: Record<Side, Pair>, runs: number): Promise<void> {
  const samples: Record<Side, Sample[]> = { ours: [], peer: [] }
  const nodes = Object.values(both).flatMap(({ near, far }) => [near, far])
  const ips = { ours: (await both.ours.far.ips()).v4, peer: (await both.peer.far.ips()).v4 }
  for (let run = 0; run < runs; run++) {
    for (const { near, far } of Object.values(both)) await near.waitUsable(far, PATIENCE_MS)
    for (const node of nodes) node.child.signal('SIGSTOP')
    await pause(FROZEN_MS)
    for (const node of nodes) node.child.signal('SIGCONT')
    const first = async (side: Side): Promise<Sample> => seconds(await timeToAnswer(both[side].near, ips[side], GIVE_UP_MS))
    const [ours, peer] = await Promise.all([first('ours'), first('peer')])
    samples.ours.push(ours)
    samples.peer.push(peer)
    console.error(`wake ${run + 1}/${runs}: ours ${round(ours.value)} peer ${round(peer.value)} s`)
  }
  print(rowOf({ name: 'wake', better: 'lower', unit: 's', tails: true }, samples.ours, samples.peer))
}

async function inTurns(name: string, pairs: number, measure: (side: Side, run: number) => Promise<Sample>): Promise<void> {
  print(await compare({ name, better: 'lower', unit: 's', tails: true, pairs, ours: (run) => measure('ours', run), peer: (run) => measure('peer', run) }))
}
