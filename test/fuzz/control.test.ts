/**
 * A hostile control server against the whole control client: HTTP/2 frames damaged inside Noise, floods, lying answers of
 * every endpoint. The client ends each case in a clear state and works once the server is well again.
 */
import { expect } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { EngineError, isDecodeError } from '../../main/engine/base/errors.ts'
import { PrivateKey, discoKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { Control } from '../../main/engine/control/control.ts'
import { readKeyAnswer } from '../../main/engine/control/key-answer.ts'
import type { HttpFetch } from '../../main/engine/control/ports.ts'
import { checkRegisterResponse } from '../../main/engine/core/tailcfg/check-register.ts'
import type { ControlState } from '../../main/engine/core/session/types.ts'
import { Http2Connection } from '../../main/engine/io/http2.ts'
import { zstdDecompress } from '../../main/engine/io/zstd.ts'
import { HandClock, seededRandom, settle } from '../sim/clock.ts'
import { SimControl } from '../sim/control/sim-control.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'
import { hostileFrames } from './http2-frames.ts'

class Lab {
  readonly clock = new HandClock()
  readonly server: SimControl
  readonly control: Control
  readonly states: ControlState[] = []
  maps = 0
  key: string
  /** What /key answers, in place of the server's own answer. */
  keyAnswer: Awaited<ReturnType<HttpFetch>> | undefined
  readonly #machineKey: PrivateKey

  constructor(seed: number) {
    const random = seededRandom(seed)
    this.server = new SimControl({ clock: this.clock, random })
    this.#machineKey = PrivateKey.fromRandom(random.bytes(32))
    this.key = this.server.createAuthKey({ login: 'ada', reusable: true })
    this.control = new Control({
      env: { clock: this.clock, random, log: silentLog, journal: { add: () => {} } },
      dial: () => Promise.resolve(this.server.connect()),
      http: () => Promise.resolve(this.keyAnswer ?? { status: 200, headers: {}, body: Buffer.from(JSON.stringify({ publicKey: this.server.publicKey })) }),
      http2: (stream, authority) => new Http2Connection(stream, authority),
      zstd: zstdDecompress,
    })
    this.control.start({ onState: (state) => this.states.push(state), onLoggedIn: () => {}, onNetMap: () => void this.maps++, onPopBrowser: () => {} })
    this.control.set({ hostinfo: { Hostname: 'ada', OS: 'linux' }, endpoints: [], discoKey: discoKey(new Uint8Array(32).fill(5)) })
  }

  begin(): void {
    this.control.begin({ controlUrl: this.server.url, machineKey: this.#machineKey, nodeKey: undefined, interactive: false, authKey: this.key })
  }

  /** Lets `ms` of simulated time pass. */
  async run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 250) {
      await this.clock.run(250)
      await settle(6)
    }
  }

  /** The server is well again: signed in anew, a map comes. */
  async recover(): Promise<void> {
    this.server.mangle = (plain) => plain
    this.server.handshake = 'answer'
    this.server.faults.clear()
    this.keyAnswer = undefined
    this.server.dropConnections()
    const maps = this.maps
    this.begin()
    for (let i = 0; i < 40 && (this.control.state.kind !== 'running' || this.maps === maps); i++) await this.run(250)
    expect(this.control.state.kind).toBe('running')
    expect(this.maps).toBeGreaterThan(maps)
  }

  stop(): void {
    this.control.stop()
    this.server.dropConnections()
  }
}

/** What people may be shown: short sentences, without what steers a terminal. */
function expectClear(states: readonly ControlState[], secret: string): void {
  for (const state of states) {
    const text = state.kind === 'lost' || state.kind === 'failed' ? state.message : state.kind === 'needs-login' ? state.why : ''
    expect(text.length).toBeLessThan(20_000)
    expect(text).not.toContain(secret)
  }
}

function mangler(chance: Chance): (plain: Uint8Array) => Uint8Array {
  let spare = chance.int(0, 8)
  const kind = chance.int(0, 3)
  return (plain) => {
    if (spare-- > 0) return plain
    if (kind === 0) return chance.damage(plain)
    if (kind === 1) return concat(hostileFrames(chance), plain)
    if (kind === 2) return concat(plain, hostileFrames(chance))
    return chance.bytes(chance.int(0, 500))
  }
}

fuzz('HTTP/2 of any rubbish inside Noise ends in a clear state, and a good server is used again', async (chance, index) => {
  const lab = new Lab(index)
  lab.server.mangle = mangler(chance)
  lab.begin()
  await lab.run(750)
  expectClear(lab.states, lab.key)
  if (chance.is(0.3)) await lab.recover()
  lab.stop()
  await settle(4)
}, { share: 0.01, growthMb: 60 })

fuzz('what the server answers to a registration or for its key is read, or refused with a code and a sentence', async (chance) => {
  const raw: unknown = JSON.parse(JSON.stringify(chance.is(0.2) ? chance.json() : chance.damageJson(REGISTERED)))
  const answer = checkRegisterResponse(raw)
  if (!isDecodeError(answer)) {
    expect([typeof answer.User.ID, typeof answer.NodeKeyExpired, typeof answer.AuthURL]).toEqual(['number', 'boolean', 'string'])
    // What is read of these two is what the server said, or all is refused.
    for (const field of ['Error', 'AuthURL'] as const) expect(answer[field] ?? '').toBe((raw as Record<string, unknown>)[field] ?? '')
  }
  const status = chance.pick([200, 301, 400, 404, 429, 500, 599])
  const body = chance.is(0.5) ? chance.text() : JSON.stringify(chance.damageJson(KEY_ANSWER))
  const url = new URL(chance.pick(['https://control.sim/key', 'http://control.sim/key']))
  let key: unknown
  try {
    key = readKeyAnswer({ status, headers: { 'retry-after': chance.text(), location: chance.text() }, body: Buffer.from(body) }, url, 0)
  } catch (error) {
    key = error
  }
  if (key instanceof Uint8Array) return expect(key).toHaveLength(32)
  expect(key).toBeInstanceOf(EngineError)
  const { message, code } = key as EngineError
  // eslint-disable-next-line no-control-regex
  expect([code, message]).toEqual([expect.stringMatching(/^(control-|captive-portal)/), expect.stringMatching(/^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]{10,800}$/)])
})

