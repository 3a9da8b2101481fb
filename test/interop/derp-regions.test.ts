/**
 * Our relay client and three real derpers in one map: one home, others from the first packet on, answers over the relay
 * where a peer was heard, nodes of a region in order, changes of the map, two programs with one key.
 */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { keyBytes } from '../../main/engine/base/keys.ts'
import { encodeSendPacket } from '../../main/engine/core/derp/frame.ts'
import { DISCO_MAGIC } from '../../main/engine/core/disco/envelope.ts'
import type { DerpMap, DerpNode } from '../../main/engine/core/tailcfg/types.ts'
import type { Dial } from '../../main/engine/derp/ports.ts'
import { dialRelay } from '../support/plain-world.ts'
import { systemRandom } from '../sim/clock.ts'
import { Child } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { findPeers } from './lab/peers.ts'
import { RelayClient } from './lab/relay-client.ts'

const peers = findPeers()
const PATIENT = { withinMs: 30_000 }
const REGIONS = [901, 902, 903]

describe.skipIf(!peers)('the relay client and three derpers', () => {
  const folder = makeTempDir('derpers')
  const ports = new Map<number, number>()
  const derpers: Child[] = []
  const clients: RelayClient[] = []
  const wireguard = (): Uint8Array => concat(new Uint8Array([4, 0, 0, 0]), systemRandom.bytes(200))
  const disco = (): Uint8Array => concat(DISCO_MAGIC, systemRandom.bytes(100))
  const node = (region: number, more: Partial<DerpNode> = {}): DerpNode => ({ Name: `${region}a`, RegionID: region, HostName: '127.0.0.1', IPv4: '127.0.0.1', IPv6: 'none', STUNPort: -1, DERPPort: ports.get(region)!, ...more })
  const mapOf = (nodes: Record<number, readonly DerpNode[]>): DerpMap => ({ Regions: Object.fromEntries(Object.entries(nodes).map(([id, list]) => [id, { RegionID: Number(id), RegionCode: `r${id}`, RegionName: '', Nodes: list }])) })
  const whole = (): DerpMap => mapOf(Object.fromEntries(REGIONS.map((id) => [id, [node(id)]])))

  function client(map: DerpMap = whole(), options: ConstructorParameters<typeof RelayClient>[1] = {}): RelayClient {
    const made = new RelayClient(map, options)
    clients.push(made)
    return made
  }

  async function homed(region: number, ...rest: Parameters<typeof client>): Promise<RelayClient> {
    const made = client(...rest)
    made.regions.setHome(region)
    await waitFor(`home at ${region}`, () => made.regions.isConnected(region), PATIENT)
    return made
  }

  const used = (of: RelayClient): number[] => REGIONS.filter((id) => of.regions.isConnected(id))

  beforeAll(async () => {
    for (const region of REGIONS) {
      const port = await freeTcpPort()
      ports.set(region, port)
      derpers.push(new Child({ name: `derper ${region}`, command: peers!.derper, args: ['-a', `127.0.0.1:${port}`, '-http-port', '-1', '-stun=false', '-hostname', '127.0.0.1', '-c', join(folder, `${region}.key`)] }))
    }
    for (const port of ports.values()) await waitFor('a derper to serve', () => fetch(`http://127.0.0.1:${port}/derp/probe`).then((reply) => reply.ok), PATIENT)
  })

  afterEach(() => {
    for (const one of clients.splice(0)) one.regions.stop()
  })

  afterAll(async () => {
    for (const derper of derpers) await derper.stop()
    removeTempDir(folder)
  })

  it('has one home alone until a packet goes elsewhere, then several at once', async () => {
    const a = await homed(901)
    const b = await homed(902)
    const c = await homed(903)
    expect(used(a)).toEqual([901])
    a.regions.send(902, b.node, disco())
    a.regions.sendFrames(903, encodeSendPacket(keyBytes(c.node), wireguard()))
    await waitFor('both packets', () => b.disco.length === 1 && c.packets.length === 1, PATIENT)
    expect(used(a)).toEqual(REGIONS)
  })

  it('answers over the relay where the peer was heard, without a connection to the peer\'s home', async () => {
    const a = await homed(901)
    const b = await homed(902)
    a.regions.send(902, b.node, disco())
    await waitFor('the question', () => b.disco.length === 1, PATIENT)
    expect(b.regions.routeOf(a.node)).toBe(902)
    b.regions.send(901, a.node, disco())
    await waitFor('the answer', () => a.disco.length === 1, PATIENT)
    expect(used(b)).toEqual([902])
    expect(a.regions.routeOf(b.node)).toBe(902)
  })

  it('moves home, and keeps the connection of before for those who still write there', async () => {
    const a = await homed(901)
    const b = await homed(901)
    a.regions.setHome(903)
    await waitFor('the new home', () => a.regions.isConnected(903), PATIENT)
    b.regions.send(901, a.node, disco())
    await waitFor('a packet at the old home', () => a.disco.length === 1, PATIENT)
  })

  it('takes the next relay of a region where the first is not there, and tells it which was meant', async () => {
    const heads: string[] = []
    const dialer: Dial = async (host, port, options) => {
      const stream = await dialRelay(host, port, options)
      const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean
      stream.write = ((bytes: Uint8Array) => {
        heads.push(Buffer.from(bytes).toString('latin1'))
        return write(bytes)
      }) as typeof stream.write
      return stream
    }
    const dead = await freeTcpPort()
    const map = mapOf({ 901: [node(901, { Name: 'dead', DERPPort: dead }), node(901, { Name: 'stun', STUNOnly: true }), node(901)] })
    const a = await homed(901, map, { dialer })
    expect(heads[0]).toContain('Ideal-Node: dead\r\n')
    const b = await homed(901)
    b.regions.send(901, a.node, disco())
    await waitFor('a packet', () => a.disco.length === 1, PATIENT)
  })

  it('makes anew only what a new map describes in another way', async () => {
    const a = await homed(901)
    const b = await homed(902)
    a.regions.send(902, b.node, disco())
    await waitFor('two connections', () => used(a).length === 2, PATIENT)
    const before = a.states.length
    a.regions.setMap({ ...whole(), Regions: { ...whole().Regions, 902: { ...whole().Regions['902']!, RegionName: 'another' }, 903: { ...whole().Regions['903']!, RegionName: 'another' } } })
    await waitFor('the changed region to go', () => !a.regions.isConnected(902), PATIENT)
    expect(a.regions.isConnected(901)).toBe(true)
    expect(a.states.slice(before).every((text) => text.startsWith('902 '))).toBe(true)
  })

  it('shares a key with another program without fighting: who wrote last is answered, and who stays gets all again', async () => {
    const a = await homed(901)
    const twin = await homed(901, whole(), { key: a.key })
    const b = await homed(901)
    for (const one of [a, twin, a]) {
      const before = one.disco.length
      await waitFor('an answer', () => {
        one.regions.send(901, b.node, disco())
        b.regions.send(901, a.node, disco())
        return one.disco.length > before
      }, { ...PATIENT, everyMs: 100 })
    }
    twin.regions.stop()
    const before = a.disco.length
    await waitFor('an answer alone', () => {
      b.regions.send(901, a.node, disco())
      return a.disco.length > before
    }, { ...PATIENT, everyMs: 100 })
    expect(a.states.filter((text) => text.includes('lost'))).toEqual([])
  })

  it('measures each relay by HTTP', async () => {
    const a = client()
    for (const region of Object.values(whole().Regions)) expect(await a.regions.latencyOf(region, 30_000)).toMatchObject({ family: 4 })
    await expect(a.regions.latencyOf({ RegionID: 9, RegionCode: '', RegionName: '', Nodes: [node(901, { DERPPort: await freeTcpPort() })] }, 30_000)).rejects.toThrow()
  })

  it('stays with the others when one is killed, and comes back to it by itself', async () => {
    const a = await homed(902)
    const b = await homed(903)
    a.regions.send(903, b.node, disco())
    await waitFor('two connections', () => used(a).length === 2, PATIENT)
    await derpers[2]!.kill()
    await waitFor('the loss', () => !a.regions.isConnected(903), PATIENT)
    expect(a.regions.isConnected(902)).toBe(true)
    derpers[2] = new Child({ name: 'derper 903', command: peers!.derper, args: ['-a', `127.0.0.1:${ports.get(903)!}`, '-http-port', '-1', '-stun=false', '-hostname', '127.0.0.1', '-c', join(folder, '903.key')] })
    await waitFor('home to return', () => b.regions.isConnected(903), PATIENT)
    await waitFor('a packet to pass again', () => {
      a.regions.send(903, b.node, disco())
      return b.disco.length > 1
    }, { ...PATIENT, everyMs: 100 })
  })
})
