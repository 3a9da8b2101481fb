/**
 * `tun-loss`: TCP over TUN devices and a line with a round trip of 20 ms and independent loss each way. Both ends are ours, beside
 * both ends tailscaled, with the same random series in each pair. `ceiling` is what the line itself carries without loss.
 */
import type { LabNode } from '../interop/lab/node.ts'
import type { Line } from '../natlab/networks.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'
import { inTunLab, type Ends, type TunLab } from './tun-lab.ts'

const DELAY_MS = 10
const CEILING_BYTES = 4e8

/** Bytes per run: some seconds at the rates of a good sender, so that all pairs fit into ten minutes. */
const CASES = [
  { lossPercent: 0.1, bytes: 15e6 },
  { lossPercent: 1, bytes: 4e6 },
] as const

interface Side extends Ends {
  readonly line: Line
}

async function makeSide(lab: TunLab, client: LabNode, letter: string): Promise<Side> {
  const server = await lab.join(client.kind, `${letter}-server`)
  await client.waitUsable(server)
  await client.waitDirect(server)
  return { client, server, line: lab.lineOf(client) }
}

export function benchTunLoss({ pairs, full }: BenchOptions): Promise<void> {
  return inTunLab('tun-loss', async (lab) => {
    const join = (kind: LabNode['kind'], name: string): Promise<LabNode> => lab.join(kind, name, { line: { delayMs: DELAY_MS } })
    const ours = await makeSide(lab, await join('bowline', 'o-client'), 'o')
    const peer = await makeSide(lab, await join('tailscaled', 'p-client'), 'p')
    const ceiling = await lab.printCeiling(peer.client, CEILING_BYTES)
    for (const { lossPercent, bytes } of CASES) {
      for (const verb of ['get', 'put'] as const) {
        const one = async ({ client, server, line }: Side, pair: number): Promise<Sample> => {
          await client.waitDirect(server)
          await line.set({ lossPercent, seed: pair + 7 })
          try {
            return await lab.tcp({ client, server }, verb, (await server.ips()).v4, full ? bytes * 4 : bytes)
          } finally {
            await line.set({ lossPercent: 0, seed: 1 })
          }
        }
        print(await compare({
          name: `loss${lossPercent}-${verb === 'get' ? 'down' : 'up'}`, better: 'higher', unit: 'Gb/s', pairs,
          ours: (pair) => one(ours, pair), peer: (pair) => one(peer, pair), extra: { ceiling: ceiling[verb] },
        }))
      }
    }
    const counts = (await Promise.all([ours, peer].map(({ line }) => line.counts()))).flat()
    const dropped = counts.reduce((sum, way) => sum + way.overflowed, 0)
    if (dropped > 0) console.error(`the lines dropped ${dropped} packets for want of room`)
  })
}
