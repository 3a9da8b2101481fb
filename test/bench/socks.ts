/**
 * `socks`: TCP through the SOCKS5 proxy of a node to a service behind another, over a direct path and through a derper.
 * Both ends are ours, beside both ends tailscaled. `ours_vs_tailscaled_peer` is our client with a tailscaled at the far
 * end, in the row's unit: there the tailscaled is the slower half.
 */
import { Lab } from '../interop/lab/lab.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, median, print, round } from './row.ts'
import { measure, printCeiling, type Mover } from './transfers.ts'

const DIRECT_BYTES = 1e9
const RELAYED_BYTES = 1e8
const MIXED_RUNS = 2

interface Pair {
  client: LabNode
  direct: LabNode
  relayed: LabNode
}

/** Waits until traffic from the pair's client takes the paths that the rows name. */
async function settle(pair: Pair, other: Pair): Promise<void> {
  for (const to of [pair, other]) {
    await Promise.all([pair.client.waitUsable(to.direct), pair.client.waitUsable(to.relayed)])
    await pair.client.waitDirect(to.direct)
  }
}

export async function benchSocks({ pairs }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    const make = async (kind: 'bowline' | 'tailscaled', letter: string): Promise<Pair> => ({
      client: await lab.join(kind, `${letter}-client`),
      direct: await lab.join(kind, `${letter}-direct`),
      relayed: await lab.join(kind, `${letter}-relayed`, { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    })
    const ours = await make('bowline', 'o')
    const peer = await make('tailscaled', 'p')
    await Promise.all([settle(ours, peer), settle(peer, peer)])
    const move: Mover = (verb, from, host, bytes) => lab.transfer(verb, from.via(), host, bytes, 'compare')
    const ceiling = await printCeiling('the harness', (verb) => lab.transfer(verb, { kind: 'none' }, '127.0.0.1', DIRECT_BYTES, 'compare'))
    for (const path of ['direct', 'relayed'] as const) {
      const bytes = path === 'direct' ? DIRECT_BYTES : RELAYED_BYTES
      for (const verb of ['get', 'put'] as const) {
        const run = async (from: LabNode, to: LabNode): ReturnType<typeof measure> => {
          await confirmPath(from, to, path)
          return measure(move, verb, from, to, bytes)
        }
        const row = await compare({
          name: `socks-${path === 'direct' ? 'direct' : 'relay'}-${verb === 'get' ? 'down' : 'up'}`,
          better: 'higher',
          unit: 'Gb/s',
          pairs,
          ours: () => run(ours.client, ours[path]),
          peer: () => run(peer.client, peer[path]),
          extra: { ceiling: ceiling[verb] },
        })
        const mixed: number[] = []
        for (let i = 0; i < MIXED_RUNS; i++) mixed.push((await run(ours.client, peer[path])).value)
        print({ ...row, ours_vs_tailscaled_peer: round(median(mixed)) })
      }
    }
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}

/** Makes sure that the next bytes go the way that the row says. */
async function confirmPath(from: LabNode, to: LabNode, path: 'direct' | 'relayed'): Promise<void> {
  if (path === 'direct') {
    await from.waitDirect(to)
    return
  }
  const { v4 } = await to.ips()
  await waitFor(
    `a relayed answer from ${to.name}`,
    async () => {
      const result = await from.api.ping(v4, 'disco')
      if (result.Err !== '' || result.Endpoint !== '') throw new Error(JSON.stringify(result))
      return true
    },
    { withinMs: 20_000 },
  )
}
