/**
 * Hostile network maps, all the way: frame → check → merge → plan → tables → the packet thread itself, and onto disk and back.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { applyMapResponse } from '../../main/engine/core/netmap/apply.ts'
import { fromJson, toJson } from '../../main/engine/core/netmap/json.ts'
import type { NetMap } from '../../main/engine/core/netmap/types.ts'
import { Planner, type PlanPrefs } from '../../main/engine/core/plan/plan.ts'
import { checkMapResponse } from '../../main/engine/core/tailcfg/check-map.ts'
import { MapFrames } from '../../main/engine/core/tailcfg/map-frames.ts'
import { diffTables, encodeTables } from '../../main/engine/dataplane/tables.ts'
import { SystemClock } from '../../main/engine/io/clock.ts'
import { loadNative } from '../../main/engine/io/native.ts'
import { systemRandom } from '../../main/engine/io/random.ts'
import { zstdDecompress } from '../../main/engine/io/zstd.ts'
import { Dataplane } from '../../main/engine/dataplane/dataplane.ts'
import { zstdFrame } from '../sim/control/zstd-frame.ts'
import type { Chance } from './chance.ts'
import { fuzz, usedMb } from './fuzz.ts'

const FOLDER = new URL('../vectors/mapresponse/', import.meta.url)
const RECORDED: readonly Record<string, unknown>[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Record<string, unknown>)
const FIRST = RECORDED.find((message) => message['Node'] !== undefined && Array.isArray(message['Peers']) && message['Peers'].length > 0)!
const NOW_MS = Date.UTC(2026, 0, 1)

const env = { clock: new SystemClock(), random: systemRandom, log: silentLog, journal: { add: () => {} } }
const failures: string[] = []
let plane: Dataplane
beforeAll(() => {
  plane = new Dataplane({ env, native: loadNative() })
  const ignore = (): void => {}
  plane.start({ port: 0, bindLoopbackOnly: true }, {
    onUnclaimed: ignore, onRelayFrames: ignore, onPeerActivity: ignore, onHandshake: ignore, onUnknownPeer: ignore, onSendError: ignore,
    onProxyRequest: ignore, onInboundStream: ignore, onRejected: ignore, onTsmpDiscoKey: ignore, onFailed: (code, message) => void failures.push(`${code}: ${message}`),
  })
})
afterAll(() => plane.stop())

/** Messages of one stream: a first one, then deltas; some as recorded, some damaged, some for peers that nobody knows. */
function messages(chance: Chance): unknown[] {
  const first = chance.is(0.3) ? FIRST : chance.damageJson(FIRST)
  return [first, ...Array.from({ length: chance.int(0, 3) }, () => (chance.is(0.2) ? chance.json() : chance.damageJson(withStrangers(chance, chance.pick(RECORDED)))))]
}

