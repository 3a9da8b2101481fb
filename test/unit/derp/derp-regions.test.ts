import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, writeU32 } from '../../../main/engine/base/bytes.ts'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { keyBytes, nodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { encodeFrame, encodeRecvPacket, encodeSendPacket, FRAME } from '../../../main/engine/core/derp/frame.ts'
import { DISCO_MAGIC } from '../../../main/engine/core/disco/envelope.ts'
import type { DerpMap, DerpNode } from '../../../main/engine/core/tailcfg/types.ts'
import { DerpRegions } from '../../../main/engine/derp/derp-regions.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'
import type { RelayScript } from './memory-relay.ts'
import { MemoryRelays } from './memory-relay.ts'

const peer = (n: number): ReturnType<typeof nodeKey> => nodeKey(new Uint8Array(32).fill(n))
const disco = concat(DISCO_MAGIC, new Uint8Array(100))
const wireguard = concat(new Uint8Array([4, 0, 0, 0]), new Uint8Array(100))
const u32s = (...values: number[]): Uint8Array => {
  const out = new Uint8Array(4 * values.length)
  values.forEach((value, i) => writeU32(out, 4 * i, value))
  return out
}

function derpMap(regions: readonly number[], node: Partial<DerpNode> = {}): DerpMap {
  return {
    Regions: Object.fromEntries(
      regions.map((id) => [id, { RegionID: id, RegionCode: `r${id}`, RegionName: '', Nodes: [{ Name: `${id}a`, RegionID: id, HostName: `r${id}.example`, ...node }, { Name: `${id}b`, RegionID: id, HostName: `r${id}b.example` }] }]),
    ),
  }
}

function setUp(regions: readonly number[] = [1, 2]): {
  clock: HandClock
  relays: MemoryRelays
  derp: DerpRegions
  seen: { states: string[]; disco: string[]; frames: Uint8Array[]; gone: string[] }
  journal: JournalEntry[]
  key: PrivateKey
  /** Local addresses that carry no more. */
  gone: Set<string>
} {
  const clock = new HandClock()
  const relays = new MemoryRelays()
  const journal: JournalEntry[] = []
  const env: Env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (event) => journal.push(event) } }
  const gone = new Set<string>()
  const derp = new DerpRegions({ env, dial: relays.dial, carriesFrom: (localIp) => !gone.has(localIp) })
  const seen = { states: [] as string[], disco: [] as string[], frames: [] as Uint8Array[], gone: [] as string[] }
  derp.start({
    onDisco: (region, from) => seen.disco.push(`${region} ${from}`),
    onFrames: (_region, frames) => seen.frames.push(frames.slice()),
    onPeerGone: (region, who, reason) => seen.gone.push(`${region} ${who} ${reason}`),
    onState: (region, state, why) => seen.states.push(`${region} ${state}: ${why}`),
  })
  const key = PrivateKey.fromRandom(new Uint8Array(32).fill(9))
  derp.setPrivateKey(key)
  derp.setMap(derpMap(regions))
  return { clock, relays, derp, seen, journal, key, gone }
}

async function homed(regions?: readonly number[]): Promise<ReturnType<typeof setUp>> {
  const all = setUp(regions)
  all.derp.setHome(1)
  await all.clock.run(10)
  return all
}

