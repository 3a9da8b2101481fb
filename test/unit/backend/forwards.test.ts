import { describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import type { ForwardRow } from '../../../main/localapi/forwards.ts'
import { settle } from '../../sim/clock.ts'
import { makeRig } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }

function running(options: Parameters<typeof makeRig>[0] = {}): Rig {
  const rig = makeRig(options)
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.signIn()
  return rig
}

const rows = (rig: Rig): readonly ForwardRow[] => rig.backend.forwards.page().Forwards
const kinds = (rig: Rig): string[] => rig.journal.filter((entry) => entry.part === 'forward').map((entry) => entry.kind)
const refusal = (text: string): unknown => expect.objectContaining({ code: 'bad-prefs', message: expect.stringContaining(text) })

async function ask(rig: Rig, id = 1): Promise<unknown> {
  const [number] = [...rig.dataplane.forwards.keys()].slice(-1)
  rig.backend.facts.dataplane.onForwardRequest({ id, forward: number! })
  await settle()
  return rig.dataplane.answers.find((one) => one.id === id)?.answer
}

describe('adding a forward', () => {
  test('opens it, saves it and tells watchers', () => {
    const rig = running()
    const heard = rig.watch(0)
    expect(rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })).toMatchObject({ ID: 'f1', Proto: 'tcp', Listen: '127.0.0.1:5432', To: 'n2:5432', State: 'listening', Open: 0, Total: 0 })
    expect(heard.at(-1)?.Extras?.Forwards).toHaveLength(1)
    expect([...rig.dataplane.forwards.values()]).toMatchObject([{ proto: 'tcp', at: { ip: '127.0.0.1', port: 5432 } }])
    expect(kinds(rig)).toEqual(['added'])
  })

  test('with port 0 keeps the port that it got, and without a port leads to the same one', () => {
    const rig = running()
    const { Listen } = rig.backend.forwards.add({ Listen: '0', To: 'n2:80' })
    expect(Listen).toMatch(/^127\.0\.0\.1:4\d{4}$/)
    expect(rig.backend.extras.Forwards[0]!.Listen).toBe(Listen)
    expect(rig.backend.forwards.add({ Listen: '8080', To: 'n2' }).To).toBe('n2:8080')
  })

  test('for a taken port is refused with who has it, and nothing is saved', () => {
    const rig = running({ whoListens: () => 'postgres (process 812)' })
    rig.dataplane.taken.add(5432)
    expect(() => rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })).toThrow(refusal('in use by postgres (process 812)'))
    expect(rig.backend.extras.Forwards).toEqual([])
    expect(rows(rig)).toEqual([])
  })

  test('twice for one port, below 1024, beyond this computer or without sense is refused in words', () => {
    const rig = running()
    rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    expect(() => rig.backend.forwards.add({ Listen: '5432', To: 'n3:1' })).toThrow(refusal('leads to n2:5432 already (f1)'))
    expect(() => rig.backend.forwards.add({ Listen: '80', To: 'n2:80' })).toThrow(refusal('admin rights'))
    expect(() => rig.backend.forwards.add({ Listen: '0.0.0.0:8080', To: 'n2:80' })).toThrow(refusal('this computer alone'))
    for (const bad of [undefined, null, 7, {}, { Listen: 5, To: 'n2:1' }, { Listen: '5', To: 'n2:1', Proto: 'sctp' }]) expect(() => rig.backend.forwards.add(bad)).toThrow(refusal(''))
    expect(rig.backend.forwards.add({ Listen: '5432', To: 'n2:53', Proto: 'udp' }).ID).toBe('f2')
  })

  test('in a circle is refused, at once or when a name turns out so', async () => {
    const rig = running()
    for (const host of ['n1', 'localhost', '127.0.0.1', '100.64.0.1']) expect(() => rig.backend.forwards.add({ Listen: '5432', To: `${host}:5432` })).toThrow(refusal('in a circle'))
    expect(rig.dataplane.forwards.size).toBe(0)
    rig.backend.forwards.add({ Listen: '5432', To: 'n1:5433' })
    expect(rows(rig)[0]!.Why).toBe('leads to this computer itself')
    expect(() => rig.backend.forwards.add({ Listen: '5433', To: 'localhost:5432' })).toThrow(refusal('in a circle'))
    rig.backend.forwards.add({ Listen: '5433', To: 'n2:80' })
    const [first] = rig.dataplane.forwards.keys()
    rig.backend.facts.dataplane.onForwardRequest({ id: 9, forward: first! })
    await settle()
    expect(rig.dataplane.answers.at(-1)).toMatchObject({ id: 9, answer: { kind: 'refuse', code: 'not-allowed' } })
  })

  test('has an end at two hundred', () => {
    const rig = running()
    for (let port = 2001; port <= 2200; port++) rig.backend.forwards.add({ Listen: String(port), To: 'n2:80' })
    expect(() => rig.backend.forwards.add({ Listen: '3000', To: 'n2:80' })).toThrow(refusal('200 forwards already'))
  })

  test('while this device is not connected saves it, and opens it later', () => {
    const rig = makeRig()
    rig.backend.start()
    expect(rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })).toMatchObject({ State: 'off' })
    expect(rig.dataplane.forwards.size).toBe(0)
    rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
    rig.signIn()
    expect(rows(rig)).toMatchObject([{ State: 'listening' }])
  })
})

