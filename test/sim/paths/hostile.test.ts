import { describe, expect, it } from 'vitest'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { isLoopbackIp, isMulticastIp, isTailscaleIp } from '../../../main/engine/base/ip.ts'
import { DiscoKeys } from '../../../main/engine/core/disco/envelope.ts'
import { encodeDisco } from '../../../main/engine/core/disco/message.ts'
import { seededRandom } from '../clock.ts'
import { isDirect, SimWorld } from './nodes.ts'
import type { SimNode } from './nodes.ts'

const STRANGER: AddrPort = { ip: '192.0.2.66', port: 666 }

interface Sent {
  readonly from: SimNode
  readonly to: AddrPort
  readonly bytes: Uint8Array
}

/** Two nodes that have met, and every disco datagram that they sent on the way. */
async function met(): Promise<{ world: SimWorld; one: SimNode; other: SimNode; disco: Sent[] }> {
  const world = new SimWorld()
  const [one, other] = [world.add('public'), world.add('public')]
  const disco: Sent[] = []
  for (const from of [one, other]) {
    from.onSend = (to, bytes) => {
      if (bytes[0] === 0x54) disco.push({ from, to, bytes: bytes.slice() })
    }
  }
  await world.start()
  one.traffic(100)
  expect(await world.runUntil(() => isDirect(one, other), 2000)).toBeDefined()
  await world.run(1000)
  return { world, one, other, disco }
}

/** What a node sends to an address while `act` runs and the answers travel. */
async function bytesTo(world: SimWorld, node: SimNode, to: AddrPort, act: () => void): Promise<number> {
  let bytes = 0
  const before = node.onSend
  node.onSend = (at, sent) => {
    if (at.ip === to.ip && at.port === to.port) bytes += sent.length
  }
  act()
  await world.run(200)
  node.onSend = before
  return bytes
}

describe('datagrams of strangers', () => {
  it('are answered with nothing when they are real ones cut short or with one bit another', async () => {
    const { world, other, disco } = await met()
    const path = other.path
    const mine = disco.filter(({ from }) => from !== other)
    expect(mine.some(({ bytes }) => bytes.length > 1000)).toBe(true)
    const answered = await bytesTo(world, other, STRANGER, () => {
      for (const { bytes } of mine.slice(0, 6)) {
        for (let length = 0; length < Math.min(bytes.length, 200); length++) other.sock.handleDatagram(STRANGER, bytes.slice(0, length))
        for (let bit = 0; bit < Math.min(bytes.length, 160) * 8; bit += 3) {
          const flipped = bytes.slice()
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          other.sock.handleDatagram(STRANGER, flipped)
        }
      }
    })
    expect(answered).toBe(0)
    expect(other.path).toEqual(path)
  })

  it('are answered with nothing when they are replayed, from wherever', async () => {
    const { world, other, disco } = await met()
    const before = other.evidence().candidates.length
    const answered = await bytesTo(world, other, STRANGER, () => {
      for (let round = 0; round < 20; round++) for (const { bytes } of disco) other.sock.handleDatagram(STRANGER, bytes)
    })
    expect(answered).toBe(0)
    expect(other.evidence().candidates.length).toBe(before)
  })

  it('never get more than they sent, though they pass on a ping that nobody saw before, and become no path by it', async () => {
    const { world, one, other } = await met()
    let caught: Uint8Array | undefined
    one.onSend = (_to, bytes) => {
      if (bytes[0] === 0x54) caught ??= bytes.slice()
    }
    world.network.cut.add(one.host.name)
    await world.runUntil(() => caught !== undefined, 5000)
    one.onSend = () => {}
    const answered = await bytesTo(world, other, STRANGER, () => other.sock.handleDatagram(STRANGER, caught!))
    expect(answered).toBeLessThanOrEqual(2 * caught!.length)
    await world.run(20_000)
    expect(other.path).toEqual({ kind: 'relay', region: 2 })
  })

  it('change no path when they bring a pong from another place', async () => {
    const { world, one, other, disco } = await met()
    const pongs: Uint8Array[] = []
    other.onSend = (_to, bytes) => {
      if (bytes[0] === 0x54) pongs.push(bytes.slice())
    }
    disco.length = 0
    world.network.cut.add(other.host.name)
    for (let i = 0; i < 10; i++) {
      await world.run(300)
      for (const pong of pongs.splice(0)) one.sock.handleDatagram(STRANGER, pong)
    }
    if ('addr' in one.path) expect(one.path.addr).toEqual(other.host.addr)
  })
})

describe('a peer that means ill', () => {
  it('makes us send nothing to this machine, to groups, into the tunnel or to port 0', async () => {
    const world = new SimWorld({ mapDelayMs: 'never' })
    const [one, other] = [world.add('public'), world.add('public')]
    const to: AddrPort[] = []
    one.onSend = (at) => void to.push(at)
    await world.start()
    const evil = ['127.0.0.1:41641', '224.0.0.1:41641', '255.255.255.255:41641', '100.64.0.2:41641', '0.0.0.0:41641', '198.51.100.9:0', '[::1]:41641', '[ff02::1]:41641', '[fd7a:115c:a1e0::2]:41641']
    other.endpoints = evil.map((text) => ({ ip: text.slice(0, text.lastIndexOf(':')).replace(/[[\]]/g, ''), port: Number(text.slice(text.lastIndexOf(':') + 1)) }))
    one.sock.setConfig({ derpMap: { Regions: {} }, peers: [{ id: 2, key: other.key, disco: other.sock.discoKey, homeDerp: 2, ip: '100.64.0.2', name: 'evil', expired: false, endpoints: other.endpoints }] })
    one.traffic(100)
    await world.run(10_000)
    expect(to.filter(({ ip, port }) => port === 0 || isLoopbackIp(ip) || isMulticastIp(ip) || isTailscaleIp(ip) || ip.startsWith('0.') || ip === '255.255.255.255')).toEqual([])
  })

  it('gets no more than a few pings a second for any number of calls with any number of addresses', async () => {
    const { world, one, other } = await met()
    const random = seededRandom(3)
    world.network.cut.add(other.host.name)
    await world.run(10_000)
    const before = one.pingsOut
    for (let i = 0; i < 600; i++) {
      const endpoints = Array.from({ length: 60 }, () => ({ ip: `192.0.2.${1 + Math.floor(random.unit() * 250)}`, port: 1 + Math.floor(random.unit() * 60_000) }))
      const call = new DiscoKeys(other.disco).seal(one.sock.discoKey, random.bytes(24), encodeDisco({ kind: 'call-me-maybe', endpoints }))!
      one.sock.handleRelayed(2, other.key, call)
      await world.run(100)
    }
    expect(one.pingsOut - before).toBeLessThan(120 + 60 * 20 + 60 * 4)
    expect(one.evidence().candidates.length).toBeLessThanOrEqual(100)
  })
})
