/**
 * Two engines of ours and one tailscaled in one tailnet, all talking to all.
 */
import { expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import { echoOnce, echoService, type Service } from './lab/services.ts'
import type { LabNode } from './lab/node.ts'

let nodes: LabNode[]
let echo: Service

/** Every ordered pair of different nodes. */
const pairs = (): [LabNode, LabNode][] => nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to): [LabNode, LabNode] => [from, to]))

labSuite(
  'two engines of ours and one tailscaled',
  {},
  async (lab) => {
    echo = await echoService()
    nodes = await Promise.all([lab.join('bowline', 'first'), lab.join('bowline', 'second'), lab.join('tailscaled', 'third')])
    await Promise.all(pairs().map(([from, to]) => from.waitUsable(to)))
  },
  (lab) => {
    test('every pair finds a direct path', async () => {
      await Promise.all(pairs().map(([from, to]) => from.waitDirect(to)))
    })

    test('every pair answers TSMP and ICMP pings', async () => {
      for (const [from, to] of pairs()) {
        const { v4, v6 } = await to.ips()
        for (const ip of [v4, v6]) {
          expect((await from.api.ping(ip, 'TSMP')).Err).toBe('')
          expect((await from.api.ping(ip, 'ICMP')).Err).toBe('')
        }
      }
    })

    test('every pair carries TCP by name at the same time', async () => {
      await Promise.all(pairs().map(([from, to]) => echoOnce(from.via(), to.name, echo.port, 10_000)))
    })

    test('100 MB between our two engines arrive whole, both ways', async () => {
      const [first, second] = nodes
      if (first === undefined || second === undefined) throw new Error('no nodes')
      const { v4 } = await second.ips()
      for (const verb of ['get', 'put'] as const) {
        const result = await lab().transfer(verb, first.via(), v4, 1e8)
        expect(result).toMatchObject({ bytes: 1e8, sha256: result.expected })
      }
    })

    test('each status lists the other two', async () => {
      for (const node of nodes) {
        const names = Object.values((await node.api.status()).Peer ?? {}).map((peer) => peer.DNSName.split('.')[0])
        expect(new Set(names)).toEqual(new Set(nodes.map(({ name }) => name).filter((name) => name !== node.name)))
      }
    })
  },
)
