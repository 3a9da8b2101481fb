import { describe, expect, test } from 'vitest'
import { settle } from '../../sim/clock.ts'
import type { MapResponse, Node } from '../../../main/engine/core/tailcfg/types.ts'
import type { ExitNodesPage } from '../../../main/localapi/exit-nodes.ts'
import { makeRig, NETMAP_BITS, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }
const BOTH = ['0.0.0.0/0', '::/0']
const CHOSEN = { ExitNodeID: '2', ExitNodeIDSet: true }
const WLAN = { name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }

/** A network with two exit nodes, exit-2 and exit-3, and a device that is none. */
function exitMap(change: (id: number) => Partial<Node> = () => ({})): MapResponse {
  const message = recorded('02-initial-one-peer.json')
  const base = message.Peers![0]!
  const peer = (id: number): Node => {
    const ip = `100.64.0.${id}/32`
    return {
      ...base, ID: id, StableID: String(id), Key: `nodekey:${String(id).padStart(64, '0')}`, Name: id === 4 ? 'desk.lab.internal.' : `exit-${id}.lab.internal.`,
      Addresses: [ip], AllowedIPs: id === 4 ? [ip] : [ip, ...BOTH], Online: true, ...change(id),
    }
  }
  return { ...message, Peers: [peer(2), peer(3), peer(4)] }
}

async function running(message = exitMap()): Promise<Rig> {
  const rig = makeRig({ resolve: () => Promise.resolve(['192.0.2.9']) })
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.backend.facts.onSystem({ interfaces: [WLAN] })
  rig.signIn(message)
  await settle()
  return rig
}

async function ask(rig: Rig, host = '198.51.100.7'): Promise<unknown> {
  rig.backend.facts.dataplane.onProxyRequest({ id: 7, via: 'socks5', host, port: 80 })
  await settle()
  return rig.dataplane.answers.at(-1)?.answer
}

/** Nobody answers any more, or everybody again. */
function silence(rig: Rig, on: boolean): void {
  rig.magicsock.pingFails = rig.dataplane.pingFails = on ? new Error('no answer') : undefined
}

async function pass(rig: Rig, forMs: number): Promise<void> {
  for (let left = forMs; left > 0; left -= 250) {
    rig.clock.advance(Math.min(250, left))
    await settle()
  }
}

const page = (rig: Rig): Promise<ExitNodesPage> => rig.backend.exitNodes.next(undefined).page
const kinds = (rig: Rig): string[] => rig.journal.filter(({ part, kind }) => part === 'exit-node' && kind !== 'checked').map(({ kind }) => kind)

