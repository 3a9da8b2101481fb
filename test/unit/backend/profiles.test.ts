import { describe, expect, test } from 'vitest'
import { nodeKey as publicNodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import type { StorePort } from '../../../main/engine/backend/ports.ts'
import type { MapResponse } from '../../../main/engine/core/tailcfg/types.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { reduceNotify, EMPTY_BUS, BUS_MASK } from '../../../main/localapi/reduce-notify.ts'
import { defaultPrefs } from '../../../main/engine/backend/prefs.ts'
import { seededRandom } from '../../sim/clock.ts'
import { ALICE, makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const HOME = 'https://home.example'
const WORK = 'https://work.example'
const BOB = { ID: 2, LoginName: 'bob', DisplayName: 'Bob' }
const BEFORE = { ...defaultPrefs('linux'), LoggedOut: false, WantRunning: true }

/** The recorded map as another user's node would see it. */
function mapOf(user: typeof BOB, stableId: string): MapResponse {
  const map = recorded('02-initial-one-peer.json')
  return { ...map, Node: { ...map.Node!, User: user.ID, StableID: stableId }, UserProfiles: [user, ...(map.UserProfiles ?? [])] }
}

function signIn(rig: Rig, url: string, map?: MapResponse, prefs: object = {}): string {
  rig.backend.startWith({ UpdatePrefs: { ...BEFORE, ControlURL: url, ...prefs }, AuthKey: 'k' })
  rig.signIn(map)
  return rig.backend.profiles.current().ID
}

/** alice at home, then bob at work, in use. */
function two(store: StorePort = new MemoryStore()): { rig: Rig; home: string; work: string } {
  const rig = makeRig({ store })
  rig.backend.start()
  const home = signIn(rig, HOME, undefined, { Hostname: 'home-name', ShieldsUp: true, ProfileName: 'at home' })
  rig.backend.profileSwitch.toNew()
  const work = signIn(rig, WORK, mapOf(BOB, '77'))
  return { rig, home, work }
}

const stateOf = (store: StorePort, name = 'state'): string => store.load(name, (text) => text)?.value ?? ''

describe('profiles', () => {
  test('a new one is empty, and is listed once somebody has signed in', () => {
    const rig = makeRig()
    rig.backend.start()
    expect(rig.backend.profiles.list()).toEqual([])
    const home = signIn(rig, HOME)
    rig.backend.profileSwitch.toNew()
    expect(rig.backend.views.prefs()).toEqual(defaultPrefs('linux'))
    expect(rig.backend.views.status(true)).toMatchObject({ BackendState: 'NeedsLogin', Peer: null, TailscaleIPs: null })
    expect(rig.backend.profiles.current()).toMatchObject({ ID: '', Name: '', ControlURL: '' })
    expect(rig.backend.profiles.list().map(({ ID }) => ID)).toEqual([home])
  })

  test('are listed the oldest first, by nickname or else by who has signed in', () => {
    const { rig, home, work } = two()
    expect(rig.backend.profiles.list()).toMatchObject([
      { ID: home, Name: 'at home', ControlURL: HOME, UserProfile: ALICE },
      { ID: work, Name: 'bob', ControlURL: WORK, UserProfile: BOB, NodeID: '77' },
    ])
  })

  test('nothing of one meets the other', () => {
    const { rig, home, work } = two()
    const [first, second] = [rig.control.logins[0]!, rig.control.logins.at(-1)!]
    const workKey = rig.dataplane.key
    const workDisco = rig.magicsock.discoKey
    expect(rig.backend.views.prefs()).toMatchObject({ Hostname: '', ShieldsUp: false, ControlURL: WORK })
    expect(second.machineKey.secretText()).toBe(first.machineKey.secretText())
    expect(second.nodeKey).toBeUndefined()
    rig.backend.profileSwitch.to(home)
    expect(rig.backend.views.prefs()).toMatchObject({ Hostname: 'home-name', ShieldsUp: true, ControlURL: HOME, Config: { UserProfile: ALICE } })
    expect(rig.dataplane.key?.secretText()).not.toBe(workKey?.secretText())
    expect(rig.magicsock.discoKey).not.toBe(workDisco)
    expect(rig.control.wants).toMatchObject({ discoKey: rig.magicsock.discoKey, hostinfo: { Hostname: 'home-name' } })
    rig.backend.profileSwitch.to(work)
    expect(rig.dataplane.key?.secretText()).toBe(workKey?.secretText())
    expect(rig.magicsock.discoKey).toBe(workDisco)
  })

  test('a switch is Running at once from the saved map, and the old tunnels and stream are gone before', () => {
    const { rig, home } = two()
    const heard = rig.watch(0)
    const stops = rig.control.calls.filter((call) => call === 'stop').length
    rig.backend.profileSwitch.to(home)
    expect(heard.flatMap(({ State }) => (State === null ? [] : [State]))).toEqual([0, 5, 6])
    expect(rig.control.calls.filter((call) => call === 'stop')).toHaveLength(stops + 1)
    expect(rig.derp.calls).toContain('no-key')
    expect(rig.control.logins.at(-1)).toMatchObject({ controlUrl: HOME, interactive: false })
    expect(rig.backend.views.status(true).BackendState).toBe('Running')
  })

  test('a watcher that knows the old network knows only the new one after a switch', () => {
    const { rig, home } = two()
    let bus = EMPTY_BUS
    rig.backend.watch(BUS_MASK, { write: (notify) => ((bus = reduceNotify(bus, notify)), true), end: () => {} })
    const named = { ...recorded('02-initial-one-peer.json') }
    rig.map({ PeersChanged: named.Peers!.map((peer) => ({ ...peer, ID: 900, StableID: '900', Name: 'only-at-work.' })) })
    expect(bus.peers.has(900)).toBe(true)
    rig.backend.profileSwitch.to(home)
    expect([...bus.peers.keys()]).toEqual(named.Peers!.map(({ ID }) => ID))
    expect(bus.self?.User).toBe(ALICE.ID)
    expect(bus.prefs?.ControlURL).toBe(HOME)
  })

  test('one that was disconnected stays so after a switch to it', () => {
    const { rig, home, work } = two()
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    rig.backend.profileSwitch.to(home)
    rig.backend.profileSwitch.to(work)
    expect(rig.backend.views.status(false).BackendState).toBe('Stopped')
    expect(rig.dataplane.key).toBeUndefined()
  })

  test('all are there after a restart, the last one in use', () => {
    const store = new MemoryStore()
    const { home, work } = two(store)
    const rig = makeRig({ store })
    rig.backend.start()
    expect(rig.backend.profiles.current().ID).toBe(work)
    rig.backend.profileSwitch.to(home)
    expect(rig.backend.views.status(true).BackendState).toBe('Running')
    const third = makeRig({ store })
    third.backend.start()
    expect(third.backend.profiles.current().ID).toBe(home)
  })

  test('a sign-in by the same person at the same server takes the place of the old one', () => {
    const store = new MemoryStore()
    const { rig, home, work } = two(store)
    const old = stateOf(store)
    rig.backend.profileSwitch.toNew()
    const again = signIn(rig, HOME, undefined, { Hostname: 'new-name' })
    expect(again).toBe(home)
    expect(rig.backend.profiles.list().map(({ ID }) => ID)).toEqual([home, work])
    expect(rig.backend.views.prefs().Hostname).toBe('new-name')
    const [oldKey] = /privkey:[0-9a-f]{64}(?=",\s*"nodeKeyUrl": "https:\/\/home)/.exec(old)!
    expect(stateOf(store)).not.toContain(oldKey)
  })

  test('a removed one is gone, on disk too, and the one in use goes on', () => {
    const store = new MemoryStore()
    const { rig, home, work } = two(store)
    expect(stateOf(store, `netmap-${home}`)).not.toBe('')
    rig.backend.profileSwitch.remove(home)
    expect(rig.backend.profiles.list().map(({ ID }) => ID)).toEqual([work])
    expect(stateOf(store)).not.toContain(HOME)
    expect(stateOf(store, `netmap-${home}`)).toBe('')
    expect(rig.backend.views.status(true).BackendState).toBe('Running')
    expect(() => rig.backend.profileSwitch.to(home)).toThrow('profile not found')
  })

  test('removing the one in use leaves a new one; the others stay', () => {
    const { rig, home, work } = two()
    rig.backend.profileSwitch.remove(work)
    expect(rig.backend.views.status(true)).toMatchObject({ BackendState: 'NeedsLogin', Peer: null })
    expect(rig.dataplane.key).toBeUndefined()
    expect(rig.backend.profiles.list().map(({ ID }) => ID)).toEqual([home])
  })

  test('signing out forgets one and keeps the others', async () => {
    const { rig, home } = two()
    await rig.backend.logout()
    expect(rig.backend.profiles.current().ID).toBe('')
    expect(rig.backend.profiles.list().map(({ ID }) => ID)).toEqual([home])
  })

  test('a reset forgets all, and the machine key', () => {
    const { rig } = two()
    const before = rig.control.logins[0]!.machineKey.secretText()
    rig.backend.resetAuth()
    expect(rig.backend.profiles.list()).toEqual([])
    rig.backend.startWith({ UpdatePrefs: { ...BEFORE, ControlURL: HOME }, AuthKey: 'k' })
    expect(rig.control.logins.at(-1)!.machineKey.secretText()).not.toBe(before)
  })
})

describe('state of version 1', () => {
  test('is taken over whole: keys, prefs, saved map and disco key', () => {
    const store = new MemoryStore()
    const random = seededRandom(9)
    const [machineKey, nodeKey, discoKey] = [0, 1, 2].map(() => PrivateKey.fromRandom(random.bytes(32))) as [PrivateKey, PrivateKey, PrivateKey]
    const prefs = { ...BEFORE, ControlURL: HOME, Hostname: 'kept' }
    const profile = { id: '13f5', created: '2026-11-22T21:47:18.340Z' }
    const network = { magicDnsName: 'lab.internal', domain: 'lab' }
    store.save('state', JSON.stringify({ version: 1, machineKey: machineKey.secretText(), nodeKey: nodeKey.secretText(), nodeKeyUrl: HOME, prefs, profile, user: ALICE, nodeId: '1', network }))
    store.save('disco', `${discoKey.secretText()}\n`)
    const seed = makeRig()
    seed.backend.start()
    signIn(seed, HOME)
    const map = JSON.parse(stateOf(seed.store, `netmap-${seed.backend.profiles.current().ID}`)) as Record<string, unknown>
    store.save('netmap', JSON.stringify({ ...map, nodeKey: publicNodeKey(nodeKey.publicBytes()) }))
    const rig = makeRig({ store })
    rig.backend.start()
    expect(rig.backend.profiles.list()).toMatchObject([{ ID: '13f5', Created: profile.created, UserProfile: ALICE, ControlURL: HOME }])
    expect(rig.control.logins.at(-1)).toMatchObject({ controlUrl: HOME })
    expect(rig.control.logins.at(-1)!.machineKey.secretText()).toBe(machineKey.secretText())
    expect(rig.dataplane.key?.secretText()).toBe(nodeKey.secretText())
    expect(rig.backend.views.status(true).BackendState).toBe('Running')
    expect(JSON.parse(stateOf(store))).toMatchObject({ version: 2, current: '13f5', profiles: [{ discoKey: discoKey.secretText() }] })
    expect([stateOf(store, 'disco'), stateOf(store, 'netmap')]).toEqual(['', ''])
  })

  test('of a later version is refused in words and left as it is', () => {
    const store = new MemoryStore()
    store.save('state', '{"version":3,"machineKey":"?"}')
    const rig = makeRig({ store })
    expect(() => rig.backend.start()).toThrow(expect.objectContaining({ code: 'bad-state-file', message: expect.stringContaining('later version') }))
    expect(stateOf(store)).toBe('{"version":3,"machineKey":"?"}')
  })
})