describe('relay regions', () => {
  it('connects to home alone, logs in as the node and says that it is home', async () => {
    const { relays, seen, key } = await homed()
    expect(relays.dials).toBe(1)
    expect(relays.last).toMatchObject({ host: 'r1.example', port: 443, options: { tls: true, servername: 'r1.example', verify: 'roots' } })
    expect(relays.last.request).toMatch(/^GET \/derp HTTP\/1\.1\r\nHost: r1\.example\r\n[^]*Upgrade: DERP\r\nConnection: Upgrade\r\n\r\n$/)
    expect(relays.last.client).toBe(nodeKey(key.publicBytes()))
    expect(relays.last.of(FRAME.notePreferred)).toEqual([new Uint8Array([1])])
    expect(seen.states.at(-1)).toMatch(/^1 connected/)
  })

  it('opens another region for the first packet, keeps that packet, and closes it after a minute without one', async () => {
    const { clock, relays, derp, seen } = await homed()
    derp.send(2, peer(5), disco)
    await clock.run(10)
    expect(relays.last.host).toBe('r2.example')
    expect(relays.last.of(FRAME.sendPacket)).toEqual([concat(keyBytes(peer(5)), disco)])
    expect(relays.last.of(FRAME.notePreferred)).toEqual([])
    await clock.run(59_000)
    expect(relays.last.closed).toBe(false)
    await clock.run(2000)
    expect(relays.last.closed).toBe(true)
    expect(seen.states.at(-1)).toBe('2 lost: idle for 60 s')
    expect(relays.dials).toBe(2)
  })

  it('tells every relay when home moves', async () => {
    const { clock, relays, derp } = await homed()
    const [first] = relays.connections
    derp.setHome(2)
    await clock.run(10)
    expect(first!.of(FRAME.notePreferred)).toEqual([new Uint8Array([1]), new Uint8Array([0])])
    expect(relays.last.of(FRAME.notePreferred)).toEqual([new Uint8Array([1])])
  })

  it('tries the nodes of a region in order and says which one was meant', async () => {
    const all = setUp()
    all.relays.plan = (host) => (host === 'r1.example' ? 'refuse' : {})
    all.derp.setHome(1)
    await all.clock.run(10)
    expect(all.relays.last.host).toBe('r1b.example')
    expect(all.relays.last.request).toContain('Ideal-Node: 1a\r\n')
  })

  it('comes back after a loss with growing pauses of at most five seconds', async () => {
    const { clock, relays, seen } = await homed()
    relays.plan = () => 'refuse'
    const from = relays.dials
    relays.last.close()
    await clock.run(60_000)
    const tries = (relays.dials - from) / 2
    expect(tries).toBeGreaterThan(60 / 5)
    expect(tries).toBeLessThan(40)
    relays.plan = () => ({})
    await clock.run(5100)
    expect(seen.states.at(-1)).toMatch(/^1 connected/)
  })

  it('waits as long as a restarting relay asks, and not for an hour', async () => {
    for (const [askedMs, atLeastMs, atMostMs] of [[2000, 1900, 2600], [3_600_000, 29_000, 38_000]] as const) {
      const { clock, relays } = await homed()
      relays.last.send(FRAME.restarting, u32s(askedMs, 10_000))
      await clock.run(1)
      relays.last.close()
      const before = relays.dials
      await clock.run(atLeastMs)
      expect(relays.dials).toBe(before)
      await clock.run(atMostMs - atLeastMs)
      expect(relays.dials).toBe(before + 1)
    }
  })

  it('learns where peers are heard and answers over that connection when their home has none', async () => {
    const { clock, relays, derp } = await homed([1, 2])
    relays.last.raw(encodeRecvPacket(keyBytes(peer(5)), wireguard))
    await clock.run(1)
    expect(derp.routeOf(peer(5))).toBe(1)
    derp.sendFrames(2, concat(encodeSendPacket(keyBytes(peer(5)), wireguard), encodeSendPacket(keyBytes(peer(6)), wireguard)))
    await clock.run(10)
    const [one, two] = relays.connections
    expect(one!.of(FRAME.sendPacket).map((body) => body[0])).toEqual([5])
    expect(two!.of(FRAME.sendPacket).map((body) => body[0])).toEqual([6])
  })

  it('forgets routes with the connection and with the peer', async () => {
    const { clock, relays, derp, seen } = await homed()
    for (const n of [5, 6]) relays.last.raw(encodeRecvPacket(keyBytes(peer(n)), wireguard))
    relays.last.send(FRAME.peerGone, concat(keyBytes(peer(5)), new Uint8Array([1])))
    relays.last.send(FRAME.peerGone, keyBytes(peer(7)))
    await clock.run(1)
    expect(seen.gone).toEqual([`1 ${peer(5)} 1`, `1 ${peer(7)} 0`])
    expect([derp.routeOf(peer(5)), derp.routeOf(peer(6))]).toEqual([undefined, 1])
    relays.last.raw(encodeRecvPacket(keyBytes(peer(5)), wireguard))
    await clock.run(1)
    expect(derp.routeOf(peer(5))).toBe(1)
    relays.last.close()
    await clock.run(1)
    expect(derp.routeOf(peer(6))).toBeUndefined()
  })

  it('hands packets and disco on apart', async () => {
    const { clock, relays, seen } = await homed()
    relays.last.raw(concat(encodeRecvPacket(keyBytes(peer(5)), wireguard), encodeRecvPacket(keyBytes(peer(6)), disco)))
    await clock.run(1)
    expect(seen.disco).toEqual([`1 ${peer(6)}`])
    expect(seen.frames).toEqual([encodeRecvPacket(keyBytes(peer(5)), wireguard)])
  })

  it('answers the relay\'s pings with the same eight bytes', async () => {
    const { clock, relays } = await homed()
    relays.last.send(FRAME.ping, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 9]))
    await clock.run(1)
    expect(relays.last.of(FRAME.pong)).toEqual([new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])])
  })

  it('gives up a connection on which nothing was heard for two minutes', async () => {
    const { clock, relays, seen } = await homed()
    await clock.run(110_000)
    relays.last.send(FRAME.keepAlive, new Uint8Array(0))
    await clock.run(110_000)
    expect(relays.dials).toBe(1)
    await clock.run(11_000)
    expect(relays.dials).toBe(2)
    expect(seen.states.some((text) => text.includes('nothing heard from the relay for 120 s'))).toBe(true)
  })

  it('finds a connection dead within three seconds of a change of networks', async () => {
    const { clock, relays, derp } = await homed()
    derp.handleNetworkChange('the address changed')
    await clock.run(1)
    expect(relays.last.of(FRAME.ping)).toHaveLength(1)
    await clock.run(3300)
    expect(relays.dials).toBe(2)
    derp.handleNetworkChange('the address changed')
    await clock.run(1)
    relays.last.send(FRAME.pong, relays.last.of(FRAME.ping)[0]!)
    await clock.run(10_000)
    expect(relays.dials).toBe(2)
  })

  it('makes a connection anew at once when its address here is gone, and leaves the others', async () => {
    const all = setUp()
    const { clock, relays, derp, seen, gone } = all
    relays.localIp = '10.0.0.5'
    derp.setHome(1)
    await clock.run(10)
    relays.localIp = '10.9.0.5'
    derp.send(2, peer(1), disco)
    await clock.run(10)
    expect(relays.dials).toBe(2)
    gone.add('10.0.0.5')
    derp.handleNetworkChange('the address changed')
    await clock.run(1)
    expect(relays.dials).toBe(3)
    expect(seen.states.filter((text) => text.startsWith('1 ')).slice(-3)).toEqual(['1 lost: its address here is gone: the address changed', '1 connecting: the address changed', '1 connected: the address changed'])
    expect(derp.isConnected(2)).toBe(true)
  })

  it('dials anew when the network changes while it dials', async () => {
    const { clock, relays, derp } = setUp()
    relays.plan = (_host, _port, count) => (count === 0 ? 'hang' : {})
    derp.setHome(1)
    await clock.run(10)
    derp.handleNetworkChange('there is a network')
    await clock.run(10)
    expect(relays.dials).toBe(2)
    expect(derp.isConnected(1)).toBe(true)
  })

  it('keeps what a relay says is wrong with it until it is well again', async () => {
    const { clock, relays, derp } = await homed()
    relays.last.send(FRAME.health, Buffer.from('another client has our key – really'))
    await clock.run(1)
    expect(derp.health().get(1)).toBe('another client has our key – really')
    relays.last.send(FRAME.health, new Uint8Array(0))
    await clock.run(1)
    expect(derp.health().size).toBe(0)
  })

  it('keeps to the rate that the relay allows and counts what it drops', async () => {
    const all = setUp()
    all.relays.plan = () => ({ info: '{"version":2,"TokenBucketBytesPerSecond":14100,"TokenBucketBytesBurst":1410}' })
    all.derp.setHome(1)
    await all.clock.run(10)
    const frame = encodeSendPacket(keyBytes(peer(5)), wireguard)
    expect(frame.length).toBe(141)
    for (let i = 0; i < 100; i++) all.derp.sendFrames(1, frame.slice())
    await all.clock.run(1000)
    expect(all.relays.last.of(FRAME.sendPacket)).toHaveLength(10)
    expect(all.derp.counters()['droppedPackets']).toBe(90)
    for (let i = 0; i < 100; i++) all.derp.sendFrames(1, frame.slice())
    await all.clock.run(1)
    expect(all.relays.last.of(FRAME.sendPacket)).toHaveLength(20)
  })

  it('drops and counts packets that a stuck relay does not take, and does not keep them', async () => {
    const all = setUp()
    all.relays.plan = () => ({ stuck: true })
    all.derp.setHome(1)
    await all.clock.run(1)
    const run = concat(...Array.from({ length: 40 }, () => encodeSendPacket(keyBytes(peer(5)), new Uint8Array(1300))))
    for (let i = 0; i < 200; i++) all.derp.sendFrames(1, run.slice())
    expect(all.derp.counters()['droppedPackets']).toBeGreaterThan(7000)
    await all.clock.run(9000)
    expect(all.relays.dials).toBeGreaterThan(1)
  })

  it('logs in again with another node key and with another description of the relay', async () => {
    const { clock, relays, derp } = await homed()
    derp.setPrivateKey(PrivateKey.fromRandom(new Uint8Array(32).fill(10)))
    await clock.run(10)
    expect(relays.dials).toBe(2)
    expect(relays.connections[0]!.closed).toBe(false)
    await clock.run(5000)
    expect(relays.connections[0]!.closed).toBe(true)
    derp.setMap(derpMap([1, 2]))
    await clock.run(10)
    expect(relays.dials).toBe(2)
    derp.setMap(derpMap([1, 2], { DERPPort: 8443 }))
    await clock.run(10)
    expect(relays.last.port).toBe(8443)
    derp.setPrivateKey(undefined)
    await clock.run(100_000)
    expect(relays.dials).toBe(3)
    expect(clock.waiting).toBe(0)
  })

  it('hears and speaks under both names for some seconds after the node key changed, and tells no loss', async () => {
    const { clock, relays, derp, seen } = await homed()
    const states = seen.states.length
    derp.setPrivateKey(PrivateKey.fromRandom(new Uint8Array(32).fill(10)))
    await clock.run(10)
    derp.send(1, peer(5), disco)
    await clock.run(10)
    for (const connection of relays.connections) expect(connection.of(FRAME.sendPacket)).toEqual([concat(keyBytes(peer(5)), disco)])
    relays.connections[0]!.send(FRAME.recvPacket, concat(keyBytes(peer(6)), disco))
    await clock.run(10)
    expect(seen.disco).toEqual([`1 ${peer(6)}`])
    await clock.run(5000)
    derp.send(1, peer(5), disco)
    await clock.run(10)
    expect(relays.connections.map((connection) => connection.of(FRAME.sendPacket).length)).toEqual([1, 2])
    expect(seen.states.slice(states).some((state) => state.includes('lost'))).toBe(false)
  })

  it('dials by the map: addresses, families, ports, plain HTTP, certificate rules', async () => {
    const cases: [Partial<DerpNode>, boolean, object, number][] = [
      [{ IPv4: '192.0.2.1', IPv6: 'none' }, false, { addresses: ['192.0.2.1'], servername: 'r1.example' }, 443],
      [{ IPv4: 'none' }, false, { family: 6 }, 443],
      [{ InsecureForTests: true }, false, { verify: 'caller' }, 443],
      [{ CertName: 'other.example' }, false, { verify: { name: 'other.example' }, servername: 'r1.example' }, 443],
      [{ HostName: '192.0.2.9' }, false, { tls: true }, 443],
      [{ IPv4: '192.0.2.1' }, false, { addresses: ['192.0.2.1'], family: 6 }, 443],
      [{ IPv6: '2001:db8::1' }, false, { addresses: ['2001:db8::1'], family: 4 }, 443],
      [{ IPv4: '192.0.2.1', IPv6: '2001:db8::1' }, false, { addresses: ['192.0.2.1', '2001:db8::1'] }, 443],
      [{ CertName: `sha256-raw:${'A'.repeat(64)}` }, false, { verify: 'caller', servername: 'r1.example' }, 443],
      [{ DERPPort: 8080 }, true, { tls: false }, 8080],
      [{}, true, { tls: false }, 3340],
    ]
    for (const [node, plain, options, port] of cases) {
      const all = setUp()
      all.derp.setPlainHttp(plain)
      all.derp.setMap(derpMap([1], node))
      all.derp.setHome(1)
      await all.clock.run(10)
      expect(all.relays.connections[0]!.options).toMatchObject(options)
      expect(all.relays.connections[0]!.port).toBe(port)
    }
  })
})

