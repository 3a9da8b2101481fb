import { describe, expect, test } from 'vitest'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { sendRefusal } from '../../../../main/engine/core/taildrop/permission.ts'
import type { Node } from '../../../../main/engine/core/tailcfg/types.ts'

const SHARING = { CapMap: { 'https://tailscale.com/cap/file-sharing': null } }
const node = (id: number, user: number, more: Partial<Node> = {}): Node =>
  ({ ID: id, StableID: `n${id}`, Name: `n${id}.lab.`, User: user, Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id}/128`], ...more }) as unknown as Node
const grant = (src: string, dst: string, cap = 'https://tailscale.com/cap/file-send', asMap = true): object => ({ SrcIPs: [src], CapGrant: [{ Dsts: [dst], ...(asMap ? { CapMap: { [cap]: null } } : { Caps: [cap] }) }] })
const map = (self: Node, peer: Node, rules: object[] = []): NetMap =>
  ({ self, peers: new Map([[peer.ID, peer]]), packetFilters: new Map([['base', rules]]), userProfiles: new Map() }) as unknown as NetMap
const may = (self: Partial<Node>, peer: Partial<Node>, rules: object[] = [], from = '100.64.0.2'): string | undefined => {
  const there = node(2, 1, peer)
  return sendRefusal(map(node(1, 1, { ...SHARING, ...self } as Partial<Node>), there, rules), there, from)
}

describe('may send here', () => {
  test('a device of the same owner, at each of its addresses', () => {
    expect(may({}, {})).toBeUndefined()
    expect(may({}, {}, [], 'fd7a:115c:a1e0::2')).toBeUndefined()
  })
  test('another’s that a grant lets, by map or by list, to the address of its family', () => {
    expect(may({}, { User: 2 }, [grant('100.64.0.2', '100.64.0.1/32')])).toBeUndefined()
    expect(may({}, { User: 2 }, [grant('*', '*', undefined, false)])).toBeUndefined()
    expect(may({}, { User: 2 }, [grant('fd7a:115c:a1e0::2', 'fd7a:115c:a1e0::1/128')], 'fd7a:115c:a1e0::2')).toBeUndefined()
  })
  test('one with tags that a grant lets', () => {
    expect(may({}, { Tags: ['tag:a'] }, [grant('*', '*')])).toBeUndefined()
  })
})

describe('may not send here', () => {
  test.each<[string, Partial<Node>, Partial<Node>, object[], string?]>([
    ['another owner’s', {}, { User: 2 }, []],
    ['one with tags', {}, { Tags: ['tag:a'] }, []],
    ['any, when this one has tags', { Tags: ['tag:a'] }, {}, []],
    ['one whose grant leads elsewhere', {}, { User: 2 }, [grant('100.64.0.2', '100.64.0.9/32')]],
    ['one whose grant is another’s', {}, { User: 2 }, [grant('100.64.0.9', '*')]],
    ['one whose grant is for being a target', {}, { User: 2 }, [grant('*', '*', 'https://tailscale.com/cap/file-sharing-target')]],
    ['one with a grant in the other family alone', {}, { User: 2 }, [grant('fd7a:115c:a1e0::2', '*')]],
    ['one that nobody signed, whatever is granted', {}, { UnsignedPeerAPIOnly: true }, [grant('*', '*')]],
    ['one that asks from an address that is not its own', {}, {}, [], '100.64.0.3'],
  ])('%s', (_name, self, peer, rules, from) => {
    expect(may(self, peer, rules, from)).toBe('not-allowed')
  })
  test('anybody, where the server has switched it off, or without a map', () => {
    expect(may({ CapMap: {} }, {})).toBe('no-file-sharing')
    expect(sendRefusal(undefined, node(2, 1), '100.64.0.2')).toBe('turned-off')
  })
  test('one that is in the map no longer, or that has become another', () => {
    const netMap = map(node(1, 1, SHARING as Partial<Node>), node(2, 1))
    expect(sendRefusal(netMap, node(3, 1), '100.64.0.3')).toBe('not-allowed')
    expect(sendRefusal(netMap, node(2, 1, { StableID: 'other' }), '100.64.0.2')).toBe('not-allowed')
  })
})
