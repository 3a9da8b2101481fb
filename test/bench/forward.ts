/**
 * `forward`: TCP by a saved forward of ours, beside the same by our SOCKS5 proxy: one client, one peer, a direct path, bytes
 * from a service behind the peer. Both ends are ours.
 */
import { Lab } from '../interop/lab/lab.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import type { ForwardRow } from '../../main/localapi/forwards.ts'
import type { BenchOptions } from './options.ts'
import { compare, print } from './row.ts'
import { measure, printCeiling, type Mover } from './transfers.ts'

const BYTES = 1e9

export async function benchForward({ pairs }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    const client = await lab.join('bowline', 'client')
    const peer = await lab.join('bowline', 'peer')
    await client.waitUsable(peer)
    await client.waitDirect(peer)
    const { stdout } = await client.bowline('forward', 'add', '0', `peer:${lab.bytePort}`, '--json')
    const port = Number((JSON.parse(stdout) as ForwardRow).Listen.split(':').at(-1))
    const bySocks: Mover = (verb, from, host, bytes) => lab.transfer(verb, from.via(), host, bytes, 'compare')
    const byForward: Mover = (verb, _, __, bytes) => lab.transfer(verb, { kind: 'none' }, '127.0.0.1', bytes, 'compare', port)
    const ceiling = await printCeiling('the harness', (verb) => lab.transfer(verb, { kind: 'none' }, '127.0.0.1', BYTES, 'compare'))
    const run = async (move: Mover): ReturnType<typeof measure> => {
      await client.waitDirect(peer)
      return measure(move, 'get', client, peer, BYTES)
    }
    print(await compare({ name: 'forward-tcp', better: 'higher', unit: 'Gb/s', pairs, ours: () => run(byForward), peer: () => run(bySocks), extra: { ceiling: ceiling.get } }))
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
