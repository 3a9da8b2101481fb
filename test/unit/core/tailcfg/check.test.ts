import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { Drops } from '../../../../main/engine/core/tailcfg/check.ts'
import { checkMapResponse } from '../../../../main/engine/core/tailcfg/check-map.ts'
import { checkRegisterResponse, checkServerKey } from '../../../../main/engine/core/tailcfg/check-register.ts'
import { MapFrames } from '../../../../main/engine/core/tailcfg/map-frames.ts'
import { formatTime, timeMs } from '../../../../main/engine/core/tailcfg/time.ts'
import type { MapResponse } from '../../../../main/engine/core/tailcfg/types.ts'
import { readVectors } from '../../../vectors/read.ts'

const KEY = `nodekey:${'ab'.repeat(32)}`
const node = (more: object = {}): object => ({ ID: 1, Key: KEY, Addresses: ['100.64.0.1/32'], ...more })

function ok(raw: unknown): MapResponse {
  const message = checkMapResponse(raw)
  if (isDecodeError(message)) throw new Error(message.detail)
  return message
}

describe('map responses', () => {
  test('unknown fields vanish, ill-typed ones are dropped and counted, nulls are absent', () => {
    const drops = new Drops()
    const message = checkMapResponse({ Strange: 1, Domain: 5, Health: null, Node: node({ Name: 7, Online: 'yes', New: {} }) }, drops) as MapResponse
    expect(message).toEqual({ Node: { ID: 1, Key: KEY, StableID: '', Name: '', User: 0, Addresses: ['100.64.0.1/32'], AllowedIPs: ['100.64.0.1/32'] } })
    expect(drops).toMatchObject({ count: 3 })
    expect(drops.where.sort()).toEqual(['MapResponse.Domain', 'Node.Name', 'Node.Online'])
  })

  test('a message whose own node or whose lists cannot be used is refused', () => {
    for (const bad of [{ Node: 1 }, { Node: { ID: 'x', Key: KEY } }, { Node: { ID: 1 } }, { Peers: {} }, { PeersChanged: 3 }, { PeersRemoved: 'all' }, [], null, 'x', 5]) {
      expect(isDecodeError(checkMapResponse(bad))).toBe(true)
    }
  })

  test('one bad peer of a list is dropped, the others stay', () => {
    expect(ok({ Peers: [node(), { ID: 2 }, null, node({ ID: 3 }), node({ ID: 4, Key: `nodekey:${'0'.repeat(64)}` })] }).Peers?.map((peer) => peer.ID)).toEqual([1, 3])
  })

  test('what would open something by vanishing counts as set', () => {
    expect(ok({ Node: node({ IsJailed: 'no', Expired: 0, UnsignedPeerAPIOnly: [] }) }).Node).toMatchObject({ IsJailed: true, Expired: true, UnsignedPeerAPIOnly: true })
  })

  test('an ill-typed filter is closed, never widened', () => {
    const rule = { SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] }
    expect(ok({ PacketFilters: { base: [rule, { ...rule, IPProto: 'tcp' }, { ...rule, IPProto: [6, 'x'] }] } }).PacketFilters?.['base']).toHaveLength(1)
    expect(ok({ PacketFilters: { base: 'all' } }).PacketFilters).toEqual({ base: [] })
    expect(ok({ PacketFilters: 7 }).PacketFilters).toEqual({ '*': null })
    expect(ok({ PacketFilter: {} }).PacketFilter).toEqual([])
    expect(ok({ PacketFilter: [{ ...rule, DstPorts: [{ IP: '*', Ports: { First: 0, Last: 99999 } }] }] }).PacketFilter?.[0]?.DstPorts).toEqual([])
  })

  test('nodes are normalised: legacy home, null AllowedIPs, zero times and keys', () => {
    const checked = ok({ Node: node({ DERP: '127.3.3.40:12', KeyExpiry: '0001-01-01T00:00:00Z', DiscoKey: `discokey:${'0'.repeat(64)}`, AllowedIPs: null }) }).Node!
    expect(checked.HomeDERP).toBe(12)
    expect(Object.keys(checked)).not.toContain('DERP')
    expect(checked.KeyExpiry).toBeUndefined()
    expect(checked.DiscoKey).toBeUndefined()
    expect(checked.AllowedIPs).toEqual(['100.64.0.1/32'])
  })

  test('addresses that are none are dropped one by one', () => {
    const checked = ok({ Node: node({ Addresses: ['100.64.0.1/32', 'nonsense', '1.2.3.4/99', 5], Endpoints: ['1.2.3.4:5', '1.2.3.4', '[::1]:70000'] }) }).Node!
    expect(checked.Addresses).toEqual(['100.64.0.1/32'])
    expect(checked.Endpoints).toEqual(['1.2.3.4:5'])
  })

  test('huge texts and deep JSON are dropped', () => {
    let deep: unknown = 1
    for (let i = 0; i < 10_000; i++) deep = [deep]
    const message = ok({ Domain: 'x'.repeat(100_000), SSHPolicy: { rules: [deep, { a: 1 }] }, Node: node({ Name: 'n'.repeat(5000) }) })
    expect(message.Domain).toBeUndefined()
    expect(message.SSHPolicy?.rules).toEqual([{ a: 1 }])
    expect(message.Node?.Name).toBe('')
  })

  test('hostile keys pollute nothing', () => {
    const raw: unknown = JSON.parse(`{"__proto__":{"Domain":"evil"},"constructor":{"prototype":{"x":1}},"Node":{"ID":1,"Key":"${KEY}","CapMap":{"__proto__":["evil"],"a":[{"__proto__":{"y":1}}],"b":[1]},
      "Hostinfo":{"__proto__":{"Hostname":"evil"}}},"DERPMap":{"Regions":{"__proto__":{"RegionID":1},"1":{"RegionID":1}}},"OnlineChange":{"__proto__":true,"-1":true,"7":true}}`)
    const message = ok(raw)
    expect(message.Domain).toBeUndefined()
    expect(({} as Record<string, unknown>)['evil'] ?? ({} as Record<string, unknown>)['x']).toBeUndefined()
    expect(Object.getPrototypeOf(message.Node!.CapMap)).toBe(Object.prototype)
    expect(message.Node?.CapMap).toEqual({ a: [], b: [1] })
    expect(message.Node?.Hostinfo?.Hostname).toBeUndefined()
    expect(Object.keys(message.DERPMap!.Regions!)).toEqual(['1'])
    expect(message.OnlineChange).toEqual({ 7: true })
  })

  test('the recorded messages with any part replaced by rubbish never throw', () => {
    const original = readVectors<Record<string, unknown>>('mapresponse/20-self-tagged-ssh-check.json')
    const paths: string[][] = []
    const walk = (value: unknown, path: string[]): void => {
      paths.push(path)
      if (typeof value === 'object' && value !== null) for (const [name, entry] of Object.entries(value)) walk(entry, [...path, name])
    }
    walk(original, [])
    fc.assert(fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, rubbish) => {
      let copy: unknown = structuredClone(original)
      if (path.length === 0) copy = rubbish
      else {
        const holder = path.slice(0, -1).reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy as Record<string, unknown>)
        holder[path.at(-1)!] = rubbish
      }
      checkMapResponse(copy)
    }), { numRuns: 2000 })
  })

  test('any JSON at all never throws', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void checkMapResponse(value)))
  })
})