const KEY_ANSWER = { legacyPublicKey: `mkey:${'0'.repeat(64)}`, publicKey: `mkey:${'a'.repeat(64)}` }
const REGISTERED = {
  User: { ID: 1, DisplayName: 'Ada', Created: '0001-01-01T00:00:00Z' }, Login: { ID: 1, Provider: 'x', LoginName: 'ada', DisplayName: 'Ada', ProfilePicURL: '' },
  NodeKeyExpired: false, MachineAuthorized: true, AuthURL: '', Error: '',
}

fuzz('answers of any rubbish to /key, register and map end in a clear state, and a good server is used again', async (chance, index) => {
  const lab = new Lab(index)
  const body = (good: unknown): string => (chance.is(0.2) ? chance.text() : JSON.stringify(chance.damageJson(good)))
  const status = (): number => chance.pick([200, 200, 200, 100, 204, 301, 302, 400, 401, 403, 404, 410, 429, 500, 502, 503, 599])
  const headers = chance.is(0.3) ? { 'retry-after': chance.pick(['1', '-1', '999999999999', 'soon', 'Wed, 21 Oct 2065 07:28:00 GMT', '0']) } : {}
  switch (chance.int(0, 3)) {
    case 0:
      lab.keyAnswer = { status: status(), headers, body: Buffer.from(body(KEY_ANSWER)) }
      break
    case 1:
      lab.server.faults.add('/machine/register', { kind: 'status', status: Math.max(200, status()), headers, body: body({ ...REGISTERED, [chance.pick(['Error', 'AuthURL'])]: `${chance.text()} ${chance.is(0.2) ? lab.key : ''}` }) })
      break
    case 2:
      lab.server.faults.add('/machine/map', { kind: 'status', status: Math.max(200, status()), headers, body: body({}) })
      break
    default:
      lab.server.handshake = chance.pick(['cut', 'refuse'])
  }
  lab.begin()
  await lab.run(750)
  expectClear(lab.states, lab.key)
  expect(lab.control.state.kind).not.toBe('running')
  if (chance.is(0.3)) await lab.recover()
  lab.stop()
  await settle(4)
}, { share: 0.01, growthMb: 60 })
