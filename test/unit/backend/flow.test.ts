import { describe, expect, test } from 'vitest'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import type { StorePort } from '../../../main/engine/backend/ports.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { ZERO_TIME } from '../../../main/engine/core/tailcfg/types.ts'
import { makeRig, NETMAP_BITS, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const URL1 = 'http://127.0.0.1:18080'
const UP = { ControlURL: URL1, CorpDNS: true, WantRunning: true, Hostname: 'n1', NetfilterMode: 2, NoStatefulFiltering: true }

function joined(store?: StorePort): Rig {
  const rig = makeRig(store ? { store } : {})
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-1' })
  rig.backend.loginInteractive()
  rig.signIn()
  return rig
}
const states = (heard: { State: number | null }[]): number[] => heard.flatMap((notify) => (notify.State === null ? [] : [notify.State]))
const name = (rig: Rig): string => rig.backend.views.status(false).BackendState

describe('joining with an auth key', () => {
  test('goes by Starting to Running, and the login-interactive behind it changes nothing', () => {
    const rig = makeRig()
    rig.backend.start()
    expect(name(rig)).toBe('NeedsLogin')
    const heard = rig.watch(0)
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-1' })
    rig.backend.loginInteractive()
    expect(rig.control.logins).toMatchObject([{ controlUrl: URL1, authKey: 'key-1', interactive: false, nodeKey: undefined }])
    rig.signIn()
    expect(states(heard)).toEqual([5, 6])
    expect(heard.some((notify) => notify.LoginFinished !== null)).toBe(true)
    expect(heard.some((notify) => notify.SelfChange !== undefined)).toBe(true)
  })

  test('tells control of us before it begins', () => {
    const rig = joined()
    expect(rig.control.wants).toMatchObject({ hostinfo: { Hostname: 'n1', OS: 'linux' }, discoKey: rig.magicsock.discoKey })
  })

  test('gives every part its slice', () => {
    const rig = joined()
    expect(rig.dataplane.config).toMatchObject({ selfAddresses: ['100.64.0.1', 'fd7a:115c:a1e0::1'], peers: [{ routes: ['100.64.0.2/32', 'fd7a:115c:a1e0::2/128'] }] })
    expect(rig.dataplane.key).toBeInstanceOf(PrivateKey)
    expect(rig.magicsock.config?.peers).toHaveLength(1)
    expect(rig.magicsock.nodeKey).toMatch(/^nodekey:/)
    expect(rig.derp.calls).toEqual(expect.arrayContaining(['key', 'map']))
  })

  test('a relay embedded in a plain-HTTP server is spoken to in plain HTTP', () => {
    expect(joined().derp.plain).toBe(true)
  })

  test('a refused key is an error on the bus, once, without the key in it', () => {
    const rig = makeRig()
    rig.backend.start()
    const heard = rig.watch(0)
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-secret' })
    const failed = { kind: 'failed', code: 'auth-key-invalid', message: 'the auth key was used already' } as const
    rig.backend.facts.control.onState(failed)
    rig.backend.facts.control.onState(failed)
    expect(heard.flatMap((notify) => notify.ErrMessage ?? [])).toEqual(['the auth key was used already'])
    expect(name(rig)).toBe('NeedsLogin')
    expect(JSON.stringify([heard, rig.journal, rig.backend.views.status(true)])).not.toContain('key-secret')
  })

  test('while already running, the state is told again, so that who waits is not left waiting', () => {
    const rig = joined()
    const heard = rig.watch(0)
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-2' })
    rig.backend.facts.control.onState({ kind: 'working', step: 'connect', sinceMs: 0, why: '' })
    rig.backend.facts.control.onState({ kind: 'running', sinceMs: 0 })
    expect(states(heard)).toEqual([6])
  })

  test('no server named is an error that says what to do', () => {
    const rig = makeRig()
    rig.backend.start()
    expect(() => rig.backend.startWith({ UpdatePrefs: { ...UP, ControlURL: '' }, AuthKey: 'k' })).toThrow(expect.objectContaining({ code: 'bad-argument', message: expect.stringContaining('--login-server') }))
  })
})

describe('signing in by a page', () => {
  test('the page goes to the bus once, shows in the status, and to who watches later', () => {
    const rig = makeRig()
    rig.backend.start()
    rig.backend.startWith({ UpdatePrefs: UP })
    const heard = rig.watch(0)
    rig.backend.loginInteractive()
    const waiting = { kind: 'waiting', authUrl: 'http://127.0.0.1:18080/register/x', sinceMs: 0 } as const
    rig.backend.facts.control.onState(waiting)
    rig.backend.facts.control.onPopBrowser(waiting.authUrl)
    expect(heard.flatMap((notify) => notify.BrowseToURL ?? [])).toEqual([waiting.authUrl])
    expect(rig.backend.views.status(false).AuthURL).toBe(waiting.authUrl)
    expect(rig.watch(2)[0]).toMatchObject({ State: 2, BrowseToURL: waiting.authUrl })
    rig.backend.loginInteractive()
    expect(rig.control.logins).toHaveLength(1)
    rig.signIn()
    expect(rig.backend.views.status(false)).toMatchObject({ BackendState: 'Running', AuthURL: '' })
  })

  test('renewing keeps the tunnels up and asks for a new key', () => {
    const rig = joined()
    rig.backend.loginInteractive()
    rig.backend.facts.control.onState({ kind: 'waiting', authUrl: 'http://x/y', sinceMs: 0 })
    expect(name(rig)).toBe('NeedsLogin')
    expect(rig.dataplane.config?.peers).toHaveLength(1)
    expect(rig.control.logins.at(-1)).toMatchObject({ interactive: true, nodeKey: expect.any(PrivateKey) })
  })

  test('force re-auth with an auth key asks for a new key with that key', () => {
    const rig = joined()
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-2' })
    rig.backend.loginInteractive()
    expect(rig.control.logins.at(-1)).toMatchObject({ interactive: true, authKey: 'key-2' })
  })

  test('an auth key for a sign-in that has ended is used once, with a new key, whatever the command sends behind it', () => {
    const rig = joined()
    const { ControlTime: _, ...message } = recorded('02-initial-one-peer.json')
    rig.map({ Node: { ...message.Node!, Expired: true } })
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-2' })
    expect(rig.control.logins.at(-1)).toMatchObject({ interactive: true, authKey: 'key-2', nodeKey: expect.any(PrivateKey) })
    const logins = rig.control.logins.length
    rig.backend.loginInteractive()
    expect(rig.control.logins).toHaveLength(logins)
  })

  test('an auth key is used once, whether or not a force re-auth follows the start', () => {
    for (const follows of [true, false]) {
      const rig = joined()
      const before = rig.control.logins.length
      rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-2' })
      if (follows) rig.backend.loginInteractive()
      rig.clock.advance(1_000)
      expect(rig.control.logins.slice(before)).toMatchObject([{ interactive: follows, authKey: 'key-2' }])
    }
  })

  test('disconnecting right after a start with an auth key leaves the key alone', () => {
    const rig = joined()
    const before = rig.control.logins.length
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'key-2' })
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    rig.clock.advance(1_000)
    expect(rig.control.logins).toHaveLength(before)
  })

  test('a new key is in force at once', () => {
    const rig = joined()
    const before = rig.magicsock.nodeKey
    const key = rig.signIn()
    expect(rig.magicsock.nodeKey).not.toBe(before)
    expect(rig.dataplane.key).toBe(key)
  })
})