describe('a chosen exit node', () => {
  test('is told to the server, the bus and the journal, with the reason', async () => {
    const rig = await running()
    const heard = rig.watch(NETMAP_BITS)
    rig.backend.editPrefs(CHOSEN)
    await settle()
    expect(rig.control.wants?.hostinfo.ExitNodeID).toBe('2')
    expect(heard.flatMap(({ Egress }) => Egress ?? [])).toEqual([{ Kind: 'exit', ID: '2', Name: 'exit-2', Why: 'chosen by you' }])
    expect(rig.journal.findLast(({ part }) => part === 'exit-node')).toMatchObject({ kind: 'exit', why: 'chosen by you', name: 'exit-2' })
    expect(rig.dataplane.config?.peers.filter(({ routes }) => routes.includes('::/0'))).toHaveLength(1)
  })

  test('that does not answer is blocked within six seconds of the first request, said by health, and used again by itself', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 20_000)
    silence(rig, true)
    expect(await ask(rig)).toMatchObject({ kind: 'tunnel' })
    await pass(rig, 5_000)
    expect(await ask(rig)).toEqual({ kind: 'refuse', code: 'not-allowed', message: 'blocked because the exit node exit-2 does not answer' })
    expect(await ask(rig, 'outside.example')).toMatchObject({ kind: 'refuse', code: 'not-allowed' })
    expect(rig.health.state().Warnings?.['exit-node-blocked']?.Text).toContain('Traffic to the internet is blocked because the exit node exit-2 does not answer')
    silence(rig, false)
    await pass(rig, 3_000)
    expect(await ask(rig)).toMatchObject({ kind: 'tunnel' })
    expect(rig.health.state().Warnings?.['exit-node-blocked']).toBeUndefined()
    expect(kinds(rig)).toEqual(['exit', 'blocked', 'exit'])
  })

  test('with packets that go out and none that come back is asked, and blocked', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 5_000)
    silence(rig, true)
    const key = rig.magicsock.config!.peers.find(({ ip }) => ip === '100.64.0.2')!.key
    let txPackets = 0
    rig.dataplane.stats = () => new Map([[key, { rxBytes: 0, txBytes: 0, lastHandshakeMs: 1, rxPackets: 5, txPackets: ++txPackets }]]) as never
    rig.backend.facts.dataplane.onPeerActivity(key, 'sending')
    await pass(rig, 6_500)
    expect((await page(rig)).Egress.Kind).toBe('blocked')
  })

  test('that the server calls offline stays in use while it answers, and is named as offline when it does not', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 2_000)
    rig.map({ PeersChangedPatch: [{ NodeID: 2, Online: false }] })
    await pass(rig, 6_000)
    expect((await page(rig)).Egress.Kind).toBe('exit')
    silence(rig, true)
    await ask(rig)
    await pass(rig, 4_000)
    expect((await page(rig)).Egress).toMatchObject({ Kind: 'blocked', Why: 'blocked because the exit node exit-2 is offline' })
  })

  test('with "next node" is replaced, and another one is never told as the person’s choice', async () => {
    const rig = await running()
    rig.backend.editExtras({ ExitNodeFailure: 'next' })
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 2_000)
    const real = rig.magicsock.ping.bind(rig.magicsock)
    rig.dataplane.pingFails = new Error('no answer')
    rig.magicsock.ping = ((peer: string) => (peer.endsWith('2') ? Promise.reject(new Error('no answer')) : real())) as never
    rig.map({ PeersChangedPatch: [{ NodeID: 2, Online: false }] })
    await pass(rig, 4_000)
    expect(rig.backend.views.prefs().ExitNodeID).toBe('2')
    expect(rig.control.wants?.hostinfo.ExitNodeID).toBe('3')
    expect(rig.backend.views.status(true).ExitNodeStatus?.ID).toBe('3')
    expect((await page(rig)).Egress).toMatchObject({ Kind: 'exit', ID: '3', Why: expect.stringContaining('exit-2 is offline: ') as unknown })
    expect(rig.health.state().Warnings?.['exit-node-replaced']?.Text).toContain('exit-3')
  })

  test('that leaves the network is blocked in the same moment', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    rig.map({ PeersRemoved: [2] })
    expect(await ask(rig)).toMatchObject({ kind: 'refuse', message: 'blocked because the chosen exit node is not in this network any more' })
  })

  test('stays chosen, and blocked, over a restart without a map', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    const again = makeRig({ store: rig.store })
    again.store.remove('netmap-' + (JSON.parse(JSON.stringify(again.store.load('state', (text) => JSON.parse(text) as { current: string })?.value)) as { current: string }).current)
    again.backend.start()
    expect(await ask(again)).toMatchObject({ kind: 'refuse', message: 'blocked because Bowline is not connected yet and an exit node is chosen' })
  })
})

