/**
 * SimControl held to what its clients rely on, through the engine's own Noise and Node's HTTP/2, all in memory.
 */
import zlib from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import type { PrivateKey } from '../../../main/engine/base/keys.ts'
import { HandClock, seededRandom, settle } from '../clock.ts'
import { rawConnect } from './raw-client.ts'
import type { RawClient } from './raw-client.ts'
import { SimControl } from './sim-control.ts'
import type { SimControlOptions } from './sim-control.ts'
import { storedFrame } from './zstd-frame.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

function makeControl(options: SimControlOptions = {}): { control: SimControl; clock: HandClock } {
  const clock = new HandClock()
  const control = new SimControl({ clock, random: seededRandom(7), ...options })
  return { control, clock }
}

async function connect(control: SimControl, options: { machine?: PrivateKey; version?: number } = {}): Promise<RawClient> {
  const result = await rawConnect(control.connect(), control.publicKey, options)
  if (result.kind !== 'open') throw new Error(`handshake: ${result.text}`)
  closers.push(() => result.client.close())
  return result.client
}

async function join(control: SimControl, hostname: string, login = 'ada'): Promise<RawClient> {
  const client = await connect(control)
  const reply = await client.register({ Auth: { AuthKey: control.createAuthKey({ login }) }, Hostinfo: { Hostname: hostname } })
  expect(reply.Error).toBeUndefined()
  return client
}

test('a machine with the right server key gets an early payload and a name for itself', async () => {
  const { control } = makeControl()
  const client = await join(control, 'Ada Laptop!')
  expect(JSON.parse(client.records.early ?? '')).toEqual({ nodeKeyChallenge: expect.stringMatching(/^chalpub:[0-9a-f]{64}$/) })
  expect(control.tailnet.nodeNamed('ada-laptop').ips).toEqual(['100.64.0.1', 'fd7a:115c:a1e0::1'])
})

test('a wrong server key and too old a version end in silence after the upgrade', async () => {
  const { control } = makeControl()
  const other = new SimControl({ random: seededRandom(8) })
  const wrongKey = await rawConnect(control.connect(), other.publicKey)
  const tooOld = await rawConnect(control.connect(), control.publicKey, { version: 112 })
  expect([wrongKey, tooOld]).toEqual([
    { kind: 'closed', text: 'eof' },
    { kind: 'closed', text: 'eof' },
  ])
})

test('a refused handshake carries the server’s words', async () => {
  const { control } = makeControl()
  control.handshake = 'refuse'
  expect(await rawConnect(control.connect(), control.publicKey)).toEqual({ kind: 'closed', text: 'this server does not want you' })
})

test('auth keys work once, or for ever, or not after their end', async () => {
  const { control, clock } = makeControl()
  const once = control.createAuthKey({ login: 'ada' })
  const often = control.createAuthKey({ login: 'ada', reusable: true })
  const brief = control.createAuthKey({ login: 'ada', expiryMs: 1000 })
  const errorOf = async (key: string): Promise<string | undefined> => {
    const client = await connect(control)
    return (await client.register({ Auth: { AuthKey: key } })).Error
  }
  expect(await errorOf(once)).toBeUndefined()
  expect(await errorOf(once)).toBe('authkey already used')
  expect(await errorOf(often)).toBeUndefined()
  expect(await errorOf(often)).toBeUndefined()
  clock.advance(1001)
  expect(await errorOf(brief)).toBe('authkey expired')
  expect(await errorOf('hskey-auth-x-y')).toBe('invalid pre auth key')
})

test('a spent key still lets the same node key of the same machine in again', async () => {
  const { control } = makeControl()
  const key = control.createAuthKey({ login: 'ada' })
  const client = await connect(control)
  await client.register({ Auth: { AuthKey: key } })
  expect((await client.register({ Auth: { AuthKey: key } })).Error).toBeUndefined()
  expect(control.tailnet.nodes.size).toBe(1)
})

