/**
 * `exit-tun`: TCP of an ordinary program to a server that is in no tailnet, through an exit node; client and exit node are whole
 * computers with TUN devices. Both are ours, beside both tailscaled. Processor time is that of client and exit node.
 * `ours_by_tailscaled` is our client with a tailscaled as exit node, in the row's unit: there the tailscaled is the slower half.
 */
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { PUBLIC_SERVER } from '../natlab/nat-lab.ts'
import { run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, median, print, round, type Sample } from './row.ts'
import { inTunLab, TRAFFIC_PORT, type Ends, type TunLab } from './tun-lab.ts'

const BYTES = 1e9
const MIXED_RUNS = 2
const DEFAULTS = ['0.0.0.0/0', '::/0']
const PATIENT = { withinMs: 60_000, everyMs: 250 }

export function benchExitTun({ pairs, full }: BenchOptions): Promise<void> {
  return inTunLab('exit-tun', async (lab) => {
    const theirExit = await makeExit(lab, 'tailscaled', 'p-exit')
    const ours = await makeWay(lab, 'bowline', 'o-client', await makeExit(lab, 'bowline', 'o-exit'))
    const peer = await makeWay(lab, 'tailscaled', 'p-client', theirExit)
    const mixed = await makeWay(lab, 'bowline', 'm-client', theirExit)
    const ceiling = await lab.printCeiling(theirExit, BYTES)
    for (const verb of ['get', 'put'] as const) {
      const one = async (ends: Ends): Promise<Sample> => {
        await ends.client.waitDirect(ends.server)
        return lab.tcp(ends, verb, PUBLIC_SERVER.address, full ? BYTES * 4 : BYTES)
      }
      const row = await compare({
        name: `exit-tun-${verb === 'get' ? 'down' : 'up'}`, better: 'higher', unit: 'Gb/s', pairs,
        ours: () => one(ours), peer: () => one(peer), extra: { ceiling: ceiling[verb] },
      })
      const rates: number[] = []
      for (let i = 0; i < MIXED_RUNS; i++) rates.push((await one(mixed)).value)
      print({ ...row, ours_by_tailscaled: round(median(rates)) })
    }
  })
}

async function makeExit(lab: TunLab, kind: NodeKind, name: string): Promise<LabNode> {
  const node = await lab.join(kind, name)
  for (const setting of ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']) await runOk('sysctl', ['-qw', setting], { prefix: node.prefix })
  await node.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: DEFAULTS })
  const { id } = await lab.nat.headscale.node(name)
  await waitFor('the exit node to be approved', async () => {
    await lab.nat.headscale.approveRoutes(id, DEFAULTS)
    return true
  }, PATIENT)
  return node
}

/** A client that goes to the world by an exit node: its way is proven by a small transfer, and that the link itself has hardly carried it. */
async function makeWay(lab: TunLab, kind: NodeKind, name: string, exit: LabNode): Promise<Ends> {
  const client = await lab.join(kind, name)
  await client.waitUsable(exit)
  await waitFor('the exit node to be chosen', async () => {
    const { code, stderr } = await client.tailscale('set', `--exit-node=${exit.name}`)
    if (code !== 0) throw new Error(stderr)
    return true
  }, PATIENT)
  await waitFor('the way to the world to be a TUN device', async () => {
    const { stdout } = await run('ip', ['route', 'get', PUBLIC_SERVER.address], { prefix: client.prefix })
    if (!/dev (bowline|tailscale)0/.test(stdout)) throw new Error(stdout)
    await lab.traffic(client.prefix, 'rtt', PUBLIC_SERVER.address, TRAFFIC_PORT, 0.2, 10_000)
    return true
  }, PATIENT)
  await client.waitDirect(exit)
  return { client, server: exit }
}
