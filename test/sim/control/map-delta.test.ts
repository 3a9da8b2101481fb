/**
 * Deltas told one by one leave a client with the very map that a new stream would give it, whatever happened between.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { machineKey } from '../../../main/engine/base/keys.ts'
import { applyMapResponse } from '../../../main/engine/core/netmap/apply.ts'
import type { NetMap } from '../../../main/engine/core/netmap/types.ts'
import type { Hostinfo, MapResponse, Node } from '../../../main/engine/core/tailcfg/types.ts'
import { HandClock, seededRandom } from '../clock.ts'
import { deltaMessages, initialMessage } from './map-delta.ts'
import type { DeltaStyle, MapView } from './map-delta.ts'
import { dnsOf, filterOf, nodeView, peersOf, profilesOf, selfView } from './node-view.ts'
import { Tailnet } from './tailnet.ts'
import type { SimNode } from './tailnet.ts'

const NAMES = ['ada', 'mia', 'web', 'web'] as const

/** A tailnet of one watcher and some others, with things that can happen to it. */
class World {
  readonly clock = new HandClock()
  readonly tailnet = new Tailnet({ clock: this.clock, random: seededRandom(5) }, { approveRoutes: true })
  readonly watcher = this.#join('watcher', 'ada')

  #join(hostname: string, login: string): SimNode {
    const raw = seededRandom(this.tailnet.nodes.size + 1).bytes(32)
    const nodeKey = `nodekey:${this.tailnet.token(32)}`
    return this.tailnet.admit({ machineKey: machineKey(raw), nodeKey, user: this.tailnet.user(login), hostinfo: { Hostname: hostname } })
  }

  act(action: number, pick: number): void {
    this.clock.advance(1000 + pick)
    const others = [...this.tailnet.nodes.values()].filter((node) => node !== this.watcher)
    const node = others[pick % Math.max(1, others.length)]
    if (action === 0 || !node) return void this.#join(NAMES[pick % NAMES.length]!, pick % 2 ? 'ada' : 'mia')
    const { hostinfo, discoKey } = node
    const told = (netInfo: Hostinfo['NetInfo'], RoutableIPs: string[]): Hostinfo => {
      return { ...hostinfo, ...(netInfo && { NetInfo: netInfo }), RoutableIPs }
    }
    if (action === 1) this.tailnet.setOnline(node, !node.online)
    if (action === 2) this.tailnet.update(node, { hostinfo, discoKey, endpoints: [`192.0.2.${pick % 250}:1`] })
    if (action === 3) this.tailnet.update(node, { hostinfo, discoKey: `discokey:${this.tailnet.token(32)}`, endpoints: node.endpoints })
    if (action === 4) this.tailnet.update(node, { hostinfo: told({ PreferredDERP: 1 + (pick % 3) }, []), discoKey, endpoints: [] })
    if (action === 5) this.tailnet.update(node, { hostinfo: told(undefined, [`10.0.${pick % 250}.0/24`]), discoKey, endpoints: undefined })
    if (action === 6) this.tailnet.remove(node)
    if (action === 7) this.tailnet.rename(node, NAMES[pick % NAMES.length]!)
    if (action === 8) this.tailnet.expire(node, pick % 2 ? 0 : 60_000)
    if (action === 9) this.tailnet.setPolicy({ rules: [{ from: [pick % 2 ? 'ada' : '*'], to: [`${pick % 3 ? '*' : 'web'}:80`] }] })
    if (action === 10) this.tailnet.tag(node, pick % 2 ? ['tag:x'] : [])
  }

  view(): MapView {
    const peers = peersOf(this.tailnet, this.watcher)
    return {
      self: selfView(this.tailnet, this.watcher, 131),
      peers: peers.map((peer) => nodeView(this.tailnet, peer, 131)),
      filter: filterOf(this.tailnet, this.watcher),
      dns: dnsOf(this.tailnet),
      derpMap: this.tailnet.derpMap,
      domain: 'sim',
      profiles: profilesOf([this.watcher, ...peers]),
      sshPolicy: undefined,
    }
  }
}

function apply(netMap: NetMap | undefined, messages: readonly MapResponse[], wallMs: number): NetMap {
  let now = netMap
  for (const message of messages) {
    const delta = applyMapResponse(now, JSON.parse(JSON.stringify(message)) as MapResponse, wallMs)
    if (isDecodeError(delta)) throw new Error(delta.detail)
    now = delta.netMap
  }
  return now!
}

/** What must be the same. When a peer was last seen means nothing while it is online, and a patch cannot unset it. */
function essence(netMap: NetMap): unknown {
  const node = ({ LastSeen, Endpoints, ...rest }: Node): unknown => ({
    ...rest,
    Endpoints: Endpoints ?? [],
    ...(rest.Online !== true && { LastSeen }),
  })
  return { self: netMap.self, peers: [...netMap.peers.values()].map(node), filters: [...netMap.packetFilters], dns: netMap.dns }
}

for (const style of ['patch', 'headscale'] as const satisfies readonly DeltaStyle[]) {
  test(`a client that was told all deltas (${style}) knows what a new stream would tell it`, () => {
    const step = fc.tuple(fc.nat(10), fc.nat(1000))
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 3 }), { minLength: 1, maxLength: 12 }), (batches) => {
        const world = new World()
        let told = world.view()
        let client = apply(undefined, [initialMessage(told)], world.clock.wallMs())
        for (const batch of batches) {
          for (const [action, pick] of batch) world.act(action, pick)
          const view = world.view()
          client = apply(client, deltaMessages(told, view, style), world.clock.wallMs())
          told = view
        }
        expect(essence(client)).toEqual(essence(apply(undefined, [initialMessage(told)], world.clock.wallMs())))
      }),
      { numRuns: 150 },
    )
  })
}

test('nothing is said when nothing changed', () => {
  const world = new World()
  expect(deltaMessages(world.view(), world.view(), 'patch')).toEqual([])
})