describe('registration', () => {
  test('an answer is read, with absent parts as their zero', () => {
    expect(checkRegisterResponse({ MachineAuthorized: true, User: { ID: 1 }, Login: { ID: 1, LoginName: 'a' } })).toMatchObject({ NodeKeyExpired: false, MachineAuthorized: true, AuthURL: '', User: { ID: 1 } })
    expect(checkRegisterResponse({ NodeKeyExpired: 'x' })).toMatchObject({ NodeKeyExpired: true })
  })

  test('an answer whose error or link cannot be read is refused', () => {
    for (const bad of [null, [], { Error: 5 }, { AuthURL: {} }, { AuthURL: 'x'.repeat(10_000) }]) expect(isDecodeError(checkRegisterResponse(bad))).toBe(true)
  })

  test('a zero, short or absent server key is refused', () => {
    expect(checkServerKey({ publicKey: `mkey:${'1'.repeat(64)}`, legacyPublicKey: '' })).toBe(`mkey:${'1'.repeat(64)}`)
    for (const bad of [undefined, {}, { publicKey: `mkey:${'0'.repeat(64)}` }, { publicKey: 'mkey:12' }, 'x']) expect(isDecodeError(checkServerKey(bad))).toBe(true)
  })
})

describe('map frames', () => {
  test('payloads come out whole in any chunking, empty ones too', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (payloads, cuts) => {
      const stream = concat(...payloads.flatMap((payload) => [new Uint8Array([payload.length, 0, 0, 0]), payload]))
      const frames = new MapFrames()
      const out: Uint8Array[] = []
      for (let at = 0, i = 0; at < stream.length; i++) {
        const next = at + cuts[i % cuts.length]!
        out.push(...(frames.handleBytes(stream.subarray(at, next)) as Uint8Array[]))
        at = next
      }
      expect(out.map((payload) => [...payload])).toEqual(payloads.map((payload) => [...payload]))
    }))
  })

  test('an impossible length is refused before anything is kept for it', () => {
    expect(isDecodeError(new MapFrames().handleBytes(new Uint8Array([0xff, 0xff, 0xff, 0x7f])))).toBe(true)
    expect(isDecodeError(new MapFrames(10).handleBytes(new Uint8Array([11, 0, 0, 0])))).toBe(true)
  })
})

describe('times', () => {
  test('a formatted time reads back as itself', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      expect(formatTime(ms)).toBe(new Date(ms).toISOString())
      expect(timeMs(formatTime(ms))).toBe(ms)
    }))
  })

  test('the zero time and rubbish are no time', () => {
    for (const text of ['0001-01-01T00:00:00Z', '', 'yesterday', '2026-13-40T00:00:00Z', null, undefined]) expect(timeMs(text)).toBeUndefined()
    expect(timeMs('2026-11-22T21:44:19.195518199Z')).toBe(Date.UTC(2026, 10, 22, 21, 44, 19, 195))
  })
})
