/**
 * The messages of a real control server (test/vectors/mapresponse), each applied to the map of node 1 with one peer.
 * The golden files hold what came of it; `vitest -u` rewrites them, and the difference is then to be read.
 */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { applyMapResponse, isEmptyDelta } from '../../../../main/engine/core/netmap/apply.ts'
import { toJson } from '../../../../main/engine/core/netmap/json.ts'
import type { NetMap, NetMapDelta } from '../../../../main/engine/core/netmap/types.ts'
import { Drops } from '../../../../main/engine/core/tailcfg/check.ts'
import { checkMapResponse } from '../../../../main/engine/core/tailcfg/check-map.ts'
import { readVectors } from '../../../vectors/read.ts'

const folder = new URL('../../../vectors/mapresponse/', import.meta.url)
const files = readdirSync(folder).filter((name) => name.endsWith('.json')).sort()
const WALL_MS = Date.UTC(2026, 10, 22, 22)

function apply(file: string, previous: NetMap | undefined, fresh?: boolean): NetMapDelta {
  const drops = new Drops()
  const message = checkMapResponse(readVectors(`mapresponse/${file}`), drops)
  expect(drops).toMatchObject({ count: 0 })
  if (isDecodeError(message)) throw new Error(`${file}: ${message.detail ?? message.reason}`)
  const delta = applyMapResponse(previous, message, WALL_MS, fresh)
  if (isDecodeError(delta)) throw new Error(`${file}: ${delta.detail ?? delta.reason}`)
  return delta
}

const base = apply('02-initial-one-peer.json', undefined).netMap
const on = (file: string): NetMapDelta => apply(file, base)

test('there are 29 recorded messages', () => {
  expect(files).toHaveLength(29)
})

for (const file of files) {
  test(`${file} gives the golden map`, async () => {
    const fresh = file.startsWith('01') || file.startsWith('02')
    const delta = apply(file, fresh ? undefined : base)
    const golden = {
      upserted: delta.upserted.map((node) => node.ID), removed: delta.removed.map((node) => node.ID), self: delta.selfChanged,
      derpMap: delta.derpMapChanged, filter: delta.filterChanged, dns: delta.dnsChanged, map: toJson(delta.netMap),
    }
    await expect(`${JSON.stringify(golden, undefined, 1)}\n`).toMatchFileSnapshot(`../../../vectors/netmap/${file}`)
  })
}

test('a message that holds only the time changes nothing and keeps every part', () => {
  const delta = on('04-controltime-only.json')
  expect(isEmptyDelta(delta, base)).toBe(true)
  expect(delta.netMap.peers).toBe(base.peers)
  expect(delta.netMap.self).toBe(base.self)
})

test('an offline patch touches Online and LastSeen only, by the time of control', () => {
  const [peer] = on('08-peer-offline-patch.json').upserted
  expect(peer).toEqual({ ...base.peers.get(2), Online: false, LastSeen: '2026-11-22T21:44:45.995Z' })
})

test('the online patch of a peer that is online is no change', () => {
  const delta = on('07-peer-online-patch.json')
  expect(delta.upserted).toEqual([])
  expect(isEmptyDelta(delta, base)).toBe(true)
})

test('a policy message with nothing new in it keeps filter and DNS', () => {
  const first = on('12-peer-routes-approved.json')
  const second = apply('12-peer-routes-approved.json', first.netMap)
  expect(isEmptyDelta(second, first.netMap)).toBe(true)
  expect(second).toMatchObject({ filterChanged: false, dnsChanged: false, upserted: [] })
})

test('approved routes and a restricted policy are seen', () => {
  expect(on('12-peer-routes-approved.json').netMap.peers.get(2)?.PrimaryRoutes).toEqual(['10.55.0.0/24'])
  const restricted = on('15-policy-restricted.json')
  expect(restricted.filterChanged).toBe(true)
  expect(restricted.netMap.packetFilters.get('base')?.[0]?.DstPorts?.[0]?.Ports).toBeDefined()
})

test('a patch can change the public key of a peer', () => {
  const message = readVectors<{ PeersChangedPatch: { NodeID: number; Key: string }[] }>('mapresponse/26-peer-rekeyed-patch.json')
  expect(on('26-peer-rekeyed-patch.json').netMap.peers.get(2)?.Key).toBe(message.PeersChangedPatch[0]!.Key)
})

test('a removed peer is gone', () => {
  const { netMap, removed } = apply('29-peer-removed.json', apply('02-initial-one-peer.json', undefined).netMap)
  const ids = readVectors<{ PeersRemoved: number[] }>('mapresponse/29-peer-removed.json').PeersRemoved
  expect(removed.map((node) => node.ID)).toEqual(ids.filter((id) => base.peers.has(id)))
  for (const id of ids) expect(netMap.peers.has(id)).toBe(false)
})

test('a new stream that says the same keeps the identity of everything', () => {
  const again = apply('02-initial-one-peer.json', base, true)
  expect(isEmptyDelta(again, base)).toBe(true)
  expect(again.netMap.peers).toBe(base.peers)
  expect(again.netMap.derpMap).toBe(base.derpMap)
  expect(again).toMatchObject({ selfChanged: false, filterChanged: false, dnsChanged: false, derpMapChanged: false })
})

test('a new stream without peers removes those of the old one', () => {
  const delta = apply('01-initial-no-peers.json', base, true)
  expect(delta.removed.map((node) => node.ID)).toEqual([2])
  expect(delta.netMap.peers.size).toBe(0)
})
