/**
 * Our relay client against a real derper on loopback: login, packets both ways, disco told apart, peers that leave, the
 * relay's death and return, STUN, and how fast bulk data passes.
 */
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { keyBytes, nodeKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { encodeSendPacket } from '../../main/engine/core/derp/frame.ts'
import { DISCO_MAGIC } from '../../main/engine/core/disco/envelope.ts'
import { decodeStunResponse, encodeStunRequest } from '../../main/engine/core/stun/stun.ts'
import type { DerpMap } from '../../main/engine/core/tailcfg/types.ts'
import { systemRandom } from '../sim/clock.ts'
import { Child } from '../support/child.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { findPeers } from './lab/peers.ts'
import { RelayClient } from './lab/relay-client.ts'

const peers = findPeers()

describe.skipIf(!peers)('the relay client and a real derper', () => {
  const folder = makeTempDir('derp')
  const clients: RelayClient[] = []
  let port = 0
  let stunPort = 0
  let map: DerpMap
  let derper: Child

  const startDerper = async (): Promise<void> => {
    derper = new Child({
      name: 'derper',
      command: peers!.derper,
      args: ['-a', `127.0.0.1:${port}`, '-http-port', '-1', '-stun-port', `${stunPort}`, '-hostname', '127.0.0.1', '-c', join(folder, 'derper.key')],
    })
    await waitFor('derper to serve', () => fetch(`http://127.0.0.1:${port}/derp/probe`).then((reply) => reply.ok), { withinMs: 20_000 })
  }
  const client = (): RelayClient => {
    const made = new RelayClient(map)
    clients.push(made)
    return made
  }
  const homed = async (): Promise<RelayClient> => {
    const made = client()
    made.regions.setHome(900)
    await waitFor('the home relay', () => made.connected(), { withinMs: 5000 })
    return made
  }

  beforeAll(async () => {
    port = await freeTcpPort()
    stunPort = await freeUdpPort()
    const node = { Name: '900a', RegionID: 900, HostName: '127.0.0.1', IPv4: '127.0.0.1', IPv6: 'none', STUNPort: stunPort, DERPPort: port }
    map = { Regions: { 900: { RegionID: 900, RegionCode: 'lab', RegionName: 'Lab', Nodes: [node] } } }
    await startDerper()
  })

  afterAll(async () => {
    for (const one of clients) one.regions.stop()
    await derper.stop()
    removeTempDir(folder)
  })

  it('carries packets and disco between two clients and knows where a peer was heard', async () => {
    const a = await homed()
    const b = await homed()
    const wireguard = concat(new Uint8Array([4, 0, 0, 0]), systemRandom.bytes(1000))
    const disco = concat(DISCO_MAGIC, systemRandom.bytes(100))
    a.regions.sendFrames(900, concat(encodeSendPacket(keyBytes(b.node), wireguard), encodeSendPacket(keyBytes(b.node), wireguard)))
    a.regions.send(900, b.node, disco)
    await waitFor('three packets', () => b.packets.length === 2 && b.disco.length === 1, { withinMs: 3000 })
    expect(b.packets[0]).toEqual({ from: a.node, bytes: wireguard })
    expect(b.disco[0]).toEqual({ from: a.node, bytes: disco })
    expect(b.regions.routeOf(a.node)).toBe(900)
  })

  it('is told of a peer that leaves, and forgets the route to it', async () => {
    const a = await homed()
    const b = await homed()
    b.regions.send(900, a.node, concat(DISCO_MAGIC, systemRandom.bytes(100)))
    await waitFor('the packet', () => a.disco.length === 1, { withinMs: 3000 })
    expect(a.regions.routeOf(b.node)).toBe(900)
    b.regions.stop()
    await waitFor('peer gone', () => a.gone.some((one) => one.peer === b.node && one.reason === 0), { withinMs: 5000 })
    expect(a.regions.routeOf(b.node)).toBeUndefined()
  })

  it('is told at once that a peer was never there', async () => {
    const a = await homed()
    const nobody = nodeKey(PrivateKey.fromRandom(systemRandom.bytes(32)).publicBytes())
    a.regions.send(900, nobody, concat(DISCO_MAGIC, systemRandom.bytes(100)))
    await waitFor('peer gone', () => a.gone.some((one) => one.peer === nobody && one.reason === 1), { withinMs: 3000 })
  })

  it('opens a connection for the first packet when the region is not home', async () => {
    const home = await homed()
    const other = client()
    other.regions.send(900, home.node, concat(DISCO_MAGIC, systemRandom.bytes(100)))
    await waitFor('the packet', () => home.disco.length === 1, { withinMs: 3000 })
    expect(home.disco[0]!.from).toBe(other.node)
  })

  it('comes back by itself when the relay was killed and started again', async () => {
    const a = await homed()
    const b = await homed()
    await derper.kill()
    await waitFor('the loss', () => a.states.at(-1)?.includes('lost') || a.states.at(-1)?.includes('connecting'), { withinMs: 5000 })
    await startDerper()
    await waitFor('both to return', () => a.connected() && b.connected(), { withinMs: 8000 })
    await waitFor('a packet to pass', () => {
      a.regions.send(900, b.node, concat(DISCO_MAGIC, systemRandom.bytes(100)))
      return b.disco.length > 0
    }, { withinMs: 5000, everyMs: 100 })
  })

  it('gets an answer to its STUN request', async () => {
    const socket = createSocket('udp4')
    try {
      const txId = systemRandom.bytes(12)
      const reply = new Promise<Uint8Array>((resolve) => socket.once('message', (bytes) => resolve(new Uint8Array(bytes))))
      socket.send(encodeStunRequest(txId), stunPort, '127.0.0.1')
      const answer = decodeStunResponse(await reply)
      if (isDecodeError(answer)) throw new Error(answer.reason)
      expect(answer.txId).toEqual(txId)
      expect(answer.mapped).toEqual({ ip: '127.0.0.1', port: socket.address().port })
    } finally {
      socket.close()
    }
  })

  it('relays bulk data without losing the connection', async () => {
    const a = await homed()
    const b = await homed()
    b.keepPackets = false
    const one = encodeSendPacket(keyBytes(b.node), concat(new Uint8Array([4, 0, 0, 0]), systemRandom.bytes(1300)))
    const batch = concat(...Array.from({ length: 40 }, () => one))
    const from = performance.now()
    const wantBytes = 60_000_000
    while (b.frameBytes < wantBytes && performance.now() - from < 20_000) {
      for (let i = 0; i < 4; i++) a.regions.sendFrames(900, batch.slice())
      await new Promise((done) => setImmediate(done))
    }
    const seconds = (performance.now() - from) / 1000
    console.log(`relayed ${((b.frameBytes * 8) / seconds / 1e9).toFixed(2)} Gb/s, dropped here ${a.regions.counters()['droppedPackets']}`)
    expect(b.frameBytes).toBeGreaterThanOrEqual(wantBytes)
  })
})