function withStrangers(chance: Chance, message: Record<string, unknown>): unknown {
  const id = (): number => chance.pick([0, 1, 2, 3, 77, -1, 2 ** 53, chance.number()])
  const out: Record<string, unknown> = { ...message }
  if (chance.is(0.2)) out['PeersRemoved'] = [id(), id(), id()]
  if (chance.is(0.2)) out['OnlineChange'] = { [id()]: chance.is(0.5), [id()]: chance.json(1) }
  if (chance.is(0.2)) out['PeerSeenChange'] = { [id()]: chance.is(0.5) }
  if (chance.is(0.2)) out['PeersChangedPatch'] = [{ NodeID: id(), DERPRegion: chance.number(), Endpoints: [chance.text()], KeyExpiry: chance.text(), Online: chance.is(0.5) }]
  // The same peer twice, and ourselves as a peer.
  if (chance.is(0.1)) out['PeersChanged'] = [(FIRST['Peers'] as unknown[])[0], (FIRST['Peers'] as unknown[])[0], FIRST['Node']]
  if (chance.is(0.1)) out['ControlTime'] = chance.pick(['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '2026-13-45T99:99:99Z'])
  return out
}

function prefs(chance: Chance): PlanPrefs {
  return {
    acceptRoutes: chance.is(0.5), shieldsUp: chance.is(0.2), exitNodeId: chance.is(0.3) ? chance.text() : '',
    advertiseRoutes: chance.is(0.2) ? [chance.text(), '10.0.0.0/8'] : [],
  }
}

fuzz('any map ends in a plan that the packet thread takes, or in an error value', (chance) => {
  const planner = new Planner()
  let netMap: NetMap | undefined
  for (const raw of messages(chance)) {
    const message = checkMapResponse(JSON.parse(JSON.stringify(raw)))
    if (isDecodeError(message)) continue
    const delta = applyMapResponse(netMap, message, NOW_MS, chance.is(0.1) || netMap === undefined)
    if (isDecodeError(delta)) continue
    netMap = delta.netMap
    const plan = planner.plan(netMap, prefs(chance), NOW_MS)
    plane.setConfig(plan.dataplane)
    for (const peer of plan.dataplane.peers) expect(peer.key).toMatch(/^nodekey:[0-9a-f]{64}$/)
  }
  if (!netMap) return
  const again = fromJson(JSON.parse(JSON.stringify(toJson(netMap))))
  if (isDecodeError(again)) throw new Error(`a saved map does not read back: ${again.detail}`)
  expect([...again.peers.keys()]).toEqual([...netMap.peers.keys()])
  expect(JSON.stringify(toJson(again))).toBe(JSON.stringify(toJson(netMap)))
})

test('after all that the packet thread takes a good map', () => {
  const message = checkMapResponse(FIRST)
  if (isDecodeError(message)) throw new Error(message.detail)
  const delta = applyMapResponse(undefined, message, NOW_MS)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  const plan = new Planner().plan(delta.netMap, { acceptRoutes: true, shieldsUp: false, exitNodeId: '', advertiseRoutes: [] }, NOW_MS)
  expect(plan.dataplane.peers.length).toBeGreaterThan(0)
  plane.setConfig(plan.dataplane)
  expect(plane.stats().size).toBe(plan.dataplane.peers.length)
  expect(failures).toEqual([])
})

fuzz('frames of any length claim and any chunking give their payloads or an error, in bounded memory', (chance) => {
  const payloads = Array.from({ length: chance.int(0, 4) }, () => chance.bytes(chance.int(0, 200)))
  const framed = concat(...payloads.flatMap((payload) => [header(payload.length), payload]))
  const lie = chance.pick([2 ** 32 - 1, 2 ** 31, 65 * 1024 * 1024])
  const way = chance.int(0, 2)
  const stream = way === 0 ? framed : way === 1 ? concat(framed, header(lie), chance.bytes(50)) : chance.damage(framed)
  const frames = new MapFrames()
  const out: Uint8Array[] = []
  let failed = false
  for (const piece of chance.cut(stream)) {
    const got = frames.handleBytes(piece)
    if (isDecodeError(got)) {
      failed = true
      break
    }
    out.push(...got)
  }
  if (way === 0) expect(out).toEqual(payloads)
  if (way === 1) expect(failed).toBe(true)
})

function header(length: number): Uint8Array {
  return new Uint8Array([length, length >>> 8, length >>> 16, length >>> 24])
}

test('a frame that comes byte by byte costs no more than its length', async () => {
  const frames = new MapFrames()
  const length = 600_000
  frames.handleBytes(header(length))
  const before = await usedMb()
  for (let i = 0; i < length / 2; i++) frames.handleBytes(new Uint8Array(1))
  expect((await usedMb()) - before).toBeLessThan(12)
  let whole: unknown
  for (let i = length / 2; i < length; i++) whole = frames.handleBytes(new Uint8Array(1))
  expect((whole as Uint8Array[])[0]).toHaveLength(length)
})

test.runIf(zstdDecompress !== undefined)('a frame that would swell to gigabytes is refused in bounded memory', () => {
  const bomb = zstdFrame(new Uint8Array(300_000_000))
  expect(bomb.length).toBeLessThan(100_000)
  const before = process.resourceUsage().maxRSS
  expect(() => zstdDecompress!(bomb, 16_000_000)).toThrow()
  // KB; the limit and a copy of it.
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(64_000)
})

fuzz('damaged compressed frames give bytes or a throw that the stream expects', (chance) => {
  if (!zstdDecompress) return
  try {
    expect(zstdDecompress(chance.damage(zstdFrame(new TextEncoder().encode(JSON.stringify(chance.json())))), 1_000_000).length).toBeLessThanOrEqual(1_000_000)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
})

test('a filter whose rules or ranges multiply is cut short, closed', () => {
  const peers = Array.from({ length: 2000 }, (_, i) => ({ ID: i + 2, Key: `nodekey:${(i + 1).toString(16).padStart(64, '0')}`, Addresses: [`100.64.${i >> 8}.${i & 255}/32`], CapMap: { c: null }, HomeDERP: 1 }))
  const DstPorts = [{ IP: '*', Ports: { First: 0, Last: 65_535 } }]
  const ranges = Array.from({ length: 20_000 }, (_, i) => `::${i.toString(16)}:1-7fff:ffff:ffff:ffff:ffff:ffff:ffff:fffe`)
  const PacketFilters = { base: Array.from({ length: 20_000 }, () => ({ SrcIPs: ['cap:c'], DstPorts })), more: [{ SrcIPs: ranges, DstPorts }] }
  const message = checkMapResponse({ ...FIRST, Peers: peers, PacketFilters })
  if (isDecodeError(message)) throw new Error(message.detail)
  const delta = applyMapResponse(undefined, message, NOW_MS)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  const plan = new Planner().plan(delta.netMap, { acceptRoutes: false, shieldsUp: false, exitNodeId: '', advertiseRoutes: [] }, NOW_MS)
  expect(encodeTables(diffTables(undefined, plan.dataplane)!).length).toBeLessThan(64_000_000)
  expect(plan.problems.join()).toMatch(/too (many|large)/)
})