test('an interactive sign-in waits for its page and then succeeds', async () => {
  const { control } = makeControl()
  const client = await connect(control)
  const first = await client.register()
  expect(first.AuthURL).toMatch(/\/register\/hskey-authreq-[0-9a-f]{24}$/)
  const waiting = client.register({ Followup: first.AuthURL })
  await control.until(() => control.counts.get('/machine/register followup'), 'the follow-up')
  control.registration.approve(control.pendingSignIns()[0]!.id, 'grace')
  expect((await waiting).Login.LoginName).toBe('grace')
  expect((await client.register()).MachineAuthorized).toBe(true)
})

test('a rejected sign-in, or one that is 15 minutes old, answers with a new link', async () => {
  const { control, clock } = makeControl()
  const client = await connect(control)
  const first = await client.register()
  const afterReject = client.register({ Followup: first.AuthURL })
  await control.until(() => control.counts.get('/machine/register followup'), 'the follow-up')
  control.registration.reject(control.pendingSignIns()[0]!.id)
  const second = (await afterReject).AuthURL
  expect(second).not.toBe(first.AuthURL)
  const afterExpiry = client.register({ Followup: second })
  await control.until(() => (control.counts.get('/machine/register followup') === 2 ? true : undefined), 'the second follow-up')
  clock.advance(15 * 60_000)
  expect((await afterExpiry).AuthURL).not.toBe(second)
})

test('logout ends the key: it is expired from then on', async () => {
  const { control } = makeControl()
  const client = await join(control, 'ada')
  expect(await client.register({ Expiry: '1970-01-01T00:02:03Z' })).toMatchObject({ NodeKeyExpired: true, MachineAuthorized: true })
  expect(await client.register()).toMatchObject({ NodeKeyExpired: true, MachineAuthorized: false })
})

test('the first message has self, peers, rules, names and relays', async () => {
  const derpMap = { Regions: { '9': { RegionID: 9, RegionCode: 'sim', RegionName: 'Sim', Nodes: null } } }
  const { control } = makeControl({ derpMap })
  await join(control, 'grace', 'grace')
  const client = await join(control, 'ada')
  const stream = await client.stream()
  const message = await stream.next()
  expect(Object.keys(message!)).toEqual(['Node', 'DERPMap', 'Peers', 'DNSConfig', 'Domain', 'PacketFilters', 'UserProfiles', 'ControlTime'])
  expect(message?.Node?.Name).toBe('ada.sim.internal.')
  expect(message?.Peers?.map((peer) => peer.Name)).toEqual(['grace.sim.internal.'])
  expect(message?.UserProfiles?.map((profile) => profile.LoginName)).toEqual(['grace', 'ada'])
})

test('peers that join, change and leave arrive as the least delta', async () => {
  const { control, clock } = makeControl()
  const client = await join(control, 'ada')
  const stream = await client.stream()
  await stream.next()
  const other = await join(control, 'grace', 'grace')
  await clock.run(25)
  expect((await stream.next())?.PeersChanged?.[0]?.Name).toBe('grace.sim.internal.')
  await other.lite({ Hostinfo: { Hostname: 'grace' }, Endpoints: ['192.0.2.1:41641'] })
  await clock.run(25)
  expect((await stream.next())?.PeersChangedPatch).toEqual([{ NodeID: 2, DiscoKey: expect.any(String), Endpoints: ['192.0.2.1:41641'] }])
  control.tailnet.rename(control.tailnet.nodeNamed('grace'), 'hopper')
  await clock.run(25)
  expect((await stream.next())?.PeersChanged?.[0]?.Name).toBe('hopper.sim.internal.')
  control.tailnet.remove(control.tailnet.nodeNamed('hopper'))
  await clock.run(25)
  expect((await stream.next())?.PeersRemoved).toEqual([2])
})

