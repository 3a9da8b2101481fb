import { describe, expect, test } from 'vitest'
import { TargetPages } from '../../../../main/engine/features/taildrop/targets-page.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import type { Node } from '../../../../main/engine/core/tailcfg/types.ts'

function node(id: number, name: string, more: Partial<Node> = {}): Node {
  return { ID: id, StableID: `s${id}`, Name: `${name}.lab.internal.`, User: 1, Key: `nodekey:${id}`, Online: true, Addresses: [`100.64.0.${id}/32`], Hostinfo: { OS: 'linux', Services: [{ Proto: 'peerapi4', Port: 4000 }] }, ...more }
}

function pages(peers: readonly Node[], options: { self?: Partial<Node>; used?: Readonly<Record<string, string>> } = {}): TargetPages {
  const self = node(1, 'me', { CapMap: { 'https://tailscale.com/cap/file-sharing': null }, ...options.self })
  const userProfiles = new Map([[1, { ID: 1, LoginName: 'alice', DisplayName: '' }], [2, { ID: 2, LoginName: 'bob', DisplayName: 'Bob B' }]])
  const netMap = { self, peers: new Map(peers.map((peer) => [peer.ID, peer])), userProfiles, packetFilters: new Map() } as unknown as NetMap
  return new TargetPages({ netMap: () => netMap, used: (id) => options.used?.[id] })
}

describe('the page of targets', () => {
  test('has usable ones first, those used last in front, then the others by name', () => {
    const peers = [node(2, 'zeta'), node(3, 'Beta'), node(4, 'alpha'), node(5, 'aaa', { User: 2 }), node(6, 'gamma', { Online: false })]
    const used = { s2: '2026-01-01T00:00:00Z', s6: '2026-02-01T00:00:00Z', s5: '2026-03-01T00:00:00Z' }
    expect(pages(peers, { used }).page().Targets.map(({ Name }) => Name)).toEqual(['gamma', 'zeta', 'alpha', 'Beta', 'aaa'])
  })

  test('says of each whose it is, whether it is there, why not, and what would help', () => {
    const [mine, theirs, tagged, television] = pages([node(2, 'a'), node(3, 'b', { User: 2, Online: false }), node(4, 'c', { User: 9, Tags: ['tag:x', 'tag:y'] }), node(5, 'd', { Hostinfo: { OS: 'tvOS' } })]).page().Targets
    expect(mine).toEqual({ ID: 's2', Name: 'a', DNSName: 'a.lab.internal', OS: 'linux', Owner: 'alice', Own: true, Online: true, Usable: true, Target: 1 })
    expect(theirs).toMatchObject({ Owner: 'Bob B', Own: false, Online: false, Usable: false, Why: { Code: 'other-owner', Text: expect.stringContaining('somebody else') }, Grant: expect.stringContaining('file-send') })
    expect(tagged).toMatchObject({ Owner: 'tag:x, tag:y', Why: { Code: 'tagged' }, Grant: expect.stringContaining('tag:x') })
    expect(television).toMatchObject({ Why: { Code: 'cannot-receive' } })
    expect(television).not.toHaveProperty('Grant')
  })

  test('says why nothing can be sent to anybody, in the stock words where it is asked in its own', () => {
    const none = new TargetPages({ netMap: () => undefined, used: () => undefined })
    expect(none.page()).toEqual({ Targets: [], Why: { Code: 'not-connected', Text: 'this device is not connected' } })
    expect(() => none.stock()).toThrow('not connected to the tailnet')
    const off = pages([node(2, 'a')], { self: { CapMap: null } })
    expect(off.page()).toMatchObject({ Targets: [{ Usable: false, Why: { Code: 'self-no-capability' } }], Why: { Code: 'self-no-capability' } })
    expect(() => off.stock()).toThrow('file sharing not enabled by Tailscale admin')
    expect(off.statusOf(node(2, 'a'))).toEqual({ TaildropTarget: 4, NoFileSharingReason: '' })
  })
})