describe('an automatic exit node', () => {
  test('is chosen by measured path, noted in the prefs as the stock daemon notes it, and told to the server once it is settled', async () => {
    const rig = await running()
    const view = rig.magicsock.via
    rig.magicsock.ping = ((peer: string) => Promise.resolve({ latencyMs: peer.endsWith('3') ? 5 : 50, via: view })) as never
    const prefs = rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    expect(prefs).toMatchObject({ AutoExitNode: 'any', ExitNodeID: 'auto:any' })
    expect(rig.control.wants?.hostinfo.ExitNodeID).toBeUndefined()
    await pass(rig, 1_000)
    expect(rig.backend.views.prefs()).toMatchObject({ AutoExitNode: 'any', ExitNodeID: '3', ExitNodeIP: '' })
    expect(rig.control.wants?.hostinfo.ExitNodeID).toBe('3')
    expect((await page(rig)).Chosen).toMatchObject({ Kind: 'auto', ID: '3', Name: 'exit-3' })
  })

  test('that falls silent under steady traffic is left for another one within four seconds', async () => {
    const rig = await running()
    const real = rig.magicsock.ping.bind(rig.magicsock)
    let dead = ''
    rig.magicsock.ping = ((peer: string) => (peer === dead ? Promise.reject(new Error('no answer')) : real())) as never
    rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    await pass(rig, 12_000)
    const used = rig.backend.views.prefs().ExitNodeID
    const key = rig.magicsock.config!.peers.find(({ ip }) => ip === `100.64.0.${used}`)!.key
    let [rxPackets, txPackets] = [0, 0]
    rig.dataplane.stats = () => new Map([[key, { rxBytes: 0, txBytes: 0, lastHandshakeMs: 1, rxPackets: dead === '' ? ++rxPackets : rxPackets, txPackets: ++txPackets }]]) as never
    rig.backend.facts.dataplane.onPeerActivity(key, 'sending')
    await pass(rig, 30_000)
    expect((await page(rig)).Egress).toMatchObject({ Kind: 'exit', ID: used })
    dead = key
    rig.dataplane.pingFails = new Error('no answer')
    await pass(rig, 4_000)
    expect((await page(rig)).Egress).toMatchObject({ Kind: 'exit', ID: used === '2' ? '3' : '2', Why: expect.stringContaining(`exit-${used} does not answer`) as unknown })
  })

  test('is blocked while nobody offers to be one', async () => {
    const rig = await running(exitMap(() => ({ AllowedIPs: [] })))
    rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    expect(await ask(rig)).toMatchObject({ kind: 'refuse', message: 'blocked because no device offers itself as exit node' })
  })
})

describe('a pause', () => {
  test('lets traffic past for its time, visibly, and ends by itself', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    const paused = rig.backend.exitNodes.act({ Do: 'pause', Seconds: 60 })
    expect(paused.Egress).toMatchObject({ Kind: 'paused', ID: '2', Until: new Date(rig.clock.wallMs() + 60_000).toISOString() })
    expect(await ask(rig)).toMatchObject({ kind: 'system' })
    expect(await ask(rig, 'outside.example')).toMatchObject({ kind: 'system' })
    expect(rig.health.state().Warnings?.['exit-node-paused']?.Text).toContain('goes out directly')
    await pass(rig, 61_000)
    expect(await ask(rig)).toMatchObject({ kind: 'tunnel' })
  })

  test.each<[string, (rig: Rig) => void]>([
    ['a person ends it', (rig) => void rig.backend.exitNodes.act({ Do: 'resume' })],
    ['this computer is on another network', (rig) => rig.backend.facts.onMove('wlan0 has another address', false)],
    ['the sign-in page is gone', (rig) => rig.health.clear('captive-portal-detected')],
    ['another exit node is chosen', (rig) => void rig.backend.exitNodes.act({ Do: 'use', Node: 'exit-3' })],
  ])('ends when %s', async (_name, end) => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    rig.health.set('captive-portal-detected')
    expect(rig.health.state().Warnings?.['exit-node-holds-portal']?.Text).toContain('bowline exit-node pause')
    rig.backend.exitNodes.act({ Do: 'pause' })
    expect(rig.health.state().Warnings?.['exit-node-holds-portal']).toBeUndefined()
    expect((await page(rig)).Egress.Kind).toBe('paused')
    end(rig)
    expect((await page(rig)).Egress.Kind).toBe('exit')
  })

  test('goes on after a sleep in the same place', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    rig.backend.exitNodes.act({ Do: 'pause' })
    rig.backend.facts.onMove('the computer slept', true)
    expect((await page(rig)).Egress.Kind).toBe('paused')
  })

  test('needs a chosen exit node', async () => {
    const rig = await running()
    expect(() => rig.backend.exitNodes.act({ Do: 'pause' })).toThrow('No exit node is chosen')
  })
})

