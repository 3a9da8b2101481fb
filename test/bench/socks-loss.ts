/**
 * `socks-loss`: TCP through the tunnel in userspace mode over a link with a round trip of 20 ms and independent loss each
 * way. Both ends are ours, beside both ends tailscaled, with the same random series in each pair. `ceiling` is what the
 * link itself carries with that delay and no loss.
 */
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { LossLab } from './loss-lab.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'
import { measure, printCeiling, type Mover } from './transfers.ts'

const ROUND_TRIP_MS = 20
const CEILING_BYTES = 4e8

/** Bytes per run: some seconds at the rates of a good sender, so that all pairs fit into ten minutes. */
const CASES = [
  { lossPercent: 0.1, bytes: 15e6 },
  { lossPercent: 1, bytes: 3e6 },
] as const

export async function benchSocksLoss({ pairs, full }: BenchOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('socks-loss makes network namespaces and needs root')
  const lab = new LossLab(requirePeers())
  try {
    await lab.start()
    await lab.setLink({ delayMs: ROUND_TRIP_MS / 2, lossPercent: 0, seed: 1 })
    const ceiling = await printCeiling('the link without loss', (verb) => lab.transfer(verb, undefined, lab.bareHost, CEILING_BYTES))
    const sides = {
      ours: { client: await lab.join('bowline', 'o-client', 'a'), server: await lab.join('bowline', 'o-server', 'b') },
      peer: { client: await lab.join('tailscaled', 'p-client', 'a'), server: await lab.join('tailscaled', 'p-server', 'b') },
    }
    const move: Mover = (verb, from, host, bytes) => lab.transfer(verb, from, host, bytes)
    for (const { client, server } of Object.values(sides)) {
      await client.waitUsable(server)
      await client.waitDirect(server)
    }
    for (const { lossPercent, bytes } of CASES) {
      for (const verb of ['get', 'put'] as const) {
        const one = async ({ client, server }: { client: LabNode; server: LabNode }, pair: number): Promise<Sample> => {
          await client.waitDirect(server)
          await lab.setLink({ delayMs: ROUND_TRIP_MS / 2, lossPercent, seed: pair + 7 })
          try {
            return await measure(move, verb, client, server, full ? bytes * 4 : bytes)
          } finally {
            await lab.setLink({ delayMs: ROUND_TRIP_MS / 2, lossPercent: 0, seed: 1 })
          }
        }
        const row = await compare({
          name: `loss${lossPercent}-${verb === 'get' ? 'down' : 'up'}`,
          better: 'higher',
          unit: 'Gb/s',
          pairs,
          ours: (pair) => one(sides.ours, pair),
          peer: (pair) => one(sides.peer, pair),
          extra: { ceiling: ceiling[verb] },
        })
        print(row)
      }
    }
    const dropped = (await lab.linkCounts()).reduce((sum, way) => sum + way.overflowed, 0)
    if (dropped > 0) console.error(`the link dropped ${dropped} packets for want of room`)
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
