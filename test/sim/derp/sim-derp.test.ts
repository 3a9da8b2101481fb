/**
 * SimDerp held to what a relay owes its clients, through the engine's own relay client in memory.
 */
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import { PrivateKey, nodeKey } from '../../../main/engine/base/keys.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { DerpRegions } from '../../../main/engine/derp/derp-regions.ts'
import { HandClock, seededRandom, settle } from '../clock.ts'
import { FRAME, derpFrame } from './derp-frames.ts'
import { SimDerp } from './sim-derp.ts'
import type { SimDerpOptions } from './sim-derp.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface Client {
  readonly key: NodePublicKey
  readonly regions: DerpRegions
  readonly disco: { from: NodePublicKey; bytes: Uint8Array }[]
  readonly gone: { peer: NodePublicKey; reason: number }[]
  readonly states: string[]
}

class Lab {
  readonly clock = new HandClock()
  readonly random = seededRandom(3)
  readonly derp: SimDerp

  constructor(options: SimDerpOptions = {}) {
    this.derp = new SimDerp({ clock: this.clock, random: this.random, ...options })
  }

  async client(): Promise<Client> {
    const secret = PrivateKey.fromRandom(this.random.bytes(32))
    const env = { clock: this.clock, random: this.random, log: silentLog, journal: { add: () => {} } }
    const regions = new DerpRegions({ env, dial: () => Promise.resolve(this.derp.connect()) })
    const client: Client = { key: nodeKey(secret.publicBytes()), regions, disco: [], gone: [], states: [] }
    regions.start({
      onDisco: (_region, from, bytes) => client.disco.push({ from, bytes: bytes.slice() }),
      onFrames: () => {},
      onPeerGone: (_region, peer, reason) => client.gone.push({ peer, reason }),
      onState: (_region, state) => client.states.push(state),
    })
    regions.setPlainHttp(true)
    regions.setMap(this.derp.derpMap())
    regions.setPrivateKey(secret)
    regions.setHome(this.derp.region)
    closers.push(() => regions.stop())
    await settle(20)
    return client
  }
}

function discoPacket(fill: number): Uint8Array {
  const packet = new Uint8Array(70).fill(fill)
  packet.set([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])
  return packet
}

test('a client logs in, is at home, and reaches another by its key', async () => {
  const lab = new Lab()
  const a = await lab.client()
  const b = await lab.client()
  a.regions.send(lab.derp.region, b.key, discoPacket(5))
  await settle(20)
  expect(lab.derp.clients().map((session) => session.preferred)).toEqual([true, true])
  expect(b.disco).toEqual([{ from: a.key, bytes: discoPacket(5) }])
})

test('a key that may not in is turned away', async () => {
  const lab = new Lab({ verify: () => false })
  const client = await lab.client()
  expect(lab.derp.clients()).toEqual([])
  expect(lab.derp.counts.refused).toBeGreaterThan(0)
  expect(client.states).not.toContain('connected')
})

test('who leaves is announced to those it spoke to, who never came as not here', async () => {
  const lab = new Lab()
  const a = await lab.client()
  const b = await lab.client()
  b.regions.send(lab.derp.region, a.key, discoPacket(1))
  await settle(20)
  b.regions.stop()
  await settle(20)
  expect(a.gone).toEqual([{ peer: b.key, reason: 0 }])
  a.regions.send(lab.derp.region, b.key, discoPacket(2))
  await settle(20)
  expect(a.gone.at(-1)).toEqual({ peer: b.key, reason: 1 })
})

test('nobody hears “not here” more often than the relay may say it', async () => {
  const lab = new Lab()
  const a = await lab.client()
  const nobody = nodeKey(PrivateKey.fromRandom(lab.random.bytes(32)).publicBytes())
  for (let i = 0; i < 20; i++) a.regions.send(lab.derp.region, nobody, discoPacket(i))
  await settle(20)
  expect(a.gone.length).toBe(3)
})

test('rubbish from a client ends that client alone', async () => {
  const lab = new Lab()
  const a = await lab.client()
  const stream = lab.derp.connect()
  stream.write('GET /derp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n')
  stream.write(Buffer.alloc(300, 0xff))
  stream.resume()
  await settle(20)
  expect(stream.destroyed || stream.readableEnded).toBe(true)
  expect(lab.derp.sessionOf(a.key)).toBeDefined()
})

test('an oversized frame makes the client leave and come back', async () => {
  const lab = new Lab()
  const a = await lab.client()
  lab.derp.sessionOf(a.key)?.send(new Uint8Array([FRAME.recvPacket, 0x7f, 0xff, 0xff, 0xff]))
  await settle(20)
  expect(a.states).toContain('lost')
  await lab.clock.run(10_000)
  await settle(20)
  expect(lab.derp.sessionOf(a.key)).toBeDefined()
})

test('frames of unknown kinds are skipped', async () => {
  const lab = new Lab()
  const a = await lab.client()
  const b = await lab.client()
  lab.derp.sessionOf(b.key)?.send(derpFrame(0x7e, new Uint8Array(12)))
  a.regions.send(lab.derp.region, b.key, discoPacket(5))
  await settle(20)
  expect(b.disco.length).toBe(1)
})