describe('the page', () => {
  test('shows every exit node with its path, owner and why it cannot be used, the suggested one first', async () => {
    const rig = await running(exitMap((id) => (id === 2 ? { Tags: ['tag:exit'] } : id === 3 ? { Online: false, AllowedIPs: ['100.64.0.3/32', ...BOTH] } : { Hostinfo: { RoutableIPs: BOTH } })))
    const real = rig.magicsock.ping.bind(rig.magicsock)
    rig.magicsock.ping = ((peer: string) => (peer.endsWith('3') ? Promise.reject(new Error('no answer')) : real())) as never
    rig.backend.exitNodes.act({ Do: 'check' })
    await pass(rig, 5_000)
    const { Nodes, Chosen, Egress, LAN } = await page(rig)
    expect(Chosen).toEqual({ Kind: 'none' })
    expect(Egress).toEqual({ Kind: 'direct' })
    expect(LAN).toEqual([{ Prefix: '192.168.1.0/24', Interface: 'wlan0' }])
    expect(Nodes.map(({ Name, Owner, Suggested, Why, Unavailable, Path, LatencyMs }) => ({ Name, Owner, Suggested, Why, Unavailable, Path, LatencyMs }))).toEqual([
      { Name: 'exit-2', Owner: 'tag:exit', Suggested: true, Why: 'the only one that answers: direct, 0.5 ms', Unavailable: undefined, Path: 'direct', LatencyMs: 0.455 },
      { Name: 'desk', Owner: 'alice', Suggested: false, Why: undefined, Unavailable: 'not approved on the server', Path: undefined, LatencyMs: undefined },
      { Name: 'exit-3', Owner: 'alice', Suggested: false, Why: undefined, Unavailable: 'offline, says the server, and does not answer', Path: undefined, LatencyMs: undefined },
    ])
  })

  test('is held back until it changes', async () => {
    const rig = await running()
    const { Version } = await page(rig)
    const { page: later } = rig.backend.exitNodes.next(Version)
    let answer: ExitNodesPage | undefined
    void later.then((one) => (answer = one))
    await pass(rig, 1_000)
    expect(answer).toBeUndefined()
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 100)
    expect(answer).toMatchObject({ Egress: { Kind: 'exit' } })
    expect(answer!.Version).toBeGreaterThan(Version)
  })

  test('comes to who waits for it, also when somebody else has seen the change before', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    await pass(rig, 1_000)
    const { Version } = await page(rig)
    let answer: ExitNodesPage | undefined
    void rig.backend.exitNodes.next(Version).page.then((one) => (answer = one))
    expect(rig.backend.exitNodes.act({ Do: 'pause' }).Egress.Kind).toBe('paused')
    expect((await page(rig)).Egress.Kind).toBe('paused')
    await pass(rig, 1_000)
    expect(answer).toMatchObject({ Egress: { Kind: 'paused' } })
  })
})