test('a node is online while it streams and offline a while after', async () => {
  const { control, clock } = makeControl({ offlineAfterMs: 10_000 })
  const client = await join(control, 'ada')
  const stream = await client.stream()
  await stream.next()
  const ada = control.tailnet.nodeNamed('ada')
  expect(ada.online).toBe(true)
  stream.end()
  await settle()
  clock.advance(9_999)
  expect(ada.online).toBe(true)
  clock.advance(1)
  expect(ada.online).toBe(false)
})

test('a policy change sends new rules, and hides whom it no longer joins', async () => {
  const { control, clock } = makeControl()
  const ada = await join(control, 'ada')
  await join(control, 'web', 'office')
  await join(control, 'laptop', 'mia')
  const stream = await ada.stream()
  expect((await stream.next())?.Peers?.length).toBe(2)
  control.tailnet.setPolicy({ groups: { 'group:staff': ['ada'] }, rules: [{ from: ['group:staff'], to: ['web:80,8000-8001'] }] })
  await clock.run(25)
  const message = await stream.next()
  expect(message?.PeersRemoved).toEqual([3])
  expect(message?.PacketFilters).toEqual({ base: [] })
})

test('silence is filled with keepalives of no other content', async () => {
  const { control, clock } = makeControl()
  const client = await join(control, 'ada')
  const stream = await client.stream()
  await stream.next()
  clock.advance(50_000)
  expect(await stream.next()).toEqual({ KeepAlive: true })
})

test('a removed node gets 404, a machine that is not its own too', async () => {
  const { control } = makeControl()
  const client = await join(control, 'ada')
  const thief = await connect(control)
  expect((await thief.post('/machine/map', client.mapRequest({ OmitPeers: true }))).status).toBe(404)
  control.tailnet.remove(control.tailnet.nodeNamed('ada'))
  expect((await client.lite()).status).toBe(404)
})

test('an expired node learns it from its own stream', async () => {
  const { control, clock } = makeControl()
  const client = await join(control, 'ada')
  const stream = await client.stream()
  await stream.next()
  control.tailnet.expire(control.tailnet.nodeNamed('ada'), 60)
  await clock.run(30)
  expect((await stream.next())?.Node?.Expired).toBeUndefined()
  await clock.run(60)
  expect((await stream.next())?.Node).toMatchObject({ Expired: true, MachineAuthorized: false })
})

test('faults answer in place of the server, as often as told', async () => {
  const { control } = makeControl()
  const client = await join(control, 'ada')
  control.faults.add('/machine/map', { kind: 'status', status: 503, body: 'busy' }, 1)
  expect((await client.lite()).status).toBe(503)
  expect((await client.lite()).status).toBe(200)
})

test('lite updates echo to everybody when asked to behave like Headscale', async () => {
  const { control, clock } = makeControl({ echoLiteUpdates: true, deltaStyle: 'headscale' })
  const ada = await join(control, 'ada')
  const stream = await ada.stream()
  await stream.next()
  await ada.lite({ Hostinfo: { Hostname: 'ada' } })
  await clock.run(25)
  expect((await stream.next())?.Node?.Name).toBe('ada.sim.internal.')
})

test('zstd frames open with a stock decoder, stored ones too', () => {
  const decompress = (zlib as { zstdDecompressSync?: (bytes: Uint8Array) => Buffer }).zstdDecompressSync
  if (!decompress) throw new Error('these tests run on a Node with zstd')
  for (const size of [0, 1, 131_072, 300_000]) {
    const bytes = seededRandom(size).bytes(size)
    expect(decompress(storedFrame(bytes)).equals(bytes)).toBe(true)
  }
})

test('the server comes back on its port with its state, and streams can be opened again', async () => {
  const { control } = makeControl()
  const url = await control.start()
  closers.push(() => control.stop())
  const client = await join(control, 'ada')
  await control.restart()
  expect(control.url).toBe(url)
  const again = await connect(control, { machine: client.machine })
  expect((await again.post('/machine/map', client.mapRequest({ OmitPeers: true }))).status).toBe(200)
})
