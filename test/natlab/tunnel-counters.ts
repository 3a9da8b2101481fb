/**
 * Counts the tunnel's data packets (WireGuard type 4 over UDP) that reach a host directly, by who sent them: what a program
 * calls direct is checked on the wire.
 */
import { runOk } from '../support/child.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import type { Site } from './networks.ts'

const TABLE = `table inet tunnel {
  set heard4 { type ipv4_addr; flags dynamic; counter; size 1024; }
  set heard6 { type ipv6_addr; flags dynamic; counter; size 1024; }
  chain incoming {
    type filter hook input priority 0; policy accept
    meta l4proto udp @th,64,32 0x04000000 meta nfproto ipv4 update @heard4 { ip saddr }
    meta l4proto udp @th,64,32 0x04000000 meta nfproto ipv6 update @heard6 { ip6 saddr }
  }
}
`

interface ListedSet {
  readonly set?: { readonly elem?: readonly { readonly elem: { readonly val: string; readonly counter: { readonly packets: number } } }[] }
}

/** Begins to count at a host. */
export async function countTunnelPackets(site: Site): Promise<void> {
  await runOk('nft', [TABLE], { prefix: site.prefix })
}

/** Data packets that came to the host from any of those addresses. */
async function heard(site: Site, from: readonly string[]): Promise<number> {
  const { nftables } = JSON.parse(await runOk('nft', ['-j', 'list', 'sets', 'inet'], { prefix: site.prefix })) as { nftables: readonly ListedSet[] }
  const elements = nftables.flatMap(({ set }) => set?.elem ?? [])
  return elements.filter(({ elem }) => from.includes(elem.val)).reduce((sum, { elem }) => sum + elem.counter.packets, 0)
}

export interface Placed {
  readonly node: LabNode
  readonly site: Site
}

/** Resolves once packets of the two reach each other directly, both ways, as seen on the wire. Both hosts must be counting. */
export async function seeTwoWayTraffic(near: Placed, far: Placed): Promise<void> {
  const { v4 } = await far.node.ips()
  const count = (): Promise<[number, number]> => Promise.all([heard(near.site, far.site.addresses), heard(far.site, near.site.addresses)])
  const before = await count()
  await waitFor(
    `direct packets both ways between ${near.node.name} and ${far.node.name}`,
    async () => {
      await near.node.api.ping(v4, 'TSMP')
      const now = await count()
      if (now[0] > before[0] && now[1] > before[1]) return true
      throw new Error(`near heard ${now[0] - before[0]}, far heard ${now[1] - before[1]}`)
    },
    { withinMs: 40_000, everyMs: 250 },
  )
}
