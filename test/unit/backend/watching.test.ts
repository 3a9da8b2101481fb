import { describe, expect, test } from 'vitest'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import type { Notify } from '../../../main/localapi/types.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { makeRig } from './rig.ts'
import type { Rig } from './rig.ts'

/** Names of the fields that say something. */
function said(notify: Notify | undefined): string[] {
  return Object.entries(notify ?? {}).filter(([name, value]) => name !== 'Version' && value !== null).map(([name]) => name)
}

function joined(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:1', WantRunning: true }, AuthKey: 'k' })
  rig.signIn()
  return rig
}

const peerKey = (rig: Rig): NodePublicKey => rig.backend.views.netMap()!.Peers[0]!.Key as NodePublicKey

describe('the first message of a watcher', () => {
  test.each<[string, number, string[] | undefined]>([
    ['nothing', 0, undefined],
    ['engineUpdates', WATCH.engineUpdates, undefined],
    ['initialState', WATCH.initialState, ['SessionID', 'State']],
    ['initialPrefs', WATCH.initialPrefs, ['Prefs']],
    ['initialNetMap', WATCH.initialNetMap, ['SelfChange', 'NetMap']],
    ['noPrivateKeys', WATCH.noPrivateKeys, undefined],
    ['initialDriveShares', WATCH.initialDriveShares, []],
    ['initialOutgoingFiles', WATCH.initialOutgoingFiles, undefined],
    ['initialHealth alone', WATCH.initialHealth, undefined],
    ['initialHealth beside another', WATCH.initialHealth | WATCH.initialState, ['SessionID', 'State', 'Health']],
    ['rateLimit', WATCH.rateLimit, undefined],
    ['healthActions', WATCH.healthActions, undefined],
    ['initialSuggestedExitNode', WATCH.initialSuggestedExitNode, []],
    ['initialClientVersion', WATCH.initialClientVersion, []],
    ['peerChanges', WATCH.peerChanges, undefined],
    ['noNetMap', WATCH.noNetMap, undefined],
    ['initialStatus', WATCH.initialStatus, ['InitialStatus']],
    ['peerPatches', WATCH.peerPatches, undefined],
    ['sysPolicyChanges', WATCH.sysPolicyChanges, ['Policy']],
    ['peerWireGuardState', WATCH.peerWireGuardState, []],
  ])('%s', (_name, mask, fields) => {
    const [first, ...more] = joined().watch(mask)
    expect(more).toEqual([])
    if (fields === undefined) expect(first).toBeUndefined()
    else expect(said(first)).toEqual(fields)
  })

  test('carries the page to sign in while it waits', () => {
    const rig = makeRig()
    rig.backend.start()
    rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:1', WantRunning: true } })
    rig.backend.loginInteractive()
    rig.backend.facts.control.onState({ kind: 'waiting', authUrl: 'http://127.0.0.1:1/register/x', sinceMs: 0 })
    expect(rig.watch(WATCH.initialState)[0]).toMatchObject({ State: 2, BrowseToURL: 'http://127.0.0.1:1/register/x' })
  })
})

describe('while it watches', () => {
  test('the numbers of the engine come to everybody while one wants them', () => {
    const rig = joined()
    const other = rig.watch(0)
    rig.clock.advance(4_000)
    expect(other).toEqual([])
    rig.watch(WATCH.engineUpdates)
    rig.clock.advance(4_100)
    expect(other.map(said)).toEqual([['Engine'], ['Engine']])
  })

  test('profiles of users come once to each watcher, with the first change that speaks of them', () => {
    const rig = joined()
    const heard = rig.watch(WATCH.peerChanges)
    const peer = rig.backend.views.netMap()!.Peers[0]!
    const changed = (seq: number): void => rig.map({ PeersChanged: [{ ...peer, Tags: [`tag:t${seq}`] }] } as never)
    changed(1)
    changed(2)
    expect(heard.map(said)).toEqual([['PeersChanged', 'UserProfiles'], ['PeersChanged']])
    expect(rig.watch(WATCH.peerChanges)).toEqual([])
  })

  test('an exit node that the server recommends is suggested when it comes', () => {
    const rig = joined()
    rig.backend.facts.magicsock.onHome(999)
    const heard = rig.watch(0)
    const peer = rig.backend.views.netMap()!.Peers[0]!
    rig.map({ PeersChanged: [{ ...peer, Online: true, AllowedIPs: [...(peer.AllowedIPs ?? []), '0.0.0.0/0', '::/0'], CapMap: { 'suggest-exit-node': null } }] } as never)
    expect(heard.map((notify) => notify.SuggestedExitNode).filter((id) => id !== undefined)).toEqual([peer.StableID])
    expect(rig.watch(WATCH.initialSuggestedExitNode)[0]).toMatchObject({ SuggestedExitNode: peer.StableID })
    expect(rig.backend.views.suggestExitNode()).toMatchObject({ ID: peer.StableID, Name: peer.Name })
  })

  test('a newer version is told once', () => {
    const rig = joined()
    const heard = rig.watch(0)
    rig.map({ ClientVersion: { RunningLatest: false, LatestVersion: '9.9.9' } } as never)
    rig.map({ Peers: [] } as never)
    expect(heard.flatMap((notify) => notify.ClientVersion ?? [])).toEqual([{ RunningLatest: false, LatestVersion: '9.9.9' }])
  })
})

describe('the session with a peer', () => {
  test('goes from handshake to established, expires and is forgotten', () => {
    const rig = joined()
    const heard = rig.watch(WATCH.peerWireGuardState)
    const { dataplane } = rig.backend.facts
    const states = (): unknown[] => heard.flatMap((notify) => Object.values(notify.PeerState ?? {}).map((state) => state.PeerWireGuardState))
    dataplane.onPeerActivity(peerKey(rig), 'sending')
    dataplane.onHandshake(peerKey(rig))
    rig.clock.advance(120_000)
    dataplane.onHandshake(peerKey(rig))
    rig.clock.advance(179_000)
    expect(states()).toEqual(['handshake', 'established'])
    expect(rig.watch(WATCH.peerWireGuardState)[0]!.PeerState).toEqual({ [rig.backend.views.netMap()!.Peers[0]!.StableID]: { PeerWireGuardState: 'established', PeerWireGuardStateAt: expect.stringMatching(/^2026-11-22T/) } })
    rig.clock.advance(2_000)
    rig.clock.advance(360_000)
    expect(states()).toEqual(['handshake', 'established', 'expired', 'none'])
  })

  test('ends with a peer that leaves the map', () => {
    const rig = joined()
    const heard = rig.watch(WATCH.peerWireGuardState)
    rig.backend.facts.dataplane.onHandshake(peerKey(rig))
    rig.map({ PeersRemoved: [2] } as never)
    expect(heard.flatMap((notify) => Object.values(notify.PeerState ?? {}).map((state) => state.PeerWireGuardState))).toEqual(['established', 'none'])
  })

  test('is nobody\'s business who did not ask for it', () => {
    const rig = joined()
    const heard = rig.watch(0)
    rig.backend.facts.dataplane.onHandshake(peerKey(rig))
    expect(heard).toEqual([])
  })
})
