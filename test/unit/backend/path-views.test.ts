/**
 * What the backend puts together for the reason of a path: the map's word on the peer, handshakes, relays, this network.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import type { MachineEvidence } from '../../../main/engine/core/path/reason/evidence.ts'
import type { CandidateView, Path } from '../../../main/engine/core/path/types.ts'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

let rig: Rig
const node = recorded('02-initial-one-peer.json').Peers![0]!
const key = node.Key as NodePublicKey

beforeEach(() => {
  rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', WantRunning: true }, AuthKey: 'k' })
  rig.signIn()
})

const SILENT: CandidateView = { addr: { ip: '203.0.113.7', port: 41641 }, sources: ['map'], lastPingAgoMs: 800, lastPongAgoMs: undefined, pingedUsAgoMs: undefined, latencyMs: undefined, unanswered: 9, isBest: false, carries: 'unknown' }

function see(path: Path, more: Partial<MachineEvidence> = {}): void {
  const evidence = { path, noDirect: undefined, latencyMs: undefined, candidates: [SILENT], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false, ...more }
  rig.magicsock.pathViews.set(key as never, { peer: key, path, latencyMs: more.latencyMs, sinceMs: 0, evidence })
}
const say = (change: Partial<Node>): void => rig.map({ PeersChanged: [{ ...node, ...change }] })
const page = (): ReturnType<Rig['backend']['views']['pathViews']['page']> => rig.backend.views.pathViews.page(rig.backend.views.pathViews.find(key)!)
const RELAY = { kind: 'relay', region: 999 } as const

describe('the reason that the backend gives', () => {
  test('takes the peer as offline until a handshake came later than the server saw it', () => {
    see(RELAY)
    say({ Online: false, LastSeen: '2026-11-22T21:00:00Z' })
    expect(page().reason.rule).toBe('offline')
    rig.dataplane.peerStats.set(key as never, { rxBytes: 1, txBytes: 1, rxPackets: 1, txPackets: 1, lastHandshakeMs: Date.parse('2026-11-22T20:59:00Z') })
    expect(page().reason.rule).toBe('offline')
    rig.dataplane.peerStats.set(key as never, { rxBytes: 1, txBytes: 1, rxPackets: 1, txPackets: 1, lastHandshakeMs: Date.parse('2026-11-22T21:01:00Z') })
    expect(page().reason.rule).not.toBe('offline')
  })

  test('takes what the peer reported of its network, and nothing where it reported none', () => {
    see(RELAY)
    say({ Hostinfo: { ...node.Hostinfo, NetInfo: { WorkingUDP: false } } })
    expect(page()).toMatchObject({ reason: { rule: 'peer-no-udp' }, peerNetInfo: { WorkingUDP: false } })
    say({ Hostinfo: { ...node.Hostinfo, NetInfo: null } })
    expect(page().peerNetInfo).toBeUndefined()
    expect(page().sides.every(({ there }) => there.state === 'unknown')).toBe(true)
  })

  test('knows a relay that the map does not have, and one that cannot be reached', () => {
    see({ kind: 'relay', region: 5 })
    expect(page()).toMatchObject({ regionCode: 'region-5', reason: { rule: 'relay-not-in-map' } })
    see(RELAY)
    expect(page().regionName).toBeDefined()
    rig.derp.regions.set(999, 'lost')
    expect(page().reason.rule).toBe('relay-down')
  })

  test('knows which private networks are ours', () => {
    see(RELAY, { candidates: [{ ...SILENT, addr: { ip: '192.168.7.2', port: 1 } }] })
    expect(page().why).toBe('relayed: it named only addresses of private networks that are not ours')
    see(RELAY, { candidates: [{ ...SILENT, addr: { ip: '192.168.1.9', port: 1 } }] })
    expect(page().why).toBe('relayed: it named only addresses of private networks, and none of them replied')
  })

  test('names the device that passes packets on, and no device when two could be it', () => {
    const relayAt = (id: number, name: string, PeerRelay: boolean): Node => ({ ...node, ID: id, StableID: `s${id}`, Name: `${name}.lab.internal.`, Key: `nodekey:${String(id).repeat(64)}`, Addresses: [`100.64.0.${id}/32`], Endpoints: ['203.0.113.9:41641'], Hostinfo: { ...node.Hostinfo, PeerRelay } })
    const path = { kind: 'peer-relay', addr: { ip: '203.0.113.9', port: 40_000 }, vni: 7 } as const
    see(path, { latencyMs: 21, answered: 1 })
    expect(page()).toMatchObject({ addr: '203.0.113.9:40000:vni:7', why: expect.stringMatching(/^through a peer relay: answered in 21 ms; no reply from its only address/) })
    rig.map({ PeersChanged: [relayAt(7, 'nas', true), relayAt(8, 'tv', false)] })
    expect(page()).toMatchObject({ via: 'nas', why: expect.stringMatching(/^through peer relay nas: answered in 21 ms; /) })
    rig.map({ PeersChanged: [relayAt(8, 'tv', true)] })
    expect(page().via).toBeUndefined()
  })

  test('puts the address in use first, then those that answered last', () => {
    const at = (port: number, more: Partial<CandidateView>): CandidateView => ({ ...SILENT, addr: { ip: '203.0.113.7', port }, ...more })
    see({ kind: 'direct', addr: { ip: '203.0.113.7', port: 3 } }, { latencyMs: 12, answered: 1, candidates: [at(1, {}), at(2, { lastPongAgoMs: 50 }), at(3, { lastPongAgoMs: 900, isBest: true, latencyMs: 12, unanswered: 0 })] })
    expect(page().candidates.map(({ addr, inUse, place }) => [addr, inUse, place])).toEqual([['203.0.113.7:3', true, 'ipv4'], ['203.0.113.7:2', false, 'ipv4'], ['203.0.113.7:1', false, 'ipv4']])
  })
})
