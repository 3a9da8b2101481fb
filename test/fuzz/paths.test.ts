/**
 * Hostile peers and relay maps in path finding, on the real packet thread: addresses that are none, ports that cannot be,
 * thousands of regions. Nothing throws, nothing is rejected unheard, and the number of questions stays bounded.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect } from 'vitest'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { PrivateKey, nodeKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { applyMapResponse } from '../../main/engine/core/netmap/apply.ts'
import { Planner } from '../../main/engine/core/plan/plan.ts'
import { checkMapResponse } from '../../main/engine/core/tailcfg/check-map.ts'
import { Dataplane } from '../../main/engine/dataplane/dataplane.ts'
import { DerpRegions } from '../../main/engine/derp/derp-regions.ts'
import { loadNative } from '../../main/engine/io/native.ts'
import { Magicsock } from '../../main/engine/magicsock/magicsock.ts'
import { HandClock, seededRandom, settle } from '../sim/clock.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const FIRST = JSON.parse(readFileSync(new URL('../vectors/mapresponse/02-initial-one-peer.json', import.meta.url), 'utf8')) as { Peers: object[]; Node: object }
const PREFS = { acceptRoutes: true, shieldsUp: false, exitNodeId: '', advertiseRoutes: [] }
const KEY = PrivateKey.fromRandom(new Uint8Array(32).fill(9))

let plane: Dataplane
const unheard: unknown[] = []
const onUnheard = (reason: unknown): void => void unheard.push(reason)
beforeAll(() => {
  process.on('unhandledRejection', onUnheard)
  const ignore = (): void => {}
  plane = new Dataplane({ env: { clock: new HandClock(), random: seededRandom(1), log: silentLog, journal: { add: ignore } }, native: loadNative() })
  plane.start({ port: 0, bindLoopbackOnly: true }, {
    onUnclaimed: ignore, onRelayFrames: ignore, onPeerActivity: ignore, onHandshake: ignore, onUnknownPeer: ignore, onSendError: ignore,
    onProxyRequest: ignore, onInboundStream: ignore, onRejected: ignore, onTsmpDiscoKey: ignore, onFailed: onUnheard,
  })
})
afterAll(() => {
  process.off('unhandledRejection', onUnheard)
  plane.stop()
})

const ADDRESSES: readonly string[] = ['127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '::', '::1', 'ff02::1', 'fe80::1', '::ffff:127.0.0.1', '100.64.0.1', 'none', '', '1.2.3.4.5', '999.1.1.1', '127.0.0.1:80', 'localhost', '0x7f000001']

function address(chance: Chance): string {
  return chance.is(0.8) ? chance.pick(ADDRESSES) : chance.text()
}

function relayMap(chance: Chance): unknown {
  const regions: Record<string, unknown> = {}
  const count = chance.pick([0, 1, 3, 3, 40])
  for (let i = 0; i < count; i++) {
    const id = chance.pick([i + 1, i + 1, 0, -1, 65_536, 2 ** 31, 2 ** 53 - 1])
    regions[String(chance.is(0.8) ? id : i)] = {
      RegionID: id, RegionCode: chance.text(), RegionName: chance.text(), Avoid: chance.is(0.2), NoMeasureNoHome: chance.is(0.2),
      Nodes: Array.from({ length: chance.int(0, 3) }, () => ({
        Name: chance.text(), RegionID: chance.number(), HostName: chance.is(0.5) ? 'relay.example' : address(chance), IPv4: address(chance), IPv6: address(chance), STUNTestIP: chance.is(0.3) ? address(chance) : '',
        STUNPort: chance.pick([0, -1, 1, 3478, 65_535, 65_536, 1.5]), DERPPort: chance.pick([0, 1, 443, 65_535]), STUNOnly: chance.is(0.2), InsecureForTests: chance.is(0.2), CertName: chance.is(0.2) ? chance.text() : '',
      })),
    }
  }
  return { Regions: regions, HomeParams: { RegionScore: { 1: chance.number(), 2: chance.number() } } }
}

fuzz('hostile peers and relays are looked for in vain, and no more than that', async (chance, index) => {
  const clock = new HandClock()
  const env = { clock, random: seededRandom(index), log: silentLog, journal: { add: () => {} } }
  const Peers = FIRST.Peers.flatMap((peer, i) => Array.from({ length: chance.int(0, 4) }, (_, k) => ({
    ...peer, ID: 10 * (i + 1) + k, Key: `nodekey:${chance.pick(['1', '2', '3', 'a'])}${'0'.repeat(62)}${k % 2}`, HomeDERP: chance.pick([0, 1, 2, 65_536, 2 ** 53 - 1]),
    Endpoints: Array.from({ length: chance.int(0, 6) }, () => `${address(chance)}:${chance.pick([0, 1, 41_641, 65_535, 65_536])}`),
    Addresses: [`100.64.1.${k}/32`],
  })))
  const message = checkMapResponse(JSON.parse(JSON.stringify({ ...FIRST, Peers, DERPMap: relayMap(chance) })))
  const delta = isDecodeError(message) ? message : applyMapResponse(undefined, message, 0)
  if (isDecodeError(delta)) return
  const plan = new Planner().plan(delta.netMap, PREFS, 0)
  let dials = 0
  const derp = new DerpRegions({ env, dial: () => {
    dials++
    return Promise.reject(Object.assign(new Error('no such relay'), { code: 'io' }))
  } })
  let sent = 0
  const sock = new Magicsock({
    env,
    underlay: { sendUdp: (to, bytes) => {
      sent++
      plane.sendUdp(to, bytes)
    } },
    relay: derp, paths: plane, interfaces: () => [{ name: 'lo', ip: '127.0.0.1', internal: true }],
    resolve: () => (chance.is(0.5) ? Promise.resolve([chance.pick(['127.0.0.1', '::1'])]) : Promise.reject(new Error('no such name'))),
  })
  const ignore = (): void => {}
  derp.start({ onDisco: ignore, onFrames: ignore, onPeerGone: (region, peer) => sock.handlePeerGone(region, peer), onState: (region, state) => sock.handleRelayState(region, state) })
  sock.start({ onEndpoints: ignore, onNetInfo: ignore, onPath: ignore, onHome: ignore })
  plane.setConfig(plan.dataplane)
  derp.setMap(plan.magicsock.derpMap)
  derp.setPrivateKey(KEY)
  sock.setNodeKey(nodeKey(KEY.publicBytes()))
  sock.setPort(41_641)
  sock.setConfig(plan.magicsock)
  for (const peer of plan.magicsock.peers) sock.handlePeerActivity(peer.key, 'sending')
  for (let i = 0; i < 4; i++) {
    await clock.run(700)
    sock.handleDatagram({ ip: chance.pick(['127.0.0.1', '::1', 'ff02::1']), port: chance.int(0, 65_535) }, chance.bytes(chance.int(0, 120)))
  }
  sock.stop()
  derp.stop()
  await settle(2)
  expect(unheard).toEqual([])
  expect(sent).toBeLessThan(2500)
  expect(dials).toBeLessThan(200)
}, { share: 0.1, growthMb: 40 })