describe('choosing', () => {
  test.each(['exit-3', 'EXIT-3', 'exit-3.lab.internal', 'exit-3.lab.internal.', '100.64.0.3', '3'])('takes %s as the device it is, with its rules', async (text) => {
    const rig = await running()
    const answer = rig.backend.exitNodes.act({ Do: 'use', Node: text, AllowLAN: true, Failure: 'next' })
    expect(answer).toMatchObject({ Chosen: { Kind: 'node', ID: '3', Name: 'exit-3' }, AllowLAN: true, Failure: 'next' })
    expect(rig.backend.exitNodes.act({ Do: 'clear' })).toMatchObject({ Chosen: { Kind: 'none' }, AllowLAN: true, Egress: { Kind: 'direct' } })
  })

  test.each<[unknown, string]>([
    [{ Do: 'use', Node: 'desk' }, 'desk cannot be used: it is not offered as one, or not approved on the server'],
    [{ Do: 'use', Node: 'exit-9' }, 'No device of this network is called "exit-9"'],
    [{ Do: 'use', Node: 'n1' }, 'This device cannot be its own exit node'],
    [{ Do: 'use', Node: '100.64.0.1' }, 'This device cannot be its own exit node'],
    [{ Do: 'use' }, 'Name a device'],
    [{ Do: 'use', Node: 'exit-3', Failure: 'maybe' }, 'Failure is one of'],
    [{ Do: 'use', Node: 'exit-3', AllowLAN: 1 }, 'AllowLAN'],
    [{ Do: 'pause', Seconds: 0 }, 'from one second to 8 hours'],
    [{ Do: 'pause', Seconds: 1e9 }, 'from one second to 8 hours'],
    [{ Do: 'dance' }, 'Do is one of'],
    [null, 'Do is one of'], ['use', 'Do is one of'], [[], 'Do is one of'],
  ])('refuses %j and changes nothing', async (body, why) => {
    const rig = await running()
    const before = JSON.stringify([rig.backend.views.prefs(), rig.backend.extras])
    expect(() => rig.backend.exitNodes.act(body)).toThrow(why)
    expect(JSON.stringify([rig.backend.views.prefs(), rig.backend.extras])).toBe(before)
  })
})

describe('prefs, as the stock daemon takes them', () => {
  test('an address becomes the ID of the device that has it at once, or when the map knows it', async () => {
    const rig = await running()
    expect(rig.backend.editPrefs({ ExitNodeIP: '100.64.0.3', ExitNodeIPSet: true, ExitNodeID: '', ExitNodeIDSet: true })).toMatchObject({ ExitNodeID: '3', ExitNodeIP: '' })
    expect(rig.backend.editPrefs({ ExitNodeIP: '100.64.0.77', ExitNodeIPSet: true })).toMatchObject({ ExitNodeID: '', ExitNodeIP: '100.64.0.77' })
    expect((await page(rig)).Egress).toMatchObject({ Kind: 'blocked', Name: '100.64.0.77' })
  })

  test('naming a device ends choosing by itself; taking "auto" back takes back what it has not settled', async () => {
    const rig = await running()
    silence(rig, true)
    rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    expect(rig.backend.editPrefs({ AutoExitNode: '', AutoExitNodeSet: true })).toMatchObject({ ExitNodeID: '' })
    rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    expect(rig.backend.editPrefs(CHOSEN)).not.toHaveProperty('AutoExitNode')
  })

  test('switching off and on again remembers the device, or that it was chosen by itself', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    expect(rig.backend.useExitNode(false)).toMatchObject({ ExitNodeID: '', InternalExitNodePrior: '2' })
    expect(rig.backend.useExitNode(true)).toMatchObject({ ExitNodeID: '2' })
    rig.backend.editPrefs({ AutoExitNode: 'any', AutoExitNodeSet: true })
    expect(rig.backend.useExitNode(false)).toMatchObject({ ExitNodeID: '', InternalExitNodePrior: 'auto:any' })
    expect(rig.backend.views.prefs()).not.toHaveProperty('AutoExitNode')
    expect(rig.backend.useExitNode(true)).toMatchObject({ AutoExitNode: 'any' })
  })

  test('clearing by hand forgets the one before', async () => {
    const rig = await running()
    rig.backend.editPrefs(CHOSEN)
    rig.backend.useExitNode(false)
    expect(rig.backend.editPrefs({ ExitNodeID: '', ExitNodeIDSet: true })).toMatchObject({ InternalExitNodePrior: '' })
    expect(() => rig.backend.useExitNode(true)).toThrow('no exit node')
  })
})