describe('down, up and out', () => {
  test('down takes everything away and keeps the sign-in; up needs no key', () => {
    const rig = joined()
    const heard = rig.watch(0)
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect(states(heard)).toEqual([4])
    expect(heard.findIndex((notify) => notify.Prefs !== null)).toBeGreaterThan(heard.findIndex((notify) => notify.State !== null))
    expect(rig.dataplane.config?.peers).toEqual([])
    expect(rig.dataplane.key).toBeUndefined()
    expect(rig.control.calls.at(-1)).toBe('stop')
    expect(rig.backend.views.status(false).HaveNodeKey).toBe(true)
    rig.backend.editPrefs({ WantRunning: true, WantRunningSet: true })
    expect(rig.control.logins.at(-1)).toMatchObject({ nodeKey: expect.any(PrivateKey), interactive: false })
    expect(states(heard)).toEqual([4, 5, 6])
    expect(rig.dataplane.config?.peers).toHaveLength(1)
  })

  test('logout tells the server, forgets the key and the map, and goes back to the prefs of a new profile', async () => {
    const store = new MemoryStore()
    const rig = joined(store)
    const id = rig.backend.profiles.current().ID
    await rig.backend.logout()
    expect(rig.control.calls).toContain('logout')
    expect(rig.backend.views.status(true)).toMatchObject({ BackendState: 'NeedsLogin', TailscaleIPs: null, Peer: null })
    expect(rig.backend.views.status(true)).not.toHaveProperty('HaveNodeKey')
    expect(rig.backend.views.prefs()).toMatchObject({ LoggedOut: true, WantRunning: false, ControlURL: '', Config: null })
    expect(rig.backend.profiles.list()).toEqual([])
    expect(rig.dataplane.config?.peers).toEqual([])
    expect(store.load(`netmap-${id}`, (text) => text)).toBeUndefined()
  })

  test('logout with the server away signs out here and says what is left to do', async () => {
    const rig = joined()
    rig.control.logoutFails = new Error('no route')
    await expect(rig.backend.logout()).rejects.toMatchObject({ code: 'control-unreachable', message: expect.stringContaining('remove it there') })
    expect(name(rig)).toBe('NeedsLogin')
  })

  test('a map of a stream that ended with the sign-in is not taken', async () => {
    const rig = joined()
    await rig.backend.logout()
    rig.map(recorded('06-peer-connected.json'))
    expect(rig.backend.views.netMap()).toBeUndefined()
  })

  test('choosing another server forgets the key of the first', () => {
    const rig = joined()
    rig.backend.startWith({ UpdatePrefs: { ...UP, ControlURL: 'https://other.example' } })
    expect(rig.backend.views.status(false)).not.toHaveProperty('HaveNodeKey')
    expect(rig.control.logins).toHaveLength(1)
  })
})

