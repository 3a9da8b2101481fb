/**
 * Servers that are too old, too new, or play with versions: each ends in a code and a sentence, none in silence.
 */
import { afterEach, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { PrivateKey, discoKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { Control } from '../../../main/engine/control/control.ts'
import type { ControlState } from '../../../main/engine/core/session/types.ts'
import { Http2Connection } from '../../../main/engine/io/http2.ts'
import { HandClock, seededRandom, settle } from '../clock.ts'
import { SimControl, type SimControlOptions } from './sim-control.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

interface Lab {
  readonly server: SimControl
  readonly control: Control
  readonly maps: { self: string; peers: number }[]
  /** Signs in with a key and lets simulated time pass until `isOver`, at most a minute. */
  readonly signIn: (isOver: (state: ControlState) => boolean) => Promise<ControlState>
}

function lab(options: SimControlOptions = {}, keyAnswer?: string): Lab {
  const clock = new HandClock()
  const random = seededRandom(3)
  const server = new SimControl({ clock, random, ...options })
  const maps: Lab['maps'] = []
  const control = new Control({
    env: { clock, random, log: silentLog, journal: { add: () => {} } },
    dial: () => Promise.resolve(server.connect()),
    http: () => Promise.resolve({ status: 200, headers: {}, body: Buffer.from(keyAnswer ?? JSON.stringify({ legacyPublicKey: `mkey:${'0'.repeat(64)}`, publicKey: server.publicKey })) }),
    http2: (stream, authority) => new Http2Connection(stream, authority),
  })
  control.start({ onState: () => {}, onLoggedIn: () => {}, onNetMap: ({ netMap }) => void maps.push({ self: netMap.self.Name, peers: netMap.peers.size }), onPopBrowser: () => {} })
  control.set({ hostinfo: { Hostname: 'ada', OS: 'linux' }, endpoints: [], discoKey: discoKey(new Uint8Array(32).fill(5)) })
  stops.push(() => control.stop(), () => server.dropConnections())
  return {
    server, control, maps,
    async signIn(isOver) {
      control.begin({ controlUrl: server.url, machineKey: PrivateKey.fromRandom(random.bytes(32)), nodeKey: undefined, interactive: false, authKey: server.createAuthKey({ login: 'ada' }) })
      for (let ms = 0; ms < 60_000 && !isOver(control.state); ms += 100) {
        await clock.run(100)
        await settle(8)
      }
      return control.state
    },
  }
}

const isTold = ({ kind }: ControlState): boolean => kind === 'failed' || kind === 'lost' || kind === 'needs-login'

test('a server that lets no such old client in says nothing, and that is said', async () => {
  expect(await lab({ minVersion: 60_000 }).signIn(isTold)).toMatchObject({ code: 'control-version', message: expect.stringMatching(/does not accept this client version/) })
})

test.each([
  ['register', '/machine/register'],
  ['map', '/machine/map'],
])('a server that refuses this version at %s ends the login: a newer program is needed', async (_name, path) => {
  const { server, signIn } = lab()
  server.faults.add(path, { kind: 'status', status: 400, body: 'unsupported client version: 131' })
  expect(await signIn(({ kind }) => kind === 'failed')).toMatchObject({ kind: 'failed', code: 'control-version', message: expect.stringMatching(/too old for the control server.*update/) })
})

test.each([
  ['the key of the time before Noise alone', JSON.stringify({ legacyPublicKey: `mkey:${'1'.repeat(64)}` }), 'control-version'],
  ['a bare hex key', 'ab'.repeat(32), 'control-version'],
  ['nothing', '', 'control-version'],
  ['a zero key', JSON.stringify({ legacyPublicKey: '', publicKey: `mkey:${'0'.repeat(64)}` }), 'control-version'],
  ['a key of another kind', JSON.stringify({ publicKey: `nodekey:${'1'.repeat(64)}` }), 'control-wrong-server'],
])('a server whose answer for its key is %s is told as such', async (_name, body, code) => {
  expect(await lab({}, body).signIn(isTold)).toMatchObject({ code, message: expect.stringMatching(/\w+ \w+ \w+/) })
})

test.each([
  [404, 'control-not-found'],
  [405, 'control-refused'],
  [426, 'control-refused'],
  [501, 'control-unreachable'],
  [505, 'control-unreachable'],
])('a server that answers the map with HTTP %i ends in a code', async (status, code) => {
  const { server, signIn } = lab()
  server.faults.add('/machine/map', { kind: 'status', status, body: 'Not implemented yet' })
  const state = await signIn(isTold)
  expect(state.kind === 'needs-login' ? state.code : (state as { code: string }).code).toBe(code)
})

test('a server of the future, whose messages hold more than we know, is understood', async () => {
  const { server, signIn, maps } = lab()
  const isRunning = ({ kind }: ControlState): boolean => kind === 'running'
  expect(await signIn(isRunning)).toMatchObject({ kind: 'running' })
  const node = [...server.tailnet.nodes.values()][0]!
  const before = maps.length
  const future = { ClientVersion: { LatestVersion: '99.0.0', RunningLatest: false, Mood: 'good' }, PeersFromTheFuture: [1], Node: undefined, Health: [] }
  server.sendTo(node, { ...future, Peers: [{ ID: 7, StableID: 'x', Key: `nodekey:${'7'.repeat(64)}`, Name: 'new.', Cap: 65_000, Addresses: ['100.64.0.77/32'], Shape: { round: true } }] } as never)
  for (let i = 0; i < 40 && maps.length === before; i++) await settle(8)
  expect(maps.at(-1)).toMatchObject({ peers: 1 })
  expect(server.counts.get('/ts2021')).toBe(1)
})

test('an impossible address is refused before anything is asked', () => {
  const { control } = lab()
  for (const controlUrl of ['', 'ftp://x', 'https://[', 'javascript:1']) {
    expect(() => control.begin({ controlUrl, machineKey: PrivateKey.fromRandom(new Uint8Array(32)), nodeKey: undefined, interactive: true })).toThrow(EngineError)
  }
})
