/**
 * `exit`: TCP through the SOCKS5 proxy of a userspace client and a userspace tailscaled as its exit node, to a server that
 * is in no tailnet. Our client beside a tailscaled, with an exit node each, all of the same kind. Every host is a network
 * namespace on one routed network, since an exit node does not carry to the network that it is on itself. Processor time is
 * that of client and exit node. `through_ours` is our client with an exit node of ours, in the row's unit.
 */
import { fileURLToPath } from 'node:url'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { NatLab, PUBLIC_SERVER } from '../natlab/nat-lab.ts'
import type { Result } from '../support/byte-peer.ts'
import { Child, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, median, print, round } from './row.ts'
import { measure, printCeiling, type Mover } from './transfers.ts'

const bytePeer = fileURLToPath(new URL('../support/byte-peer.ts', import.meta.url))
const BYTES = 1e9
const RUNS_THROUGH_OURS = 2

interface Way {
  readonly client: LabNode
  readonly exit: LabNode
}

export async function benchExit({ pairs, full }: BenchOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('exit makes network namespaces and needs root')
  const lab = new NatLab(requirePeers())
  let server: Child | undefined
  try {
    await lab.start()
    server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', PUBLIC_SERVER.address, '0'], prefix: lab.networks.server(PUBLIC_SERVER.index) })
    const port = await waitFor('the byte server', () => (server!.stdout.includes('\n') ? (JSON.parse(server!.stdout) as { port: number }).port : undefined), { withinMs: 30_000 })
    const transfer = async (verb: 'get' | 'put', from: LabNode, isBare: boolean, bytes: number): Promise<Result> => {
      const words = [verb, isBare ? 'none' : 'socks5', from.socksPort, PUBLIC_SERVER.address, port, bytes, 'compare'].map(String)
      return JSON.parse(await runOk(process.execPath, [bytePeer, ...words], { prefix: from.prefix, timeoutMs: 300_000 })) as Result
    }
    const move: Mover = (verb, from, _, bytes) => transfer(verb, from, false, bytes)
    const ours = await makeWay(lab, 'o', 'bowline', 'tailscaled')
    const peer = await makeWay(lab, 'p', 'tailscaled', 'tailscaled')
    const whole = await makeWay(lab, 'w', 'bowline', 'bowline')
    const ceiling = await printCeiling('the networks without any tunnel', (verb) => transfer(verb, ours.client, true, BYTES))
    for (const verb of ['get', 'put'] as const) {
      const one = async ({ client, exit }: Way): ReturnType<typeof measure> => {
        await client.waitDirect(exit)
        return measure(move, verb, client, exit, full ? BYTES * 4 : BYTES)
      }
      const row = await compare({ name: `exit-${verb === 'get' ? 'down' : 'up'}`, better: 'higher', unit: 'Gb/s', pairs, ours: () => one(ours), peer: () => one(peer), extra: { ceiling: ceiling[verb] } })
      const through: number[] = []
      for (let i = 0; i < RUNS_THROUGH_OURS; i++) through.push((await one(whole)).value)
      print({ ...row, through_ours: round(median(through)) })
    }
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await server?.stop()
    await lab.stop()
  }
}

/** A client and its exit node, ready. */
async function makeWay(lab: NatLab, letter: string, client: NodeKind, exit: NodeKind): Promise<Way> {
  const way = { exit: await lab.join(exit, `${letter}-exit`, 'public'), client: await lab.join(client, `${letter}-client`, 'public') }
  await way.exit.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'] })
  const { id } = await lab.headscale.node(way.exit.name)
  await waitFor('the exit node to be approved', async () => {
    await lab.headscale.approveRoutes(id, ['0.0.0.0/0', '::/0'])
    return true
  }, { withinMs: 30_000, everyMs: 250 })
  await way.client.waitUsable(way.exit)
  await waitFor('the exit node to be chosen', async () => {
    const { code, stderr } = await way.client.tailscale('set', `--exit-node=${way.exit.name}`)
    if (code !== 0) throw new Error(stderr)
    return true
  }, { withinMs: 30_000, everyMs: 250 })
  await way.client.waitDirect(way.exit)
  return way
}
