/**
 * Hostile relays: STUN answers, the bytes of a relay connection in any pieces, frames with claimed lengths to 4 GiB, senders
 * that are not who they say, maps with absurd weights. Nothing throws, memory stays bounded, and nothing follows from a lie
 * but what the rules allow.
 */
import { expect } from 'vitest'
import { concat, equal, readU32, writeU32 } from '../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { canonicalIp, isLoopbackIp, isMulticastIp, isTailscaleIp, parseAddrPort } from '../../main/engine/base/ip.ts'
import { keyBytes, nodeKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { encodeFrame, encodeRecvPacket, FRAME, FRAME_HEADER_BYTES, MAX_PACKET_FRAME_BYTES, PACKET_OVERHEAD_BYTES } from '../../main/engine/core/derp/frame.ts'
import { DerpStream } from '../../main/engine/core/derp/stream.ts'
import { DISCO_MAGIC, looksLikeDisco } from '../../main/engine/core/disco/envelope.ts'
import { chooseHome } from '../../main/engine/core/netcheck/home.ts'
import { decodeStunResponse, encodeStunRequest, encodeStunResponse } from '../../main/engine/core/stun/stun.ts'
import type { DerpMap } from '../../main/engine/core/tailcfg/types.ts'
import { DerpRegions } from '../../main/engine/derp/derp-regions.ts'
import { readUpgradeReply } from '../../main/engine/derp/upgrade.ts'
import { HandClock, seededRandom } from '../sim/clock.ts'
import { MemoryRelays } from '../unit/derp/memory-relay.ts'
import { derpMap, MemoryNet } from '../unit/magicsock/two-nodes.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const IPS = ['198.51.100.1', '127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '100.64.0.9', '169.254.1.1', '2001:db8::1', '::1', 'fe80::1', 'ff02::1', '::ffff:198.51.100.1'] as const

function stunAnswer(chance: Chance, txId: Uint8Array): Uint8Array {
  const good = encodeStunResponse(txId, { ip: chance.pick(IPS), port: chance.pick([0, 1, 4242, 65_535]) })
  if (chance.is(0.3)) return good
  if (chance.is(0.5)) return chance.damage(good)
  return concat(good.subarray(0, 20), chance.bytes(chance.int(0, 1500)))
}

fuzz('a STUN answer is read as an address or refused with a reason', (chance) => {
  const txId = chance.bytes(12)
  const reply = decodeStunResponse(chance.is(0.1) ? chance.damage(encodeStunRequest(txId)) : stunAnswer(chance, txId))
  if (isDecodeError(reply)) return
  expect(canonicalIp(reply.mapped.ip)).toBe(reply.mapped.ip)
  expect(reply.mapped.port).toBeLessThan(65_536)
  expect(reply.txId).toHaveLength(12)
})

fuzz('whatever STUN servers answer, peers are told no address that could not be ours, and no server is asked more', async (chance) => {
  const net = new MemoryNet()
  const node = net.node('198.51.100.1', chance.int(1, 1e6))
  const asked: Uint8Array[] = []
  net.udp = (from, to, bytes) => {
    asked.push(bytes)
    const answers = Array.from({ length: chance.int(0, 3) }, () => stunAnswer(chance, chance.is(0.8) ? bytes.subarray(8, 20) : chance.bytes(12)))
    for (const answer of answers) net.clock.after(chance.int(0, 300), () => from.sock.handleDatagram(chance.is(0.9) ? to : { ip: '192.0.2.1', port: 9 }, answer))
  }
  node.join(derpMap(2, 3, 4), [])
  await net.clock.run(6000)
  expect(asked.length).toBeLessThanOrEqual(2 * 3 * 3)
  for (const { addr } of node.endpoints.flat()) {
    const { ip, port } = parseAddrPort(addr)!
    expect([addr, port === 0 || isMulticastIp(ip) || isLoopbackIp(ip) || isTailscaleIp(ip) || ip === '0.0.0.0']).toEqual([addr, false])
  }
  for (const info of node.netInfos) expect(info.PreferredDERP).toBeLessThanOrEqual(4)
}, { share: 0.1 })

const TYPES = [...Object.values(FRAME), 0x00, 0x09, 0x0a, 0x10, 0x77, 0xff]