describe('a forward', () => {
  test('says when its name is no device, and still listens', () => {
    const rig = running()
    expect(rig.backend.forwards.add({ Listen: '5432', To: 'nobody.lab.internal:1' }).Why).toContain('no device of this network')
    expect(rig.backend.forwards.add({ Listen: '5433', To: 'example.org:1' }).Why).toContain('each connection asks a resolver')
    expect(rig.backend.forwards.add({ Listen: '5434', To: '192.0.2.1:1' }).Why).toContain('past the tunnel')
    expect(rig.backend.forwards.add({ Listen: '5435', To: 'n2:1' }).Why).toBeUndefined()
    expect(rows(rig).every(({ State }) => State === 'listening')).toBe(true)
  })

  test('closes with the connection and opens with it', () => {
    const rig = running()
    rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect(rows(rig)).toMatchObject([{ State: 'off' }])
    expect(rig.dataplane.forwards.size).toBe(0)
    rig.backend.editPrefs({ WantRunning: true, WantRunningSet: true })
    rig.backend.facts.control.onState({ kind: 'running', sinceMs: 0 })
    expect(rows(rig)).toMatchObject([{ State: 'listening' }])
  })

  test('listens again after a restart, and one whose port was taken meanwhile is tried until it is free', () => {
    const first = running()
    first.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    first.backend.forwards.add({ Listen: '5433', To: 'n2:5433' })
    first.backend.stop()
    const rig = makeRig({ store: first.store })
    rig.dataplane.taken.add(5432)
    rig.backend.start()
    rig.backend.facts.control.onState({ kind: 'running', sinceMs: 0 })
    expect(rows(rig)).toMatchObject([{ State: 'failed', Why: expect.stringContaining('Port 5432 of this computer is in use') }, { State: 'listening' }])
    rig.clock.advance(60_000)
    expect(kinds(rig).filter((kind) => kind === 'not-listening')).toHaveLength(1)
    rig.dataplane.taken.clear()
    rig.clock.advance(31_000)
    expect(rows(rig)[0]).toMatchObject({ State: 'listening' })
    expect(rows(rig)[0]!.Why).toBeUndefined()
  })

  test('asks where it leads at each connection', async () => {
    const rig = running()
    rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    expect(await ask(rig, 1)).toEqual({ kind: 'tunnel', addresses: ['100.64.0.2'], port: 5432 })
    rig.map({ PeersRemoved: [2] })
    expect(await ask(rig, 2)).toMatchObject({ kind: 'refuse' })
    const failure = rows(rig)[0]!.LastError!
    expect(failure.Text).toContain('n2')
    expect(failure.At).toBe(new Date(rig.clock.wallMs()).toISOString())
  })

  test('that the data plane asks about when it is gone is refused', async () => {
    const rig = running()
    rig.backend.facts.dataplane.onForwardRequest({ id: 5, forward: 99 })
    expect(rig.dataplane.answers.at(-1)).toMatchObject({ id: 5, answer: { kind: 'refuse' } })
    rig.backend.facts.dataplane.onForwardFailed(99, 'refused')
  })

  test('shows its last failure in words, as one event however often it comes', () => {
    const rig = running()
    rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    const [number] = rig.dataplane.forwards.keys()
    for (let i = 0; i < 20; i++) rig.backend.facts.dataplane.onForwardFailed(number!, 'blocked')
    expect(rows(rig)[0]!.LastError!.Text).toBe('n2:5432 does not let this device in: its policy forbids it')
    expect(kinds(rig)).toEqual(['added', 'failed'])
    rig.backend.facts.dataplane.onForwardFailed(number!, 'refused')
    expect(rows(rig)[0]!.LastError!.Text).toContain('nothing listens on that port')
  })

  test('belongs to its profile', () => {
    const rig = running()
    rig.backend.forwards.add({ Listen: '5432', To: 'n2:5432' })
    rig.backend.profileSwitch.toNew()
    expect(rows(rig)).toEqual([])
    expect(rig.dataplane.forwards.size).toBe(0)
  })
})

