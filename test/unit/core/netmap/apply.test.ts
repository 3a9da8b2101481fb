import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { applyMapResponse, isEmptyDelta } from '../../../../main/engine/core/netmap/apply.ts'
import { IdTable } from '../../../../main/engine/core/netmap/id-table.ts'
import { fromJson, toJson } from '../../../../main/engine/core/netmap/json.ts'
import type { NetMap, NetMapDelta } from '../../../../main/engine/core/netmap/types.ts'
import { checkMapResponse } from '../../../../main/engine/core/tailcfg/check-map.ts'
import type { MapResponse, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const WALL_MS = Date.UTC(2026, 10, 22)
const key = (n: number): string => `nodekey:${(n + 1).toString(16).padStart(64, '0')}`
const self = { ID: 1_000_000, Key: key(999), Name: 'me.', User: 1, Addresses: ['100.64.0.1/32'] }
const peer = (id: number, more: object = {}): object => ({ ID: id, StableID: String(id), Name: `p${id}.`, User: 1, Key: key(id), Addresses: [`100.64.1.${id}/32`], ...more })

function apply(previous: NetMap | undefined, raw: object, fresh?: boolean): NetMapDelta {
  const message = checkMapResponse(JSON.parse(JSON.stringify(raw)))
  if (isDecodeError(message)) throw new Error(message.detail)
  const delta = applyMapResponse(previous, message, WALL_MS, fresh)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  return delta
}

const start = (raw: object = {}): NetMap => apply(undefined, { Node: self, ...raw }).netMap
const after = (base: NetMap, ...messages: object[]): NetMap => messages.reduce<NetMap>((map, message) => apply(map, message).netMap, base)

describe('peers', () => {
  const base = start({ Peers: [peer(3), peer(1), peer(2)] })

  test('are in order of their IDs', () => {
    expect([...base.peers.keys()]).toEqual([1, 2, 3])
  })

  test('a whole list voids every other peer change of the same message', () => {
    const map = after(base, { Peers: [peer(9)], PeersRemoved: [9], PeersChanged: [peer(8)], PeersChangedPatch: [{ NodeID: 9, Online: true }] })
    expect([...map.peers.keys()]).toEqual([9])
    expect(map.peers.get(9)?.Online).toBeUndefined()
  })

  test('an empty whole list means nothing within a stream', () => {
    expect(after(base, { Peers: [] }).peers).toBe(base.peers)
  })

  test('a changed node inherits nothing from the one before', () => {
    const map = after(base, { PeersChanged: [peer(1, { Endpoints: ['1.2.3.4:5'] })] }, { PeersChanged: [peer(1, { Online: true })] })
    expect(map.peers.get(1)?.Endpoints).toBeUndefined()
    expect(map.peers.get(1)?.Online).toBe(true)
  })

  test('peers that did not change keep their identity, the same content included', () => {
    const delta = apply(base, { PeersChanged: [peer(1), peer(2, { Online: true })] })
    expect(delta.upserted.map((node) => node.ID)).toEqual([2])
    expect(delta.netMap.peers.get(1)).toBe(base.peers.get(1))
    expect(delta.netMap.peers.get(3)).toBe(base.peers.get(3))
  })

  test('patches come after removals and changes, and unknown IDs are ignored', () => {
    const map = after(base, { PeersRemoved: [1], PeersChanged: [peer(4)], PeersChangedPatch: [{ NodeID: 1, Online: true }, { NodeID: 4, Online: true, DERPRegion: 7 }, { NodeID: 77, Online: true }] })
    expect([...map.peers.keys()]).toEqual([2, 3, 4])
    expect(map.peers.get(4)).toMatchObject({ Online: true, HomeDERP: 7 })
  })

  test('a removed and changed peer of one message is there', () => {
    expect(after(base, { PeersRemoved: [1], PeersChanged: [peer(1)] }).peers.has(1)).toBe(true)
  })

  test('a patch changes present fields only, key and endless expiry included', () => {
    const first = after(base, { PeersChangedPatch: [{ NodeID: 1, KeyExpiry: '2027-01-01T00:00:00Z', Endpoints: ['1.1.1.1:1'] }] })
    const second = after(first, { PeersChangedPatch: [{ NodeID: 1, Key: key(50), KeyExpiry: '0001-01-01T00:00:00Z' }] })
    expect(second.peers.get(1)).toMatchObject({ Key: key(50), Endpoints: ['1.1.1.1:1'], Name: 'p1.' })
    expect(second.peers.get(1)?.KeyExpiry).toBeUndefined()
  })

  test('PeerSeenChange sets and unsets the time, OnlineChange the state', () => {
    const seen = after(base, { PeerSeenChange: { 1: true, 99: true }, OnlineChange: { 1: true, 2: false } })
    expect(seen.peers.get(1)).toMatchObject({ LastSeen: '2026-11-22T00:00:00.000Z', Online: true })
    expect(seen.peers.get(2)?.Online).toBe(false)
    expect(after(seen, { PeerSeenChange: { 1: false } }).peers.get(1)?.LastSeen).toBeUndefined()
  })
})

describe('other fields', () => {
  test('named filters: base, delete, clear, and a list that is null', () => {
    const rules = [{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] }]
    const base = start({ PacketFilters: { base: rules, extra: rules } })
    expect([...base.packetFilters.keys()]).toEqual(['base', 'extra'])
    expect([...after(base, { PacketFilters: { extra: null } }).packetFilters.keys()]).toEqual(['base'])
    expect([...after(base, { PacketFilters: { '*': null, x: rules } }).packetFilters.keys()]).toEqual(['x'])
    expect(after(base, { PacketFilter: [] }).packetFilters.get('base')).toEqual([])
    expect(after(base, { PacketFilters: { base: null } }).packetFilters.has('base')).toBe(false)
    expect(after(base, { PacketFilter: null }).packetFilters).toBe(base.packetFilters)
    expect(apply(base, { PacketFilters: { base: rules, extra: rules } }).filterChanged).toBe(false)
    expect(after(base, { PacketFilters: { '*': rules } }).packetFilters).toBe(base.packetFilters)
    expect([...after(base, { PacketFilter: rules, PacketFilters: { '*': null } }).packetFilters.keys()]).toEqual([])
    expect(after(base, { PacketFilters: {} }).packetFilters).toBe(base.packetFilters)
  })

  test('a DERP map is merged by its own rules', () => {
    const region = (id: number): object => ({ RegionID: id, RegionCode: `r${id}`, RegionName: '', Nodes: [] })
    const base = start({ DERPMap: { HomeParams: { RegionScore: { 1: 0.5 } }, Regions: { 1: region(1), 2: region(2) } } })
    const scored = after(base, { DERPMap: { HomeParams: { RegionScore: { 2: 2 } } } })
    expect(Object.keys(scored.derpMap.Regions)).toEqual(['1', '2'])
    expect(scored.derpMap.HomeParams?.RegionScore).toEqual({ 2: 2 })
    const replaced = after(scored, { DERPMap: { Regions: { 1: null, 3: region(3) } } })
    expect(Object.keys(replaced.derpMap.Regions)).toEqual(['3'])
    expect(replaced.derpMap.HomeParams?.RegionScore).toEqual({ 2: 2 })
  })

  test('empty domain, absent DNS, node and SSH policy mean unchanged; an empty DNS config clears', () => {
    const base = start({ Domain: 'example.com', DNSConfig: { Domains: ['a'] }, SSHPolicy: { rules: [{}] }, Health: ['x'], CollectServices: true })
    const same = after(base, { Domain: '' })
    expect(same).toMatchObject({ domain: 'example.com', collectServices: true })
    expect(same.dns).toBe(base.dns)
    expect(same.sshPolicy).toBe(base.sshPolicy)
    expect(after(base, { DNSConfig: {} }).dns).toEqual({})
    expect(after(base, { SSHPolicy: { rules: null } }).sshPolicy).toEqual({ rules: null })
    expect(after(base, { Health: [] }).health).toEqual([])
    expect(after(base, { Health: null }).health).toEqual(['x'])
  })

  test('display messages are set, removed, and cleared by a star', () => {
    const base = start({ DisplayMessages: { a: { Title: 'A' }, b: { Title: 'B' } } })
    expect([...after(base, { DisplayMessages: { a: null } }).displayMessages.keys()]).toEqual(['b'])
    expect([...after(base, { DisplayMessages: { '*': null, c: { Title: 'C' } } }).displayMessages.keys()]).toEqual(['c'])
  })

  test('a display message keeps its identity while it says the same, and a star is never one', () => {
    const base = start({ DisplayMessages: { a: { Title: 'A' } } })
    expect(after(base, { DisplayMessages: { a: { Title: 'A' } } }).displayMessages).toBe(base.displayMessages)
    expect(after(base, { DisplayMessages: { '*': { Title: 'all' } } }).displayMessages).toBe(base.displayMessages)
    expect(after(base, { DisplayMessages: {} }).displayMessages).toBe(base.displayMessages)
  })

  test('a node that nobody has signed for has no routes', () => {
    expect(start({ Peers: [peer(1, { UnsignedPeerAPIOnly: true, AllowedIPs: ['10.0.0.0/8'] })] }).peers.get(1)?.AllowedIPs).toEqual(['100.64.1.1/32'])
  })

  test('the log name stays until another comes; orders that are not ours to take are read and change nothing', () => {
    const base = start({ DomainDataPlaneAuditLogID: 'log' })
    expect(after(base, { DomainDataPlaneAuditLogID: '' }).auditLogId).toBe('log')
    const odd = apply(base, { Debug: { DisableLogTail: true, Exit: 3 }, TKAInfo: { Head: '', Disabled: true }, DefaultAutoUpdate: true, MapSessionHandle: 'h', Seq: 9, DeprecatedDefaultAutoUpdate: 'x' })
    expect(isEmptyDelta(odd, base)).toBe(true)
  })

  test('a client version is kept until another comes', () => {
    const base = start({ ClientVersion: { LatestVersion: '2', Notify: true } })
    expect(after(base, {}).clientVersion).toBe(base.clientVersion)
    expect(after(base, { ClientVersion: { RunningLatest: true } }).clientVersion).toEqual({ RunningLatest: true })
  })

  test('a clock that was set is news, a few seconds are none', () => {
    const base = start({ ControlTime: '2026-11-22T03:00:00Z' })
    expect(isEmptyDelta(apply(base, { ControlTime: '2026-11-22T00:00:01Z' }), base)).toBe(false)
    expect(isEmptyDelta(apply(base, { ControlTime: '2026-11-22T03:00:09Z' }), base)).toBe(true)
  })

  test('profiles are set and never removed within a stream, and forgotten with it', () => {
    const base = start({ UserProfiles: [{ ID: 1, LoginName: 'a', DisplayName: 'A' }] })
    const more = after(base, { UserProfiles: [{ ID: 2, LoginName: 'b', DisplayName: 'B' }] })
    expect([...more.userProfiles.keys()]).toEqual([1, 2])
    expect(apply(more, { Node: self }, true).netMap.userProfiles.size).toBe(0)
  })

  test('a clock that is more than a minute off is told, a small difference is none', () => {
    expect(start({ ControlTime: '2026-11-22T00:00:30Z' }).clockSkewMs).toBe(0)
    expect(start({ ControlTime: '2026-11-22T01:00:00Z' }).clockSkewMs).toBe(3_600_000)
  })

  test('the first message of a stream needs the own node', () => {
    const message = checkMapResponse({ Peers: [peer(1)] }) as MapResponse
    expect(isDecodeError(applyMapResponse(undefined, message, WALL_MS))).toBe(true)
    expect(isDecodeError(applyMapResponse(start(), message, WALL_MS, true))).toBe(true)
  })
})