function frame(chance: Chance): Uint8Array {
  switch (chance.int(0, 6)) {
    case 0:
    case 1:
      return encodeRecvPacket(new Uint8Array(32).fill(chance.int(0, 3)), concat(new Uint8Array([4, 0, 0, 0]), new Uint8Array(chance.pick([0, 28, 100, 1400, 1400, 1400, 1400, chance.is(0.2) ? 65_000 : 500])).fill(chance.int(0, 255))))
    case 2:
      return encodeRecvPacket(new Uint8Array(32).fill(chance.int(0, 3)), concat(DISCO_MAGIC, chance.bytes(chance.pick([0, 10, 56, 200]))))
    case 3:
      return encodeFrame(FRAME.peerGone, concat(new Uint8Array(32).fill(chance.int(0, 9)), chance.bytes(chance.int(0, 2))))
    case 4: {
      // Claims another length than it has.
      const lie = encodeFrame(chance.pick(TYPES), chance.bytes(chance.int(0, 100)))
      writeU32(lie, 1, chance.pick([0, 1, 31, 32, 33, 65_568, 65_569, 1 << 20, (1 << 20) + 1, 0x7fffffff, 0xffffffff]))
      return lie
    }
    default:
      return encodeFrame(chance.pick(TYPES), chance.bytes(chance.pick([0, 1, 7, 8, 9, 40, 1000])))
  }
}

/** Type, length and the first byte behind a key. */
const mark = (one: Uint8Array): string => `${one[0]!} ${readU32(one, 1)} ${one[PACKET_OVERHEAD_BYTES] ?? ''}`

/** The frames of a stream as plainly as they can be read; ends where the stream has to. */
function plainly(bytes: Uint8Array): string[] {
  const out: string[] = []
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length; ) {
    const [type, length] = [bytes[at]!, readU32(bytes, at + 1)]
    const isKnown = (Object.values(FRAME) as number[]).includes(type)
    const most = type === FRAME.recvPacket ? 65_568 : isKnown ? 65_536 : 1 << 20
    if (length > most || (type === FRAME.recvPacket && length < 32)) break
    const end = at + FRAME_HEADER_BYTES + length
    if (end > bytes.length) break
    if (isKnown) out.push(mark(bytes.subarray(at, end)))
    at = end
  }
  return out
}

fuzz('a relay\'s stream gives the same frames in any pieces, and keeps no more than one packet', (chance) => {
  const good = concat(...Array.from({ length: chance.int(0, 12) }, () => frame(chance)))
  const bytes = chance.is(0.5) ? good : chance.damage(good)
  const seen: string[] = []
  const note = (one: Uint8Array): void => void seen.push(mark(one))
  const stream = new DerpStream({
    onPackets: (run) => {
      for (let at = 0; at < run.length; ) {
        const end = at + FRAME_HEADER_BYTES + readU32(run, at + 1)
        expect(looksLikeDisco(run.subarray(at + PACKET_OVERHEAD_BYTES, end), 0)).toBe(false)
        note(run.subarray(at, end))
        at = end
      }
    },
    onDisco: (src, packet) => note(encodeRecvPacket(src, packet)),
    onSource: (src) => expect(src).toHaveLength(32),
    onFrame: (type, body) => note(encodeFrame(type, body)),
  })
  let most = 0
  for (const piece of chance.cut(bytes)) {
    if (stream.push(piece)) break
    most = Math.max(most, stream.bufferedBytes)
  }
  expect(most).toBeLessThanOrEqual(MAX_PACKET_FRAME_BYTES)
  expect(seen).toEqual(plainly(bytes))
}, { share: 0.3 })

fuzz('a relay connection survives whatever comes after its login, and the engine comes back to the relay', async (chance) => {
  const clock = new HandClock()
  const relays = new MemoryRelays()
  let told = 0
  const derp = new DerpRegions({ env: { clock, random: seededRandom(1), log: silentLog, journal: { add: () => told++ } }, dial: relays.dial })
  derp.start({ onDisco: () => {}, onFrames: (_region, frames) => expect(frames.length).toBeGreaterThan(0), onPeerGone: () => {}, onState: () => {} })
  derp.setPrivateKey(PrivateKey.fromRandom(new Uint8Array(32).fill(9)))
  derp.setMap(derpMap(1))
  derp.setHome(1)
  await clock.run(10)
  const bytes = concat(...Array.from({ length: chance.int(1, 40) }, () => frame(chance)))
  const pieces = chance.cut(chance.is(0.5) ? bytes : chance.damage(bytes)).slice(0, 60)
  for (const piece of pieces) relays.last.raw(piece)
  await clock.run(40_000)
  // The rest of a frame that claimed more is waited for, and given up with the connection.
  if (!derp.isConnected(1)) await clock.run(200_000)
  expect(derp.isConnected(1)).toBe(true)
  expect(told).toBeLessThan(300)
  derp.stop()
  expect(clock.waiting).toBe(0)
}, { share: 0.05 })