describe('removing forwards', () => {
  test('goes by ID, port, address, or all at once', () => {
    const rig = running()
    for (const port of ['5001', '5002', '5003', '5004', '5005']) rig.backend.forwards.add({ Listen: port, To: 'n2:80' })
    expect(rig.backend.forwards.remove('f1').Forwards).toMatchObject([{ ID: 'f1' }])
    expect(rig.backend.forwards.remove('5003').Forwards).toMatchObject([{ ID: 'f3' }])
    expect(rig.backend.forwards.remove('127.0.0.1:5004').Forwards).toMatchObject([{ ID: 'f4' }])
    expect(rig.dataplane.forwards.size).toBe(2)
    expect(() => rig.backend.forwards.remove('f9')).toThrow(expect.objectContaining({ code: 'not-found' }))
    expect(rig.backend.forwards.add({ Listen: '5001', To: 'n2:80' }).ID).toBe('f1')
    expect(rig.backend.forwards.remove('all').Forwards).toHaveLength(3)
    expect(rig.backend.extras.Forwards).toEqual([])
    expect(rig.dataplane.forwards.size).toBe(0)
    expect(rig.backend.forwards.remove('all').Forwards).toEqual([])
  })
})

describe('opening a place for a while', () => {
  test('gives an address or a URL, the same one again, and saves nothing', async () => {
    const rig = running()
    const opened = await rig.backend.forwards.open('n2', 'http')
    expect(opened).toMatchObject({ ID: 't1', URL: `http://${opened.Listen}/` })
    expect(await rig.backend.forwards.open('n2:80', '')).toEqual({ ID: 't1', Listen: opened.Listen })
    expect(rows(rig)).toMatchObject([{ ID: 't1', To: 'n2:80', Temporary: true, State: 'listening' }])
    expect(rig.backend.extras.Forwards).toEqual([])
    expect(rig.backend.forwards.remove('t1').Forwards).toHaveLength(1)
    expect(rig.dataplane.forwards.size).toBe(0)
  })

  test('ends when nobody used it for a while, and not before', async () => {
    const rig = running()
    await rig.backend.forwards.open('n2', 'http')
    const [door] = rig.dataplane.forwards.values()
    door!.total = 1
    rig.clock.advance(11 * 60_000)
    expect(rows(rig)).toHaveLength(1)
    door!.open = 1
    rig.clock.advance(11 * 60_000)
    expect(rows(rig)).toHaveLength(1)
    door!.open = 0
    rig.clock.advance(11 * 60_000)
    expect(rows(rig)).toEqual([])
    expect(rig.dataplane.forwards.size).toBe(0)
    expect(kinds(rig)).toEqual(['opened', 'closed'])
  })

  test('is refused with the reason when nobody is there', async () => {
    const rig = running()
    rig.dataplane.dial = () => Promise.reject(new EngineError('access-denied', 'dial through the tunnel: blocked'))
    await expect(rig.backend.forwards.open('n2:22', '')).rejects.toThrow('n2:22 does not let this device in: its policy forbids it.')
    await expect(rig.backend.forwards.open('nobody.lab.internal:22', '')).rejects.toThrow('nobody.lab.internal cannot be opened')
    await expect(rig.backend.forwards.open('n2', 'ssh')).rejects.toThrow('no port')
    expect(rig.dataplane.forwards.size).toBe(0)
  })

  test('ends with the connection', async () => {
    const rig = running()
    await rig.backend.forwards.open('n2', 'http')
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect(rows(rig)).toEqual([])
    await expect(rig.backend.forwards.open('n2', 'http')).rejects.toThrow('not connected')
  })
})
