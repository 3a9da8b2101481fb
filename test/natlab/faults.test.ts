/**
 * Faults of lines: loss, a path that swallows large packets without a word, and two ends that can never meet. Nodes of ours
 * beside a tailscaled; what is moved is compared whole.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode } from '../interop/lab/node.ts'
import type { Result } from '../support/byte-peer.ts'
import { Child, runOk } from '../support/child.ts'
import { pause, waitFor } from '../support/wait.ts'
import { NatLab } from './nat-lab.ts'
import type { LineOptions, SiteKind } from './networks.ts'
import { waitKnowsItself } from './time-to-direct.ts'

const bytePeer = fileURLToPath(new URL('../support/byte-peer.ts', import.meta.url))
/** How long two hard NATs are watched. */
const WATCHED_MS = 120_000
/** Asked one by one over a lossy line; each is one packet there and one back. */
const PINGS = 100

const lab = new NatLab(requirePeers())

beforeAll(async () => {
  await lab.start()
  // Everybody's TCP to relays and control fits through narrow lines, as behind routers that see to it.
  await runOk('nft', ['table inet clamp { chain through { type filter hook forward priority 0; tcp flags syn tcp option maxseg size set 1100; }; }'], { prefix: lab.networks.internet })
}, 120_000)
afterAll(() => lab.stop(), 120_000)

let joining: Promise<unknown> = Promise.resolve()

/** One pair after the other: the tests run side by side. */
function joinTwo(...pair: Parameters<typeof joinPair>): Promise<[LabNode, LabNode]> {
  const joined = joining.then(() => joinPair(...pair))
  joining = joined.catch(() => undefined)
  return joined
}

async function joinPair(kinds: readonly [LabNode['kind'], LabNode['kind']], label: string, at: SiteKind, lines: readonly [LineOptions, LineOptions]): Promise<[LabNode, LabNode]> {
  const nodes = await Promise.all(kinds.map(async (kind, end) => {
    const site = await lab.networks.add(at, lines[end]!)
    const node = await lab.join(kind, `${label}-${end}`, site)
    await waitKnowsItself(node, site.address)
    return node
  }))
  return [nodes[0]!, nodes[1]!]
}

/** Path changes of a node since `afterSeq`, oldest first, as the kinds of path it went to. */
async function pathChanges(node: LabNode, afterSeq = 0): Promise<{ seq: number; to: string }[]> {
  const reply = await node.api.call('GET', `bowline/journal?n=5000&after=${afterSeq}`)
  const { events } = JSON.parse(reply.text) as { events: { seq: number; part: string; kind: string; to?: { kind: string } }[] }
  return events.filter(({ part, kind }) => part === 'path' && kind === 'path').map(({ seq, to }) => ({ seq, to: to?.kind ?? '' }))
}

/** Moves bytes from one node to the other through the tunnel and back, and compares all of them. */
async function moveBothWays(from: LabNode, to: LabNode, bytes: number, timeoutMs: number): Promise<void> {
  const { v4 } = await to.ips()
  const server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', '127.0.0.1', '0'], prefix: to.prefix })
  try {
    const port = await waitFor('the byte server', () => (server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined), { withinMs: 30_000 })
    for (const verb of ['put', 'get'] as const) {
      const words = [verb, 'socks5', from.socksPort, v4, port, bytes, 'hash'].map(String)
      const result = JSON.parse(await runOk(process.execPath, [bytePeer, ...words], { prefix: from.prefix, timeoutMs })) as Result
      expect(result).toMatchObject({ bytes, sha256: result.expected })
      console.log(`${from.name} → ${to.name}: ${verb} of ${bytes} bytes in ${result.seconds.toFixed(1)} s`)
    }
  } finally {
    await server.stop()
  }
}

test.concurrent.each([1, 5])('with %i in a hundred packets lost each way a direct path is found, kept and used', { timeout: 240_000 }, async (lossPercent) => {
  const [near, far] = await joinTwo(['bowline', 'bowline'], `loss${lossPercent}`, 'easy', [{ delayMs: 10, lossPercent }, { delayMs: 10 }])
  await near.waitUsable(far)
  await near.waitDirect(far, 60_000)
  const since = (await pathChanges(near)).at(-1)?.seq ?? 0
  await moveBothWays(near, far, 1_000_000, 120_000)
  const { v4 } = await far.ips()
  const answers: Promise<boolean>[] = []
  while (answers.length < PINGS) {
    answers.push(near.api.ping(v4, 'TSMP').then(({ Err }) => Err === '', () => false))
    await pause(200)
  }
  expect((await Promise.all(answers)).filter(Boolean).length).toBeGreaterThan(PINGS / 2)
  // A path in doubt is used beside the relay; it is given up only when nothing comes any more.
  expect((await pathChanges(near, since)).filter(({ to }) => to === 'relay')).toEqual([])
  await near.waitDirect(far, 60_000)
})

test.concurrent.each([
  ['bowline', 'bowline'],
  ['bowline', 'tailscaled'],
] as const)('large packets get through from %s to %s where all over 1280 bytes vanish without a word', { timeout: 240_000 }, async (a, b) => {
  const [near, far] = await joinTwo([a, b], `narrow-${b[0]}`, 'easy', [{ delayMs: 5, mtu: 1280 }, { delayMs: 5, mtu: 1280 }])
  await near.waitUsable(far)
  const { v4 } = await far.ips()
  await waitFor('the narrow path to be known', async () => {
    // Nothing is looked for without traffic.
    void near.api.ping(v4, 'TSMP').catch(() => undefined)
    return (await near.api.call('GET', `bowline/path?peer=${v4}`)).text.includes('narrow path')
  }, { withinMs: 60_000 })
  await moveBothWays(near, far, 1_000_000, 120_000)
})

test.concurrent('two hard NATs stay on the relay for two minutes of traffic without a try to leave it', { timeout: 300_000 }, async () => {
  const [near, far] = await joinTwo(['bowline', 'bowline'], 'hard', 'hard', [{}, {}])
  await near.waitUsable(far)
  const { v4 } = await far.ips()
  await waitFor('an answer through the relay', async () => (await near.api.ping(v4, 'TSMP')).Err === '', { withinMs: 60_000 })
  const since = await Promise.all([near, far].map(async (node) => (await pathChanges(node)).at(-1)?.seq ?? 0))
  const until = performance.now() + WATCHED_MS
  const unanswered: string[] = []
  while (performance.now() < until) {
    const { Err } = await near.api.ping(v4, 'TSMP')
    if (Err !== '') unanswered.push(Err)
    await pause(200)
  }
  expect(unanswered).toEqual([])
  for (const [index, node] of [near, far].entries()) expect(await pathChanges(node, since[index])).toEqual([])
})