describe('how relays are dialled', () => {
  it('tries IPv6 first once it was seen to work', async () => {
    const all = setUp()
    all.derp.setMap(derpMap([1], { IPv4: '192.0.2.1', IPv6: '2001:db8::1' }))
    all.derp.setPrefersIpv6(true)
    all.derp.setHome(1)
    await all.clock.run(10)
    expect(all.relays.last.options.addresses).toEqual(['2001:db8::1', '192.0.2.1'])
  })

  it('gives TCP a second and a half where another relay is next, and all of them ten seconds', async () => {
    const all = setUp()
    const seen: (number | undefined)[] = []
    all.relays.plan = () => 'refuse'
    const { dial } = all.relays
    const derp = new DerpRegions({ env: { clock: all.clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }, dial: async (host, port, options) => {
      seen.push(options.connectTimeoutMs, options.timeoutMs)
      await new Promise<void>((done) => void all.clock.after(4000, done))
      return dial(host, port, options)
    } })
    derp.start({ onDisco: () => {}, onFrames: () => {}, onPeerGone: () => {}, onState: () => {} })
    derp.setPrivateKey(all.key)
    const map = derpMap([1])
    const [node] = map.Regions['1']!.Nodes!
    derp.setMap({ Regions: { 1: { ...map.Regions['1']!, Nodes: Array.from({ length: 4 }, () => ({ ...node! })) } } })
    derp.setHome(1)
    await all.clock.run(12_050)
    expect(seen).toEqual([1500, 5000, 1500, 5000, 1500, 2000])
    derp.stop()
  })

  it('writes an IPv6 address in brackets into the request, and no line break into it', async () => {
    for (const [HostName, host] of [['2001:db8::9', '[2001:db8::9]'], ['a\r\nEvil: 1', 'aEvil:1']] as const) {
      const all = setUp()
      all.derp.setMap(derpMap([1], { HostName, IPv4: '192.0.2.1' }))
      all.derp.setHome(1)
      await all.clock.run(10)
      expect(all.relays.last.request.split('\r\n')[1]!.replaceAll(/[[\]]/g, '')).toBe(`Host: ${host.replaceAll(/[[\]]/g, '')}`)
      if (HostName.startsWith('2001')) expect(all.relays.last.request).toContain(`Host: ${host}\r\n`)
    }
  })

  it('keeps the newest packets, not the oldest, while a connection is being made', async () => {
    const all = setUp()
    let open: () => void = () => {}
    const { dial } = all.relays
    const derp = new DerpRegions({ env: { clock: all.clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }, dial: async (host, port, options) => {
      await new Promise<void>((done) => (open = done))
      return dial(host, port, options)
    } })
    derp.start({ onDisco: () => {}, onFrames: () => {}, onPeerGone: () => {}, onState: () => {} })
    derp.setPrivateKey(all.key)
    derp.setMap(derpMap([1]))
    for (let i = 0; i < 100; i++) derp.sendFrames(1, encodeSendPacket(keyBytes(peer(5)), new Uint8Array(1300).fill(i)))
    await all.clock.run(1)
    open()
    await all.clock.run(10)
    const kept = all.relays.last.of(FRAME.sendPacket).map((body) => body[40]!)
    expect(kept.length).toBeLessThan(60)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 100 - kept.length + i))
    expect(derp.counters()['droppedPackets']).toBe(100 - kept.length)
    derp.stop()
  })
})