describe('a restart', () => {
  test('keeps machine key, node key, prefs and who is signed in; a reboot never signs out', () => {
    const store = new MemoryStore()
    const before = joined(store)
    const rig = makeRig({ store })
    rig.backend.start()
    const [first, second] = [before.control.logins[0]!, rig.control.logins[0]!]
    expect(second.machineKey.secretText()).toBe(first.machineKey.secretText())
    expect(second).toMatchObject({ controlUrl: URL1, interactive: false, nodeKey: expect.any(PrivateKey) })
    expect(rig.backend.views.prefs()).toEqual(before.backend.views.prefs())
    expect(rig.backend.profiles.current()).toEqual(before.backend.profiles.current())
  })

  test('with control away comes up Running from the saved map, and says so', () => {
    const store = new MemoryStore()
    joined(store)
    const rig = makeRig({ store })
    rig.backend.start()
    rig.backend.facts.control.onState({ kind: 'lost', code: 'control-unreachable', message: 'connection refused', retryInMs: 1000 })
    expect(name(rig)).toBe('Running')
    expect(rig.dataplane.config?.peers).toHaveLength(1)
    expect(rig.backend.views.netMap()?.Cached).toBe(true)
    expect(rig.backend.views.health().Warnings).toHaveProperty('saved-map')
    expect(rig.journal).toContainEqual(expect.objectContaining({ kind: 'saved-map' }))
    rig.signIn()
    expect(rig.backend.views.health().Warnings).toBeNull()
    expect(rig.backend.views.netMap()?.Cached).toBe(false)
  })

  test('a server that stays away is told once, not at every try', () => {
    const rig = makeRig({ store: new MemoryStore() })
    rig.backend.start()
    rig.backend.editPrefs({ ControlURL: 'https://headscale.example', ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    rig.backend.startWith({})
    rig.backend.loginInteractive()
    const seen = new Set<string>()
    for (let i = 0; i < 5; i++) {
      rig.backend.facts.control.onState({ kind: 'lost', code: 'control-unreachable', message: 'connection refused', retryInMs: 1000 })
      seen.add(`${name(rig)} ${Object.keys(rig.backend.views.health().Warnings ?? {}).join()}`)
      rig.backend.facts.control.onState({ kind: 'working', step: 'connect', sinceMs: 0, why: 'trying again' })
      seen.add(`${name(rig)} ${Object.keys(rig.backend.views.health().Warnings ?? {}).join()}`)
    }
    expect([...seen]).toEqual(['Starting not-in-map-poll'])
    rig.backend.facts.control.onState({ kind: 'waiting', authUrl: 'https://headscale.example/register/x', sinceMs: 0 })
    expect(rig.backend.views.health().Warnings).toBeNull()
  })

  test('with control silent mentions the saved map only after a moment', () => {
    const store = new MemoryStore()
    joined(store)
    const rig = makeRig({ store })
    rig.backend.start()
    expect(rig.backend.views.health().Warnings).toBeNull()
    rig.clock.advance(3000)
    expect(rig.backend.views.health().Warnings).toHaveProperty('saved-map')
  })

  test('after down stays down', () => {
    const store = new MemoryStore()
    joined(store).backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    const rig = makeRig({ store })
    rig.backend.start()
    expect(name(rig)).toBe('Stopped')
    expect(rig.control.logins).toEqual([])
  })

  test('with rubbish in the state file begins anew instead of failing', () => {
    const store = new MemoryStore()
    store.save('state', '{"version":1,"machineKey":"x"}')
    const rig = makeRig({ store })
    rig.backend.start()
    expect(name(rig)).toBe('NeedsLogin')
  })

  test('that cannot save goes on in memory, warns, and saves when it can', () => {
    const store: StorePort = new MemoryStore()
    const save = store.save.bind(store)
    const rig = makeRig({ store })
    rig.backend.start()
    store.save = () => {
      throw new Error('no space left on device')
    }
    rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })
    expect(rig.backend.views.prefs().ShieldsUp).toBe(true)
    expect(rig.backend.views.health().Warnings!['state-not-saved']!.Text).toContain('no space left')
    store.save = save
    rig.clock.advance(15_000)
    expect(rig.backend.views.health().Warnings).toBeNull()
    expect(store.load('state', (text) => text)?.value).toContain('"ShieldsUp": true')
  })
})

