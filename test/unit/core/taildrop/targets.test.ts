import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { grantText } from '../../../../main/engine/core/taildrop/grant-text.ts'
import { isOwn, refusalOf, stockTarget, stockTargets } from '../../../../main/engine/core/taildrop/targets.ts'
import type { FilterRule, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const SHARING = { 'https://tailscale.com/cap/file-sharing': null }
const TARGET = 'https://tailscale.com/cap/file-sharing-target'

function node(id: number, more: Partial<Node> & { readonly os?: string; readonly services?: NonNullable<Node['Hostinfo']>['Services'] } = {}): Node {
  const { os = 'linux', services = [{ Proto: 'peerapi4', Port: 4000 + id }, { Proto: 'peerapi6', Port: 6000 + id }], ...rest } = more
  return { ID: id, StableID: String(id), Name: `n${id}.lab.internal.`, User: 1, Key: `nodekey:${id}`, Online: true, Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id}/128`], Hostinfo: { OS: os, Services: services }, ...rest }
}

function map(peers: readonly Node[], self: Partial<Node> = {}, rules: readonly FilterRule[] = []): NetMap {
  const users: [number, object][] = [[1, { ID: 1, LoginName: 'alice', DisplayName: 'Alice' }], [2, { ID: 2, LoginName: 'bob@example.com', DisplayName: '' }]]
  return { self: node(1, { CapMap: SHARING, ...self }), peers: new Map(peers.map((peer) => [peer.ID, peer])), userProfiles: new Map(users), packetFilters: new Map([['base', rules]]) } as unknown as NetMap
}

const allowed = (src: string, cap = TARGET): FilterRule => ({ SrcIPs: [src], CapGrant: [{ Dsts: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'], CapMap: { [cap]: null } }] })

describe('whom files can be sent to', () => {
  test.each<[why: string, peer: Partial<Node> & { os?: string; services?: [] }, self: Partial<Node>, rules: FilterRule[], refusal: string | undefined, stock: number]>([
    ['a device of the same owner', {}, {}, [], undefined, 1],
    ['one that is offline, which the stock daemon says and sends all the same', { Online: false }, {}, [], undefined, 5],
    ['of which the server says nothing', { Online: null }, {}, [], undefined, 5],
    ['of another owner', { User: 2 }, {}, [], 'other-owner', 9],
    ['of another owner that a grant makes a target', { User: 2 }, {}, [allowed('100.64.0.2')], undefined, 1],
    ['by its other address', { User: 2 }, {}, [allowed('fd7a:115c:a1e0::2')], undefined, 1],
    ['a grant for another device', { User: 2 }, {}, [allowed('100.64.0.3')], 'other-owner', 9],
    ['a grant of something else', { User: 2 }, {}, [allowed('*', `${TARGET}s`)], 'other-owner', 9],
    ['one with tags', { User: 9, Tags: ['tag:nas'] }, {}, [], 'tagged', 9],
    ['one with tags that a grant makes a target', { User: 9, Tags: ['tag:nas'] }, {}, [allowed('*')], undefined, 1],
    ['we have tags', {}, { User: 9, Tags: ['tag:nas'] }, [], 'self-tagged', 9],
    ['both have tags and so the same owner, which the receiver does not take', { User: 9, Tags: ['tag:a'] }, { User: 9, Tags: ['tag:b'] }, [], 'self-tagged', 1],
    ['tags of the same owner', { Tags: ['tag:a'] }, {}, [], 'tagged', 1],
    ['we have tags and a grant', {}, { User: 9, Tags: ['tag:nas'] }, [allowed('*')], undefined, 1],
    ['the server lets us share no files', {}, { CapMap: null }, [], 'self-no-capability', 4],
    ['a television', { os: 'tvOS' }, {}, [], 'cannot-receive', 7],
    ['without a PeerAPI', { services: [] }, {}, [], 'cannot-receive', 8],
    ['with a PeerAPI in a family that we lack', { Addresses: ['fd7a:115c:a1e0::2/128'] }, { Addresses: ['100.64.0.1/32'] }, [], 'cannot-receive', 8],
    ['not signed', { UnsignedPeerAPIOnly: true }, {}, [allowed('*')], 'unsigned', 1],
    ['not signed and of another owner: its grants count for nothing', { User: 2, UnsignedPeerAPIOnly: true }, {}, [allowed('*')], 'unsigned', 9],
  ])('%s', (_why, peer, self, rules, refusal, stock) => {
    const netMap = map([node(2, peer)], self, rules)
    expect(refusalOf(netMap, netMap.peers.get(2)!)).toBe(refusal)
    expect(stockTarget(netMap, netMap.peers.get(2)!)).toBe(stock)
  })

  test('nobody while there is no connection', () => {
    expect(stockTarget(undefined, node(2))).toBe(3)
  })

  test('own is a device of the same owner while neither has tags', () => {
    expect([isOwn(node(1), node(2)), isOwn(node(1), node(2, { User: 2 })), isOwn(node(1, { Tags: ['tag:a'] }), node(2, { Tags: ['tag:a'] }))]).toEqual([true, false, false])
  })

  test('the stock list is by name, holds offline ones, and prefers IPv4', () => {
    const peers = [node(4, { Name: 'b.lab.internal.', Online: false }), node(3, { Name: 'c.lab.internal.', Addresses: ['fd7a:115c:a1e0::3/128'] }), node(2, { Name: 'a.lab.internal.' }), node(5, { User: 2 }), node(6, { services: [] }), node(7, { os: 'tvOS' })]
    expect(stockTargets(map(peers)).map(({ node: { ID }, url }) => [ID, url])).toEqual([[2, 'http://100.64.0.2:4002'], [4, 'http://100.64.0.4:4004'], [3, 'http://[fd7a:115c:a1e0::3]:6003']])
  })

  test('a device as a real server told it gives the URL that a real daemon listed', () => {
    const [recorded] = JSON.parse(readFileSync(new URL('../../../vectors/localapi/file-targets.json', import.meta.url), 'utf8')) as [{ Node: Node; PeerAPIURL: string }]
    expect(stockTargets(map([recorded!.Node]))).toEqual([{ node: recorded!.Node, url: recorded!.PeerAPIURL }])
  })
})

describe('what an administrator would add', () => {
  const policyOf = (text: string): { grants: unknown[] } => JSON.parse(text.replaceAll(/^\/\/.*$/gm, '')) as { grants: unknown[] }

  test('is one grant each way, by owner, with what Headscale makes of it said first', () => {
    const netMap = map([node(2, { User: 2 })])
    const text = grantText(netMap, netMap.peers.get(2)!)
    expect(policyOf(text).grants).toEqual([
      { src: ['alice@'], dst: ['bob@example.com'], app: { 'https://tailscale.com/cap/file-send': [{}] } },
      { src: ['bob@example.com'], dst: ['alice@'], app: { [TARGET]: [{}] } },
    ])
    expect(text).toMatch(/^\/\/ Lets files go from n1\.lab\.internal to n2\.lab\.internal\..*\n\/\/ Headscale up to 0\.29 refuses/)
    expect(text).toContain('sign one of the two in again, as the user of the other')
  })

  test('names tags where there are some, and addresses where the owner is not known', () => {
    const netMap = map([node(2, { User: 9, Tags: ['tag:nas', 'tag:home'] }), node(3, { User: 7 })])
    expect(policyOf(grantText(netMap, netMap.peers.get(2)!)).grants[0]).toMatchObject({ src: ['alice@'], dst: ['tag:nas', 'tag:home'] })
    expect(grantText(netMap, netMap.peers.get(2)!)).toContain('as the same user, without tags')
    expect(policyOf(grantText(netMap, netMap.peers.get(3)!)).grants[0]).toMatchObject({ dst: ['100.64.0.3', 'fd7a:115c:a1e0::3'] })
  })

  test('stays in its lines whatever names the server has given', () => {
    const netMap = map([node(2, { User: 2, Name: 'x"\n}, "acls": [{}],\u202e//.lab.', Tags: ['tag:"\n]'] })])
    const text = grantText(netMap, netMap.peers.get(2)!)
    expect(policyOf(text).grants[0]).toMatchObject({ dst: ['tag:"'] })
    expect(Object.keys(policyOf(text))).toEqual(['grants'])
  })
})