describe('properties', () => {
  const nodes = fc.uniqueArray(fc.record({ ID: fc.integer({ min: 1, max: 300 }), Online: fc.boolean(), HomeDERP: fc.integer({ min: 1, max: 5 }) }), { selector: (node) => node.ID, maxLength: 200 })
  const full = (list: { ID: number; Online: boolean; HomeDERP: number }[]): object[] => list.map(({ ID, ...more }) => peer(ID, more))

  test('deltas from one list of peers to another give the map of the other', () => {
    fc.assert(fc.property(nodes, nodes, fc.integer({ min: 1, max: 7 }), (before, goal, step) => {
      let map = start({ Peers: full(before) })
      const wanted = new Map(goal.map((node) => [node.ID, node]))
      const removed = before.filter((node) => !wanted.has(node.ID)).map((node) => node.ID)
      const old = new Map(before.map((node) => [node.ID, node]))
      const patches = goal.filter((node) => old.has(node.ID)).map(({ ID, Online, HomeDERP }) => ({ NodeID: ID, Online, DERPRegion: HomeDERP }))
      const added = full(goal.filter((node) => !old.has(node.ID)))
      for (let at = 0; at < Math.max(removed.length, patches.length, added.length); at += step) {
        const slice = <T>(list: T[]): T[] => list.slice(at, at + step)
        map = apply(map, { PeersRemoved: slice(removed), PeersChangedPatch: slice(patches), PeersChanged: slice(added) }).netMap
      }
      const direct = start({ Peers: full(goal) })
      const strip = (peers: NetMap['peers']): unknown => [...peers.values()].map((node: Node) => ({ ...node, LastSeen: undefined }))
      expect(strip(map.peers)).toEqual(strip(direct.peers))
    }), { numRuns: 60 })
  })

  test('a map saved and read back is the same', () => {
    fc.assert(fc.property(nodes, (list) => {
      const map = start({ Peers: full(list), UserProfiles: [{ ID: 1, LoginName: 'a', DisplayName: 'A' }], Domain: 'd', DNSConfig: { Proxied: true } })
      const back = fromJson(JSON.parse(JSON.stringify(toJson(map))))
      if (isDecodeError(back)) throw new Error(back.detail)
      expect(toJson(back)).toEqual(toJson(map))
    }), { numRuns: 20 })
    for (const rubbish of [null, 1, {}, { version: 1 }, { version: 2, map: {} }, { version: 1, map: { Node: 7 } }]) expect(isDecodeError(fromJson(rubbish))).toBe(true)
  })

  test('the table of peers behaves as a map in key order, and old tables stay as they were', () => {
    const change = fc.record({ set: fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.nat()), { maxLength: 40 }), removed: fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 40 }) })
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.nat()), { maxLength: 400 }), fc.array(change, { maxLength: 8 }), (entries, changes) => {
      let table = IdTable.of<number>(entries)
      let model = new Map(entries)
      for (const { set, removed } of changes) {
        const before = [...table]
        const next = table.with(new Map(set), removed)
        expect([...table]).toEqual(before)
        model = new Map(model)
        for (const [id, value] of new Map(set)) model.set(id, value)
        for (const id of removed) if (!new Map(set).has(id)) model.delete(id)
        table = next
        expect([...table]).toEqual([...model].sort(([a], [b]) => a - b))
        expect(table.size).toBe(model.size)
        for (const id of [0, 1, 250, 500]) {
          expect(table.get(id)).toBe(model.get(id))
          expect(table.has(id)).toBe(model.has(id))
        }
        expect([...table.keys()]).toEqual([...table].map(([id]) => id))
        expect([...table.values()]).toEqual([...table].map(([, value]) => value))
      }
    }), { numRuns: 100 })
  })
})

test('maps, nodes and lists are frozen', () => {
  const map = start({ Peers: [peer(1)] })
  expect(Object.isFrozen(map)).toBe(true)
  expect(Object.isFrozen(map.self)).toBe(true)
  expect(Object.isFrozen(map.peers.get(1))).toBe(true)
  expect(Object.isFrozen(map.peers.get(1)?.Addresses)).toBe(true)
})
