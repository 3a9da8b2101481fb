/**
 * The network changes under a TCP stream: an engine of ours and a tailscaled go through the same events in the same moment.
 * Prints both; fails where the stream is not whole at the end, where the tailscaled's goes on and ours does not, and where our
 * gap is more than half as long again. Only a stream that both lose is nobody's fault. BOWLINE_LAB_KEEP=DIR keeps logs and journals.
 */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { pause } from '../support/wait.ts'
import { MovingLab, type Gap, type Mover, type Stream } from './link-changes.ts'

/** A stream that does not go on within this time is lost for a person. */
const GIVE_UP_MS = 90_000
/** What two runs of the same program differ by, with all nodes on a few cores: a heartbeat, a step of TCP's back-off. */
const NOISE_MS = 2_000
/** How long things go on after an event has been lived through. */
const AFTER_MS = 4_000

type Lived = Gap & { readonly goesOn: boolean }

const lab = new MovingLab(requirePeers())

beforeAll(() => lab.start(), 120_000)
afterAll(async () => {
  const dir = process.env['BOWLINE_LAB_KEEP']
  if (dir) for (const { node } of lab.movers) keep(dir, node)
  await lab.stop()
}, 120_000)

const { roads } = lab

/** Both on site A with IPv4, whatever the test before left. */
beforeEach(async () => {
  await roads.allowUdp('a', true)
  await roads.inBoth((host) => [...roads.leave('a'), ...roads.move(host, 'a')])
  await Promise.all(lab.movers.map(({ node }) => node.waitUsable(lab.far, 60_000)))
}, 120_000)

/** Does `event` to both, waits until both streams go on or are given up, and prints both. */
async function through(name: string, event: () => Promise<void>): Promise<void> {
  const streams = await Promise.all(lab.movers.map((mover) => lab.stream(mover)))
  await Promise.all(lab.movers.map((mover) => direct(mover)))
  await pause(1_000)
  const startedMs = Date.now()
  await event()
  const doneMs = Date.now()
  const [ours, theirs] = (await Promise.all(streams.map((stream) => lived(stream, startedMs, doneMs)))) as [Lived, Lived]
  console.log(`${name}: ours ${text(ours)}, tailscaled ${text(theirs)}`)
  const ends = await Promise.all(streams.map((stream) => stream.end()))
  if (ours.goesOn) expect.soft(ends[0], `${name}: what our stream brought`).toMatchObject({ equal: true })
  expect.soft(ours.goesOn || !theirs.goesOn, `${name}: tailscaled's stream goes on, ours does not`).toBe(true)
  if (theirs.goesOn) expect.soft(ours.longestMs, `${name}: the longest gap`).toBeLessThanOrEqual(theirs.longestMs * 1.5 + NOISE_MS)
}

async function lived(stream: Stream, startedMs: number, doneMs: number): Promise<Lived> {
  const goesOn = await stream.movesAgain(doneMs + 200, GIVE_UP_MS)
  if (goesOn) await pause(AFTER_MS)
  return { ...stream.gapSince(startedMs), goesOn }
}

/** Copies a node's log and journal, for people who look for a reason. */
function keep(dir: string, node: LabNode): void {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, `${node.name}.log`), node.log)
  for (const name of readdirSync(node.folder)) if (name.startsWith('journal')) copyFileSync(join(node.folder, name), join(dir, `${node.name}-${name}`))
}

async function direct({ node }: Mover): Promise<void> {
  await node.waitDirect(lab.far, 5_000).catch(() => {})
}

function text({ longestMs, silentMs, goesOn }: Lived): string {
  return goesOn ? `gap ${longestMs} ms (${(silentMs / 1000).toFixed(1)} s without progress in all)` : 'LOST'
}

test('C9: another network with IPv4', { timeout: 300_000 }, async () => {
  await through('IPv4 of site A → IPv4 of site B', () => roads.inBoth((host) => roads.move(host, 'b')))
  await through('IPv4 of site B → IPv4 of site A', () => roads.inBoth((host) => roads.move(host, 'a')))
})

test('C9: IPv4 to IPv6 alone, both, IPv6 alone, and back', { timeout: 600_000 }, async () => {
  await through('IPv4 of site A → IPv6 of site B', () => roads.inBoth((host) => roads.move(host, 'b', '6')))
  await through('IPv6 of site B → both of site A', () => roads.inBoth((host) => roads.move(host, 'a', '46')))
  await through('both → IPv6 alone, on the same site', () => roads.inBoth((host) => [`ip -4 addr flush dev to-a`, `: ${host}`]))
  await through('IPv6 of site A → IPv4 of site B', () => roads.inBoth((host) => roads.move(host, 'b')))
  await through('IPv4 of site B → IPv4 of site A', () => roads.inBoth((host) => roads.move(host, 'a')))
})

test('T5: another address on the same network', { timeout: 300_000 }, async () => {
  for (const last of [31, 41, 51]) {
    await through('another address', () => roads.inBoth((host) => ['ip addr flush dev to-a', ...roads.join(host, 'a', '4', last + (host === 'm1' ? 0 : 1))]))
  }
})

test('C13: the NAT forgets, and gives other ports', { timeout: 300_000 }, async () => {
  await through('NAT with other ports', () => roads.rebindNat('a', '30000-39999'))
  await through('NAT with the usual ports again', () => roads.rebindNat('a', ''))
})

test('C5: UDP is blocked in the middle, and let through again', { timeout: 300_000 }, async () => {
  await through('UDP blocked', () => roads.allowUdp('a', false))
  await through('UDP let through', () => roads.allowUdp('a', true))
})

test('C4: the relay restarts under a relayed stream', { timeout: 300_000 }, async () => {
  await roads.allowUdp('a', false)
  await through('relay restarted', async () => {
    await lab.derper.stop('kill')
    await lab.derper.resume()
  })
  await roads.allowUdp('a', true)
})

test('C1, C2: control is away while the network changes, and comes back', { timeout: 300_000 }, async () => {
  await through('control killed for 5 s', async () => {
    await lab.headscale.stop('kill')
    await pause(5_000)
    await lab.headscale.resume()
  })
  await lab.headscale.stop('kill')
  await through('another network without control', () => roads.inBoth((host) => roads.move(host, 'b')))
  await through('and back', () => roads.inBoth((host) => roads.move(host, 'a')))
  await lab.headscale.resume()
})

test('C12: frozen', { timeout: 600_000 }, async () => {
  for (const seconds of [10, 60]) {
    await through(`frozen for ${seconds} s`, async () => {
      for (const { node } of lab.movers) process.kill(node.pid, 'SIGSTOP')
      await pause(seconds * 1000)
      for (const { node } of lab.movers) process.kill(node.pid, 'SIGCONT')
    })
  }
})

test('C8: the interface flaps fifty times in a minute', { timeout: 600_000 }, async () => {
  await through('50 flaps', () => roads.inBoth((host) => [
    'i=0', 'while [ $i -lt 50 ]; do i=$((i+1))', 'ip link set to-a down', 'sleep 0.4', 'ip link set to-a up',
    `ip route replace default via 10.1.0.1 dev to-a`, 'sleep 0.75', 'done', `: ${host}`,
  ]))
})