describe('the fast start', () => {
  async function fast(script: RelayScript): Promise<ReturnType<typeof setUp>> {
    const all = setUp([1])
    all.relays.plan = () => script
    all.derp.setHome(1)
    all.derp.send(1, peer(5), disco)
    await all.clock.run(10)
    return all
  }

  it('logs in and sends without waiting for any answer, where the relay shows its key', async () => {
    const { relays, seen, key } = await fast({ meta: {} })
    expect(relays.last.request).toContain('Derp-Fast-Start: 1\r\n')
    expect(relays.last.client).toBe(nodeKey(key.publicBytes()))
    expect(relays.last.frames.map((frame) => frame.type)).toEqual([FRAME.clientInfo, FRAME.notePreferred, FRAME.sendPacket])
    expect(seen.states.at(-1)).toMatch(/^1 connected/)
    expect(relays.dials).toBe(1)
  })

  it.each([['no TLS', {}], ['TLS 1.2', { meta: { protocol: 'TLSv1.2' } }], ['a serial number that is no version', { meta: { serial: '0102' } }], ['version 0', { meta: { serial: '00' } }]])('is not taken with %s', async (_name, script) => {
    const { relays, seen } = await fast(script)
    expect(relays.last.request).not.toContain('Fast-Start')
    expect(seen.states.at(-1)).toMatch(/^1 connected/)
  })

  it('is given up for a relay that does not go on from it', async () => {
    const all = await fast({ meta: { wrong: true } })
    await all.clock.run(2000)
    expect(all.relays.connections[0]!.request).toContain('Fast-Start')
    expect(all.relays.last.request).not.toContain('Fast-Start')
    expect(all.seen.states.at(-1)).toMatch(/^1 connected/)
  })
})