fuzz('an upgrade is taken, refused or waited for, in any pieces, and never waited for without end', (chance) => {
  const good = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nDerp-Version: 2\r\n\r\n'
  const head = chance.pick([good, `HTTP/1.1 ${chance.int(0, 999)} ${chance.text()}\r\n\r\n`, chance.text(), 'HTTP/1.1 101 '.padEnd(chance.int(0, 40_000), 'x')])
  const rest = chance.bytes(chance.int(0, 100))
  const raw = concat(Buffer.from(head, 'latin1'), rest)
  const bytes = chance.is(0.7) ? raw : chance.damage(raw)
  let sofar: Uint8Array = new Uint8Array(0)
  for (const piece of chance.cut(bytes).slice(0, 200)) {
    sofar = concat(sofar, piece)
    const reply = readUpgradeReply(sofar)
    if (isDecodeError(reply) || reply.kind !== 'more') {
      if (!isDecodeError(reply) && reply.kind === 'upgraded') expect(equal(reply.rest, sofar.subarray(sofar.length - reply.rest.length))).toBe(true)
      return
    }
    expect(sofar.length).toBeLessThanOrEqual(16_384)
  }
})

fuzz('home is a region of the map or none, whatever the map weighs and whatever was measured', (chance) => {
  const ids = Array.from({ length: chance.int(0, 6) }, () => chance.pick([1, 2, 3, 900, 65_535, 2 ** 31]))
  const map: DerpMap = {
    Regions: Object.fromEntries(ids.map((id) => [String(id), { RegionID: id, RegionCode: '', RegionName: '', Avoid: chance.is(0.3), NoMeasureNoHome: chance.is(0.2), Nodes: chance.is(0.1) ? null : [{ Name: 'a', RegionID: id, HostName: 'a', STUNOnly: chance.is(0.2) }] }])),
    HomeParams: chance.is(0.5) ? null : { RegionScore: Object.fromEntries(ids.map((id) => [String(id), chance.number()])) },
  }
  const current = new Map(Array.from({ length: chance.int(0, 5) }, () => [chance.pick([...ids, 7]), chance.pick([0, 0.1, 30, 1e9])] as const))
  const choice = chooseHome({
    current, recent: chance.is(0.5) ? current : new Map(), map, oldHome: chance.pick([0, 0, ...ids, 8]), runForMs: chance.pick([0, 5000]),
    heardAgoMs: () => (chance.is(0.5) ? undefined : chance.pick([0, 7999, 130_000])), forced: chance.pick([0, 0, ...ids, 9]), canTellPeers: chance.is(0.7), nodeSeed: chance.text(),
  })
  expect(choice.region === 0 || map.Regions[String(choice.region)] !== undefined).toBe(true)
  expect(choice.why.length).toBeGreaterThan(0)
})

fuzz('senders that are not who they say get nothing: no answer, no path, no address', async (chance) => {
  const net = new MemoryNet()
  const a = net.node('198.51.100.1', 1)
  const b = net.node('198.51.100.2', 2)
  a.join(derpMap(2), [b.asPeer(2)])
  await net.clock.run(1000)
  const before = [a.sentUdp, a.sentRelayed, JSON.stringify(a.paths.get(b.key))]
  for (let i = 0; i < 20; i++) {
    const from = chance.is(0.5) ? b.key : nodeKey(chance.bytes(32))
    a.sock.handleRelayed(chance.pick([2, 3, 99]), from, concat(DISCO_MAGIC, chance.is(0.5) ? keyBytes(nodeKey(chance.bytes(32))) : chance.bytes(32), chance.bytes(chance.int(0, 200))))
    a.sock.handlePeerGone(chance.pick([2, 3, 99]), from)
  }
  expect([a.sentUdp, a.sentRelayed, JSON.stringify(a.paths.get(b.key))]).toEqual(before)
}, { share: 0.1 })