describe('a running engine', () => {
  test('refused prefs change nothing', () => {
    const rig = joined()
    const before = rig.backend.views.prefs()
    expect(() => rig.backend.editPrefs({ AdvertiseRoutes: ['10.0.0.1/24'], AdvertiseRoutesSet: true })).toThrow(expect.objectContaining({ code: 'bad-prefs' }))
    expect(rig.backend.views.prefs()).toBe(before)
  })

  test('prefs that matter reach the parts and control', () => {
    const rig = joined()
    rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true, AdvertiseRoutes: ['10.9.0.0/24'], AdvertiseRoutesSet: true })
    expect(rig.dataplane.config?.filter).toMatchObject({ shieldsUp: true, localNets: expect.arrayContaining(['10.9.0.0/24']) })
    expect(rig.control.wants?.hostinfo).toMatchObject({ ShieldsUp: true, RoutableIPs: ['10.9.0.0/24'] })
  })

  test('a peer that comes, changes and goes is told to who watches', () => {
    const rig = joined()
    const heard = rig.watch(4096)
    rig.map(recorded('10-peer-hostname-changed.json'))
    rig.map({ PeersRemoved: [2] })
    expect(heard.flatMap((notify) => notify.PeersChanged ?? [])).toMatchObject([{ ID: 2, ComputedName: 'renamed' }])
    expect(heard.flatMap((notify) => notify.PeersRemoved ?? [])).toEqual([2])
    expect(rig.dataplane.config?.peers).toEqual([])
  })

  test('online and offline is a patch for who takes patches, a whole node for others', () => {
    const rig = joined()
    const [narrow, whole] = [rig.watch(32768), rig.watch(4096)]
    rig.map(recorded('08-peer-offline-patch.json'))
    expect(narrow.at(-1)).toMatchObject({ PeerChangedPatch: [{ NodeID: 2, Online: false }] })
    expect(narrow.at(-1)).not.toHaveProperty('PeersChanged')
    expect(whole.at(-1)).toMatchObject({ PeersChanged: [{ ID: 2, Online: false }] })
  })

  test('endpoints and net info go to control, whole', () => {
    const rig = joined()
    rig.backend.facts.magicsock.onEndpoints([{ addr: '192.0.2.2:1', type: 1 }])
    rig.backend.facts.magicsock.onNetInfo({ PreferredDERP: 999 })
    expect(rig.control.wants).toMatchObject({ endpoints: [{ addr: '192.0.2.2:1', type: 1 }], hostinfo: { NetInfo: { PreferredDERP: 999 } } })
  })

  test('our key ends at its time: nothing flows and the warning says what to do', () => {
    const rig = makeRig()
    rig.backend.start()
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
    const message = recorded('02-initial-one-peer.json')
    rig.signIn({ ...message, ControlTime: null, Node: { ...message.Node!, KeyExpiry: new Date(rig.clock.wallMs() + 60_000).toISOString() } })
    expect(name(rig)).toBe('Running')
    rig.clock.advance(60_002)
    expect(name(rig)).toBe('NeedsLogin')
    expect(rig.dataplane.config?.peers).toEqual([])
    expect(rig.backend.views.health().Warnings!['key-expired']!.Text).toContain('sign in again')
  })

  test("a peer's key ends at its time, without a word from control", () => {
    const rig = makeRig()
    rig.backend.start()
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
    const message = recorded('02-initial-one-peer.json')
    rig.signIn({ ...message, ControlTime: null, Peers: [{ ...message.Peers![0]!, KeyExpiry: new Date(rig.clock.wallMs() + 60_000).toISOString() }] })
    rig.clock.advance(59_000)
    expect(rig.dataplane.config?.peers).toHaveLength(1)
    rig.clock.advance(2_000)
    expect(rig.dataplane.config?.peers).toEqual([])
  })

  test('control lost keeps the tunnels and says that they go on', () => {
    const rig = joined()
    rig.backend.facts.control.onState({ kind: 'lost', code: 'control-unreachable', message: 'connection refused', retryInMs: 500 })
    expect(name(rig)).toBe('Running')
    expect(rig.backend.views.health().Warnings!['not-in-map-poll']!.Text).toContain('Existing connections continue')
  })

  test('an exit node chosen by address is kept by its ID', () => {
    const rig = joined()
    rig.backend.editPrefs({ ExitNodeIP: '100.64.0.2', ExitNodeIPSet: true })
    rig.map(recorded('12-peer-routes-approved.json'))
    expect(rig.backend.views.prefs()).toMatchObject({ ExitNodeID: '2', ExitNodeIP: '' })
    expect(rig.dataplane.config?.peers[0]?.routes).toContain('0.0.0.0/0')
  })

  test('engine numbers come every two seconds while somebody wants them', () => {
    const rig = joined()
    const heard = rig.watch(1)
    rig.clock.advance(6_000)
    expect(heard.filter((notify) => notify.Engine !== null)).toHaveLength(3)
    expect(heard[0]!.Engine).toMatchObject({ LiveDERPs: 1 })
  })

  test('private keys are in no answer, no event and no notify', () => {
    const rig = joined()
    const heard = rig.watch(NETMAP_BITS + 16384)
    const secrets = [rig.dataplane.key!, rig.control.logins[0]!.machineKey].map((key) => key.secretText().slice('privkey:'.length))
    const said = JSON.stringify([heard, rig.journal, rig.backend.views.status(true), rig.backend.views.prefs(), rig.backend.views.netMap()])
    for (const secret of secrets) expect(said).not.toContain(secret)
    expect(said).not.toContain('key-1')
  })

  test('a dead packet thread is told as a warning', () => {
    const rig = joined()
    rig.backend.facts.dataplane.onFailed('native-failed', 'the socket broke')
    expect(rig.backend.views.health().Warnings!['packet-thread']!.Text).toContain('the socket broke')
  })

  test('times that are not known are the zero time', () => {
    const peer = Object.values(joined().backend.views.status(true).Peer!)[0]!
    expect([peer.LastHandshake, peer.LastSeen]).toEqual([ZERO_TIME, ZERO_TIME])
  })
})
