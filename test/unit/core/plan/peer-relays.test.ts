import { describe, expect, test } from 'vitest'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { PeerRelays } from '../../../../main/engine/core/plan/peer-relays.ts'
import type { FilterRule, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const key = (id: number): string => `nodekey:${String(id).padStart(64, '0')}`
const node = (id: number, more: Partial<Node> = {}): Node => ({ ID: id, StableID: String(id), Name: `n${id}.lab.`, Key: key(id), Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id}/128`], Cap: 140, ...more }) as Node
const grant = (src: string, dst: string, cap: string, asMap = true): FilterRule =>
  ({ SrcIPs: [src], CapGrant: [{ Dsts: [dst], ...(asMap ? { CapMap: { [cap]: null } } : { Caps: [cap] }) }] }) as FilterRule

function map(rules: FilterRule[], peers: Node[], self: Partial<Node> = {}): NetMap {
  return { self: node(1, self), peers: new Map(peers.map((peer) => [peer.ID, peer])), packetFilters: new Map([['base', rules]]) } as unknown as NetMap
}

const TARGET = 'tailscale.com/cap/relay-target'
const CLIENT = 'tailscale.com/cap/relay'

describe('who relays for whom', () => {
  test('is what the grants toward us say, by map or by list, and by either family', () => {
    const rules = [grant('100.64.0.2', '100.64.0.1/32', TARGET), grant('fd7a:115c:a1e0::3', '*', TARGET, false), grant('100.64.0.0/10', '100.64.0.1/32', CLIENT)]
    const found = new PeerRelays().update(map(rules, [node(2), node(3), node(4)]))
    expect(found.relays).toEqual([key(2), key(3)])
    expect([...found.clients]).toEqual([key(2), key(3), key(4)])
  })

  test('is nobody by grants toward others, for other things, or by rules alone', () => {
    const rules = [grant('*', '100.64.0.9/32', TARGET), grant('*', '100.64.0.1/32', 'tailscale.com/cap/relay-targets'), { SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] } as FilterRule]
    expect(new PeerRelays().update(map(rules, [node(2)]))).toMatchObject({ relays: [], clients: new Set() })
  })

  test('is never a node that nobody signed for, nor one that is too old', () => {
    const rules = [grant('*', '*', TARGET), grant('*', '*', CLIENT)]
    const found = new PeerRelays().update(map(rules, [node(2, { UnsignedPeerAPIOnly: true }), node(3, { Cap: 120 }), node(4, { Cap: 121 })]))
    expect(found.relays).toEqual([key(4)])
    expect([...found.clients]).toEqual([key(4)])
  })

  test('is switched off by the server, for each side by itself', () => {
    const rules = [grant('*', '*', TARGET)]
    expect(new PeerRelays().update(map(rules, [node(2)], { CapMap: { 'disable-relay-client': null } }))).toMatchObject({ noClient: true, noServer: false })
    expect(new PeerRelays().update(map(rules, [node(2)], { CapMap: { 'disable-relay-server': null } }))).toMatchObject({ noClient: false, noServer: true })
  })

  test('is the same object while it is the same', () => {
    const relays = new PeerRelays()
    const first = relays.update(map([grant('*', '*', TARGET)], [node(2)]))
    expect(relays.update(map([grant('*', '*', TARGET)], [node(2, { Online: true })]))).toBe(first)
    expect(relays.update(map([grant('*', '*', TARGET)], [node(2), node(3)]))).not.toBe(first)
  })
})
