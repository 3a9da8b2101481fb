/**
 * Every pair of NAT kinds, first met: our node and a tailscaled at the near side, a tailscaled at the far side. Prints the time
 * from the first packet to the first direct answer, and fails where the tailscaled becomes direct and ours does not, or comes
 * more than half as long again later.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import { NatLab } from './nat-lab.ts'
import type { SiteKind } from './networks.ts'

const KINDS: readonly SiteKind[] = ['public', 'easy', 'hard', 'double', 'no-udp']
/** Nobody who is relayed for so long becomes direct without a change of networks. */
const GIVE_UP_MS = 8_000
/** What two runs of the same program differ by, with all nodes on a few cores. */
const NOISE_MS = 400

interface Cell {
  readonly near: SiteKind
  readonly far: SiteKind
  readonly ms: Record<NodeKind, number | undefined>
}

const lab = new NatLab(requirePeers())
const cells: Cell[] = []

beforeAll(() => lab.start(), 60_000)
afterAll(() => lab.stop(), 60_000)

/** Milliseconds from the first packet until an answer came back directly; undefined when none did in time. */
async function timeToDirect(from: LabNode, to: LabNode): Promise<number | undefined> {
  const { v4 } = await to.ips()
  await waitFor(`${from.name} to see ${to.name}`, async () => (await from.peer(to.name))?.Relay !== '', { withinMs: 30_000 })
  const startedMs = performance.now()
  // Real packets through the tunnel make the node look for a path; a ping with nothing behind it is not the same.
  const traffic = setInterval(() => void from.api.ping(v4, 'TSMP').catch(() => {}), 250)
  void from.api.ping(v4, 'TSMP').catch(() => {})
  try {
    while (performance.now() - startedMs < GIVE_UP_MS) {
      const peer = await from.peer(to.name)
      if (peer !== undefined && peer.CurAddr !== '') return performance.now() - startedMs
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return undefined
  } finally {
    clearInterval(traffic)
  }
}

test('ours becomes direct wherever a tailscaled does, and as soon', { timeout: 900_000 }, async () => {
  for (const near of KINDS) {
    for (const far of KINDS) {
      const ms: Record<NodeKind, number | undefined> = { bowline: undefined, tailscaled: undefined }
      const pairs = await Promise.all((['bowline', 'tailscaled'] as const).map(async (kind) => {
        const name = `${kind[0]}-${near}-${far}`
        const [from, to] = await Promise.all([lab.join(kind, `${name}-a`, near), lab.join('tailscaled', `${name}-b`, far)])
        return { kind, from, to }
      }))
      await Promise.all(pairs.flatMap(({ from, to }) => [knowsItself(from, near), knowsItself(to, far)]))
      await Promise.all(pairs.map(async ({ kind, from, to }) => (ms[kind] = await timeToDirect(from, to))))
      await Promise.all(pairs.flatMap(({ from, to }) => [from.stop(), to.stop()]))
      cells.push({ near, far, ms })
      console.log(`${near} → ${far}: ours ${text(ms.bowline)}, tailscaled ${text(ms.tailscaled)}`)
    }
  }
  const worse = cells.filter(({ ms }) => ms.tailscaled !== undefined && (ms.bowline === undefined || ms.bowline > ms.tailscaled * 1.5 + NOISE_MS))
  expect(worse.map(({ near, far, ms }) => `${near} → ${far}: ours ${text(ms.bowline)}, tailscaled ${text(ms.tailscaled)}`)).toEqual([])
})

/** Waits until a node has learnt its address on the internet, as nodes that meet have in general. */
async function knowsItself(node: LabNode, site: SiteKind): Promise<void> {
  if (site === 'no-udp') return
  await waitFor(`${node.name} to know its outer address`, async () => (await node.api.status()).Self?.Addrs?.some((addr) => addr.startsWith('203.0.113.')), { withinMs: 30_000 })
}

function text(ms: number | undefined): string {
  return ms === undefined ? 'relayed' : `direct after ${ms.toFixed(0)} ms`
}