describe('relays that lie', () => {
  it('may name any sender: nothing but where to answer follows, and it is bounded', async () => {
    const { clock, relays, derp, seen } = await homed()
    const raw = (n: number): Uint8Array => {
      const key = new Uint8Array(32).fill(7)
      writeU32(key, 0, n)
      return key
    }
    for (let i = 0; i < 30_000; i += 1000) {
      relays.last.raw(concat(...Array.from({ length: 1000 }, (_, k) => encodeRecvPacket(raw(i + k), wireguard))))
      await clock.run(1)
    }
    expect(derp.routeOf(nodeKey(raw(29_999)))).toBe(1)
    expect(derp.routeOf(nodeKey(raw(0)))).toBeUndefined()
    expect(seen.frames.length).toBeGreaterThan(0)
    expect(derp.isConnected(1)).toBe(true)
  })

  it('may say that anybody is gone: it is told on, and does not fill the journal', async () => {
    const { clock, relays, derp, seen, journal } = await homed()
    const before = journal.length
    for (let i = 0; i < 1000; i++) relays.last.send(FRAME.peerGone, concat(keyBytes(peer(i % 250)), new Uint8Array([i & 1])))
    await clock.run(1)
    expect(seen.gone).toHaveLength(1000)
    expect(journal.length - before).toBeLessThanOrEqual(51)
    expect(derp.counters()['peersGoneUntold']).toBe(950)
  })

  it('may repeat what is wrong with it: it is told once', async () => {
    const { clock, relays, journal } = await homed()
    for (let i = 0; i < 100; i++) relays.last.send(FRAME.health, Buffer.from('twice'))
    await clock.run(1)
    expect(journal.filter((event) => event.kind === 'health')).toHaveLength(1)
  })

  it('may ping without reading: the answers are not kept', async () => {
    const all = setUp([1])
    all.derp.setHome(1)
    await all.clock.run(10)
    all.relays.last.stopReading()
    const pings = concat(...Array.from({ length: 20_000 }, () => encodeFrame(FRAME.ping, new Uint8Array(8))))
    for (let i = 0; i < 10; i++) {
      all.relays.last.raw(pings)
      await all.clock.run(1)
    }
    expect(all.relays.unreadBytes()).toBeLessThan(1_000_000)
  })
})

