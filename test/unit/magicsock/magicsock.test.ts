import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { explainPath } from '../../../main/engine/core/path/reason/explain.ts'
import { DISCO_MAGIC, DiscoKeys } from '../../../main/engine/core/disco/envelope.ts'
import { encodeDisco } from '../../../main/engine/core/disco/message.ts'
import { derpMap, MemoryNet } from './two-nodes.ts'
import type { MemoryNode } from './two-nodes.ts'

/** Promises and timers take turns: the netcheck resolves names before it probes. */
async function run(net: MemoryNet, ms: number): Promise<void> {
  await net.clock.run(ms)
}

async function pair(map = derpMap(2)): Promise<{ net: MemoryNet; a: MemoryNode; b: MemoryNode }> {
  const net = new MemoryNet()
  const a = net.node('198.51.100.1', 1)
  const b = net.node('198.51.100.2', 2)
  a.join(map, [b.asPeer(2, { endpoints: [{ ip: b.ip, port: 41641 }] })])
  b.join(map, [a.asPeer(1, { endpoints: [{ ip: a.ip, port: 41641 }] })])
  await run(net, 1000)
  return { net, a, b }
}

describe('magicsock on a network in memory', () => {
  it('knows its address and its home relay as soon as the only region has answered', async () => {
    const net = new MemoryNet()
    const a = net.node('198.51.100.1', 1)
    a.join(derpMap(2), [])
    await run(net, 2 * net.delayMs + 1)
    expect(a.homes).toEqual([2])
    expect(a.endpoints.at(-1)).toEqual([{ addr: '198.51.100.1:41641', type: 2 }])
    expect(a.netInfos).toHaveLength(1)
    expect(a.netInfos[0]).toMatchObject({ PreferredDERP: 2, WorkingUDP: true, DERPLatency: { '2-v4': 0.02 } })
  })

  it('chooses the nearest of many regions without waiting for the deaf ones', async () => {
    const net = new MemoryNet()
    net.deafRegions.add(3)
    net.stunDelayMs = new Map([[2, 80], [4, 15]])
    const a = net.node('198.51.100.1', 1)
    a.join(derpMap(2, 3, 4), [])
    await run(net, 200)
    expect(a.homes).toEqual([4])
    await run(net, 5000)
    expect(a.homes).toEqual([4])
    expect(a.sock.network().report!.regionLatencyMs).toEqual(new Map([[4, 15], [2, 80]]))
    expect(a.sock.network().report!.mappingVariesByDestIp).toBe(false)
  })

  it('keeps the home relay of its last life, at once, unless another is clearly faster', async () => {
    const restarted = async (delays: [number, number][]): Promise<number[]> => {
      const net = new MemoryNet()
      net.stunDelayMs = new Map(delays)
      const a = net.node('198.51.100.1', 1)
      a.sock.setConfig({ derpMap: derpMap(2, 4), peers: [], lastHome: 4 })
      const atOnce = [...a.homes]
      expect(atOnce).toEqual([4])
      a.join(derpMap(2, 4), [])
      await run(net, 1000)
      return a.homes
    }
    expect(await restarted([[2, 20], [4, 25]])).toEqual([4])
    expect(await restarted([[2, 10], [4, 90]])).toEqual([4, 2])
    const net = new MemoryNet()
    const a = net.node('198.51.100.1', 1)
    a.sock.setConfig({ derpMap: derpMap(2), peers: [], lastHome: 77 })
    expect(a.homes).toEqual([])
  })

  it('picks a home relay within about a second when no UDP passes, and says so', async () => {
    const net = new MemoryNet()
    net.udpBlocked = true
    const a = net.node('198.51.100.1', 1)
    a.join(derpMap(2, 3), [])
    await run(net, 1100)
    expect(a.homes).toHaveLength(1)
    expect(a.netInfos.at(-1)).toMatchObject({ WorkingUDP: false, PreferredDERP: a.homes[0] })
    const again = new MemoryNet()
    again.udpBlocked = true
    const same = again.node('198.51.100.1', 1)
    same.join(derpMap(2, 3), [])
    await run(again, 1100)
    expect(same.homes).toEqual(a.homes)
  })

  it('goes from the relay to a direct path within a few round trips of the first packet', async () => {
    const { net, a, b } = await pair()
    expect(a.paths.get(b.key)).toEqual({ kind: 'relay', region: 2 })
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 150)
    expect(a.paths.get(b.key)).toEqual({ kind: 'direct', addr: { ip: '198.51.100.2', port: 41641 } })
    expect(explainPath({ machine: a.sock.pathTo(b.key)!.evidence }).sentence).toBe('direct: answered in 20 ms over the internet')
    expect(a.views.at(-1)).toMatchObject({ peer: b.key, path: { kind: 'direct' }, latencyMs: 20 })
    expect(a.journal.filter((event) => event.part === 'path' && event.kind === 'path')).not.toHaveLength(0)
  })

  it('pings over the relay, and directly once there is a direct path', async () => {
    const { net, a, b } = await pair()
    const first = a.sock.ping(b.key, 0, 5000)
    await run(net, 200)
    expect((await first).latencyMs).toBeLessThanOrEqual(60)
    const second = a.sock.ping(b.key, 1200, 5000)
    await run(net, 100)
    expect(await second).toEqual({ latencyMs: 20, via: { kind: 'direct', addr: { ip: '198.51.100.2', port: 41641 } } })
  })

  it.each([600, 1500, 65_467])('pings with a datagram of %i bytes, as the one who asked said', async (sizeBytes) => {
    const { net, a, b } = await pair()
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 150)
    const lengths: number[] = []
    net.tap = (from, _to, bytes) => {
      if (from === a) lengths.push(bytes.length)
      return bytes
    }
    const answer = a.sock.ping(b.key, sizeBytes, 5000)
    await run(net, 200)
    expect((await answer).latencyMs).toBeLessThan(100)
    expect(lengths).toContain(sizeBytes)
  })

  it('rejects a ping of a stranger at once and of a silent peer at its time', async () => {
    const { net, a, b } = await pair()
    const stranger = net.node('198.51.100.9', 9)
    await expect(a.sock.ping(stranger.key, 0, 1000)).rejects.toMatchObject({ code: 'no-such-peer' })
    b.sock.stop()
    const silent = a.sock.ping(b.key, 0, 2000)
    const rejected = expect(silent).rejects.toMatchObject({ code: 'timeout' })
    await run(net, 2100)
    await rejected
  })

  it.each([{ alwaysDerp: true, neverDirectUdp: false }, { alwaysDerp: false, neverDirectUdp: true }])('stays on the relay on both sides when one has $alwaysDerp/$neverDirectUdp', async (modes) => {
    const { net, a, b } = await pair()
    b.sock.setModes(modes)
    for (const [one, other] of [[a, b], [b, a]] as const) one.sock.handlePeerActivity(other.key, 'sending')
    const ping = a.sock.ping(b.key, 0, 5000)
    await run(net, 20_000)
    expect(a.paths.get(b.key)).toEqual({ kind: 'relay', region: 2 })
    expect(b.paths.get(a.key)).toEqual({ kind: 'relay', region: 2 })
    expect((await ping).via).toEqual({ kind: 'relay', region: 2 })
    expect(a.sock.pathTo(b.key)!.latencyMs).toBe((await ping).latencyMs)
    await run(net, 5 * 60_000)
    expect(a.sock.pathTo(b.key)!.latencyMs).toBeUndefined()
    expect(explainPath({ machine: b.sock.pathTo(a.key)!.evidence }).sentence).toBe('relayed: direct paths are switched off here')
  })

  it('sends nothing for an hour when nobody uses it', async () => {
    const { net, a, b } = await pair()
    const before = [a.sentUdp, a.sentRelayed, b.sentUdp, b.sentRelayed]
    await run(net, 3_600_000)
    expect([a.sentUdp, a.sentRelayed, b.sentUdp, b.sentRelayed]).toEqual(before)
    expect(net.clock.waiting).toBe(0)
  })

  it('asks STUN again every 20 to 26 seconds while there is traffic, and not after', async () => {
    const { net, a, b } = await pair()
    a.sock.handlePeerActivity(b.key, 'sending')
    const runs = (): number => a.journal.filter((event) => event.part === 'netcheck' && event.kind === 'run').length
    const before = runs()
    await run(net, 120_000)
    expect(runs() - before).toBeGreaterThanOrEqual(4)
    expect(runs() - before).toBeLessThanOrEqual(6)
    a.sock.handlePeerActivity(b.key, 'idle')
    await run(net, 15_000)
    const after = runs()
    await run(net, 600_000)
    expect(runs()).toBe(after)
  })

  it('looks at the network afresh after a change and keeps traffic going meanwhile', async () => {
    const { net, a, b } = await pair()
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 300)
    a.sock.handleNetworkChange('the default route changed', true)
    expect(a.paths.get(b.key)).toEqual({ kind: 'relay', region: 2 })
    await run(net, 300)
    expect(a.paths.get(b.key)!.kind).toBe('direct')
  })

  it('tells peers with traffic at once that it is elsewhere, and again when its relay is there again', async () => {
    const { net, a, b } = await pair()
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 10_000)
    expect(a.paths.get(b.key)!.kind).toBe('direct')
    const calls = (): number => a.journal.filter((event) => event.kind === 'call-me-maybe-out' && event.why === 'our network is another').length
    a.sock.handleRelayState(2, 'connected')
    a.sock.handleNetworkChange('nothing much', false)
    await run(net, 1000)
    expect(calls()).toBe(0)
    a.sock.handleNetworkChange('the address is another', true)
    await run(net, 500)
    expect(calls()).toBe(2)
    a.sock.handleRelayState(2, 'connected')
    await run(net, 100)
    a.sock.handleRelayState(3, 'connected')
    await run(net, 100)
    expect(calls()).toBe(4)
    await run(net, 31_000)
    a.sock.handleRelayState(2, 'connected')
    await run(net, 100)
    expect(calls()).toBe(4)
  })

  it('calls peers with traffic when one of them sees it somewhere else', async () => {
    const { net, a, b } = await pair()
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 10_000)
    net.seenAs = { ip: '192.0.2.99', port: 555 }
    await run(net, 5_000)
    expect(a.journal.filter((event) => event.kind === 'seen-elsewhere')).toHaveLength(1)
    expect(a.journal.filter((event) => event.kind === 'call-me-maybe-out' && event.why === 'our network is another').length).toBeGreaterThanOrEqual(2)
    expect(a.paths.get(b.key)!.kind).toBe('direct')
  })

  it('calls nobody after a move when there is no traffic', async () => {
    const { net, a } = await pair()
    a.sock.handleNetworkChange('the address is another', true)
    await run(net, 5000)
    a.sock.handleRelayState(2, 'connected')
    expect(a.journal.filter((event) => event.kind === 'call-me-maybe-out')).toEqual([])
  })

  it('moves home soon after the home relay is lost, and not to and fro', async () => {
    const { net, a } = await pair(derpMap(2, 3))
    expect(a.homes).toEqual([2])
    await run(net, 10_000)
    net.deafRegions.add(2)
    for (let i = 0; i < 10; i++) {
      a.sock.handleRelayState(2, 'lost')
      await run(net, 500)
    }
    expect(a.homes).toEqual([2, 3])
    expect(a.netInfos.at(-1)).toMatchObject({ PreferredDERP: 3 })
    net.deafRegions.clear()
    const asked = a.sock.netcheck()
    await run(net, 4000)
    await asked
    expect(a.homes).toEqual([2, 3])
  })

  it('starts over when the relay map changes while it looks', async () => {
    const net = new MemoryNet()
    net.deafRegions.add(9)
    const a = net.node('198.51.100.1', 1)
    a.join(derpMap(9), [])
    await run(net, 50)
    a.sock.setConfig({ derpMap: derpMap(2), peers: [] })
    await run(net, 100)
    expect(a.homes).toEqual([2])
  })

  it('gives a full report to whoever asks for one', async () => {
    const { net, a } = await pair()
    const asked = a.sock.netcheck()
    await run(net, 3100)
    expect(await asked).toMatchObject({ udp: true, ipv4: true, preferredDerp: 2, globalV4: { ip: '198.51.100.1', port: 41641 } })
  })
})

