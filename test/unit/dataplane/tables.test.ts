import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { diffTables, encodeTables } from '../../../main/engine/dataplane/tables.ts'
import { nodeKey } from '../../../main/engine/base/keys.ts'
import { toHex } from '../../../main/engine/base/bytes.ts'
import type { DataplaneConfig, DataplanePeer } from '../../../main/engine/core/plan/types.ts'

function peer(index: number, jailed = false): DataplanePeer {
  const key = nodeKey(new Uint8Array(32).fill(index))
  return { key, allowedSources: [`100.64.0.${index}/32`], routes: [`100.64.0.${index}/32`], jailed }
}

function config(peers: readonly DataplanePeer[]): DataplaneConfig {
  return { selfAddresses: ['100.64.0.1'], peers, filter: { matches: [], localNets: ['100.64.0.1/32'], shieldsUp: false } }
}

describe('the difference between two configurations', () => {
  test('names what came, what changed and what went, and nothing else', () => {
    const [one, two, three] = [peer(1), peer(2), peer(3)]
    const delta = diffTables(config([one, two, three]), config([one, peer(2, true), peer(4)]))
    expect(delta?.upserts).toEqual([peer(2, true), peer(4)])
    expect(delta?.removes).toEqual([three.key])
    expect(delta?.own).toBeUndefined()
    expect(delta?.filter).toBeUndefined()
  })

  test('brings any list of peers to any other', () => {
    const peers = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 15 })
    fc.assert(
      fc.property(peers, peers, fc.boolean(), (before, after, jailed) => {
        const next = after.map((index) => peer(index, jailed && index % 2 === 0))
        const delta = diffTables(config(before.map((index) => peer(index))), config(next))
        const held = new Map(before.map((index) => [peer(index).key, peer(index)]))
        for (const key of delta?.removes ?? []) expect(held.delete(key)).toBe(true)
        for (const one of delta?.upserts ?? []) held.set(one.key, one)
        const sorted = (peers: readonly DataplanePeer[]): DataplanePeer[] => peers.toSorted((a, b) => (a.key < b.key ? -1 : 1))
        expect(sorted([...held.values()])).toEqual(sorted(next))
      }),
    )
  })

  test('is none between equal values', () => {
    expect(diffTables(config([peer(1)]), config([peer(1)]))).toBeUndefined()
  })
})

describe('the packed message', () => {
  test('is what the packet thread reads', () => {
    const message = encodeTables({
      own: ['100.64.0.1'],
      removes: [nodeKey(new Uint8Array(32).fill(7))],
      upserts: [peer(8, true)],
      filter: {
        shieldsUp: false,
        localNets: ['100.64.0.1/32'],
        matches: [{ protos: [6, 17], srcs: ['fd7a::/16'], dsts: [{ prefix: '100.64.0.1/32', first: 80, last: 443 }] }],
      },
    })
    const prefix = '046440000120'
    const host = '046440000820'
    const expected = [
      '03', '0001', '0464400001', '00000001', '07'.repeat(32), '00000001', '08'.repeat(32), '01', `00000001${host}`, `00000001${host}`,
      '00', `00000001${prefix}`, '00000001', '0002', '0611', `0000000106fd7a${'00'.repeat(14)}10`, `00000001${prefix}005001bb`,
    ]
    expect(toHex(message)).toBe(expected.join(''))
  })

  test('leaves out prefixes that are none, which can only close', () => {
    const message = encodeTables({ own: undefined, removes: [], upserts: [{ ...peer(1), routes: ['nonsense', '1.2.3.4/33'] }], filter: undefined })
    expect(toHex(message).endsWith('00000000')).toBe(true)
  })
})