describe('relay regions and bad relays', () => {
  it.each([
    ['another status', { head: 'HTTP/1.1 404 Not Found\r\n\r\n' }, 'HTTP status 404'],
    ['no HTTP', { head: 'SSH-2.0-OpenSSH\r\n\r\n\r\n\r\n' }, 'did not answer as HTTP'],
    ['a head without end', { head: 'HTTP/1.1 101 x\r\nA: '.padEnd(40_000, 'a') }, 'did not answer as HTTP'],
    ['a wrong magic', { greeting: concat(new Uint8Array([1, 0, 0, 0, 40]), new Uint8Array(40)) }, 'did not introduce itself'],
    ['a key that is a low-order point', { greeting: concat(new Uint8Array([1, 0, 0, 0, 40]), new Uint8Array([0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91]), new Uint8Array(32)) }, 'unusable key'],
    ['disco before the login', { greeting: encodeRecvPacket(new Uint8Array(32), disco) }, 'did not introduce itself'],
    ['a packet before the login', { greeting: encodeRecvPacket(new Uint8Array(32), wireguard) }, 'did not introduce itself'],
    ['an unreadable introduction', { info: 'nonsense' }, 'unreadable introduction'],
    ['silence', { greeting: new Uint8Array(0) }, 'did not answer the login in time'],
  ])('ends the connection with a clear reason and tries again after %s', async (_name, script, why) => {
    const all = setUp([1])
    all.relays.plan = () => script
    all.derp.setHome(1)
    await all.clock.run(30_000)
    expect(all.seen.states.some((text) => text.includes('lost') && text.includes(why)), all.seen.states.join('\n')).toBe(true)
    expect(all.relays.dials).toBeGreaterThan(1)
    all.relays.plan = () => ({})
    await all.clock.run(20_000)
    expect(all.seen.states.at(-1)).toMatch(/^1 connected/)
  })

  it('ends the connection at the header of a frame that claims four gigabytes', async () => {
    const { clock, relays, seen, derp } = await homed()
    relays.last.raw(new Uint8Array([FRAME.recvPacket, 255, 255, 255, 255, 1, 2, 3]))
    await clock.run(10)
    expect(seen.states.some((text) => text.includes('bad frame: long'))).toBe(true)
    expect(derp.counters()['lostConnections']).toBe(1)
    await clock.run(5000)
    expect(seen.states.at(-1)).toMatch(/^1 connected/)
  })

  it('survives any bytes after the login', async () => {
    const all = await homed()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), async (chunks) => {
        for (const chunk of chunks) all.relays.last.raw(chunk)
        await all.clock.run(6000)
        expect(all.derp.counters()['unknownRegion']).toBe(0)
      }),
      { numRuns: 30 },
    )
    await all.clock.run(130_000)
    expect(all.derp.isConnected(1)).toBe(true)
  })

  it('stops with nothing left behind, also while dialling', async () => {
    const all = setUp()
    all.relays.plan = () => 'hang'
    all.derp.setHome(1)
    all.derp.send(2, peer(5), disco)
    await all.clock.run(100)
    all.derp.stop()
    await all.clock.run(60_000)
    expect(all.clock.waiting).toBe(0)
    expect(all.relays.dials).toBe(2)
  })
})