describe('magicsock and bytes from strangers', () => {
  const from = { ip: '192.0.2.66', port: 666 }

  it('answers nothing to rubbish of any kind', async () => {
    const { a } = await pair()
    const before = a.sentUdp
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, magic) => {
        a.sock.handleDatagram(from, magic ? new Uint8Array([...DISCO_MAGIC, ...bytes]) : bytes)
        a.sock.handleRelayed(2, a.key, bytes)
      }),
    )
    expect(a.sentUdp).toBe(before)
  })

  it('drops pings of a disco key that is in nobody\'s map', async () => {
    const { a } = await pair()
    const stranger = PrivateKey.fromRandom(new Uint8Array(32).fill(7))
    const sealed = new DiscoKeys(stranger).seal(a.sock.discoKey, new Uint8Array(24), encodeDisco({ kind: 'ping', txId: new Uint8Array(12), nodeKey: undefined, paddingBytes: 0 }))!
    const before = a.sentUdp
    a.sock.handleDatagram(from, sealed)
    expect(a.sentUdp).toBe(before)
    expect(a.sock.counters()['discoUnknownSender']).toBe(1)
  })

  it('answers a ping once, however often and from wherever it is replayed, with no more bytes than it got', async () => {
    const { net, a, b } = await pair()
    let captured: Uint8Array | undefined
    net.tap = (sender, _to, bytes) => {
      if (sender === b && bytes.length === 124) captured ??= bytes.slice()
      return bytes
    }
    b.sock.handlePeerActivity(a.key, 'sending')
    await run(net, 200)
    a.sock.handlePeerActivity(b.key, 'idle')
    await run(net, 20_000)
    const before = a.sentUdp
    for (let i = 0; i < 50; i++) a.sock.handleDatagram({ ip: '192.0.2.66', port: 1000 + i }, captured!)
    expect(a.sentUdp).toBe(before)
    expect(a.sock.counters()['discoRepeatedPing']).toBe(50)
  })

  it('takes a call only from a relay and from the node that owns the key', async () => {
    const { net, a, b } = await pair()
    const other = net.node('198.51.100.3', 3)
    a.sock.setConfig({ derpMap: derpMap(2), peers: [b.asPeer(2), other.asPeer(3)] })
    let call: Uint8Array | undefined
    const relay = net.relay.bind(net)
    net.relay = (sender, region, to, bytes) => {
      call ??= bytes
      relay(sender, region, to, bytes)
    }
    b.sock.handlePeerActivity(a.key, 'sending')
    const before = a.sentUdp
    a.sock.handleDatagram(from, call!)
    a.sock.handleRelayed(2, other.key, call!)
    expect(a.sentUdp).toBe(before)
    expect(a.sock.counters()['discoRefused']).toBe(2)
    await run(net, 100)
    expect(a.sentUdp).toBeGreaterThan(before)
  })

  it('believes no pong that comes over another kind of path than its ping went', async () => {
    const { net, a, b } = await pair()
    net.tap = (sender, _to, bytes) => {
      // The pong is carried to the relay instead.
      if (sender === b && bytes.length === 110) {
        a.sock.handleRelayed(2, b.key, bytes)
        return undefined
      }
      return sender === b ? undefined : bytes
    }
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 5000)
    expect(a.paths.get(b.key)).toEqual({ kind: 'relay', region: 2 })
    expect(a.sock.counters()['discoUnexpectedPong']).toBeGreaterThan(0)
  })

  it('takes a relay\'s word that a peer is gone for a hint: direct paths stay, and the relay is used as before', async () => {
    const { net, a, b } = await pair()
    for (let i = 0; i < 20; i++) a.sock.handlePeerGone(2, b.key)
    expect(a.paths.get(b.key)).toEqual({ kind: 'relay', region: 2 })
    a.sock.handlePeerActivity(b.key, 'sending')
    await run(net, 300)
    expect(a.paths.get(b.key)!.kind).toBe('direct')
    for (let i = 0; i < 20; i++) a.sock.handlePeerGone(2, b.key)
    await run(net, 5000)
    expect(a.paths.get(b.key)!.kind).toBe('direct')
  })

  it('ignores STUN answers that nobody asked for', async () => {
    const { a } = await pair()
    const before = a.endpoints.length
    a.sock.handleDatagram(from, new Uint8Array([1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(12), 0, 0x20, 0, 8, 0, 1, 1, 1, 1, 1, 1, 1]))
    expect(a.endpoints.length).toBe(before)
    expect(a.sock.counters()['stunUnexpected']).toBe(1)
  })

  it('takes ten thousand peers and a change of one without touching the others', async () => {
    const { a, b } = await pair()
    const peers = Array.from({ length: 10_000 }, (_, i) => {
      const raw = new Uint8Array(32).fill(1)
      raw[0] = i & 255
      raw[1] = i >> 8
      return { ...b.asPeer(i + 10), key: `nodekey:${Buffer.from(raw).toString('hex')}` as typeof b.key, disco: undefined }
    })
    a.sock.setConfig({ derpMap: derpMap(2), peers })
    a.paths.clear()
    a.sock.setConfig({ derpMap: derpMap(2), peers: peers.map((one, i) => (i === 5000 ? { ...one, homeDerp: 7 } : one)) })
    expect([...a.paths.values()]).toEqual([{ kind: 'relay', region: 7 }])
  })
})
