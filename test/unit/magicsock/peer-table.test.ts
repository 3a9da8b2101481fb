import { describe, expect, it } from 'vitest'
import { discoKey, nodeKey } from '../../../main/engine/base/keys.ts'
import type { MagicsockPeer } from '../../../main/engine/core/plan/types.ts'
import { PeerTable } from '../../../main/engine/magicsock/peer-table.ts'

const disco = (n: number): ReturnType<typeof discoKey> => discoKey(new Uint8Array(32).fill(n))
const peer = (more: Partial<MagicsockPeer> = {}): MagicsockPeer => ({
  id: 2, key: nodeKey(new Uint8Array(32).fill(2)), disco: disco(1), endpoints: [], homeDerp: 1, ip: '100.64.0.2', name: 'b', expired: false, ...more,
})

describe('a disco key that a peer told inside the tunnel', () => {
  it('takes the place of the one in the map, which says so until it names another', () => {
    const table = new PeerTable()
    table.set(0, [peer()])
    const entry = table.get(peer().key)!
    expect(table.tellDisco(entry, disco(1))).toBe(false)
    expect(table.tellDisco(entry, disco(2))).toBe(true)
    expect(table.withDisco(disco(2))).toEqual([entry])
    expect(table.withDisco(disco(1))).toEqual([])
    // The map repeats what it said, with other news: the server has not heard of the key yet.
    expect(table.set(1, [peer({ homeDerp: 5 })]).changed).toEqual([entry])
    expect(entry.config).toMatchObject({ disco: disco(2), homeDerp: 5 })
    expect(table.set(2, [peer({ homeDerp: 5, disco: disco(3) })]).changed).toEqual([entry])
    expect(table.withDisco(disco(3))).toEqual([entry])
    expect(table.withDisco(disco(2))).toEqual([])
  })

  it('is forgotten without a change when the server has caught up, and when the peer went back to the old one', () => {
    const table = new PeerTable()
    table.set(0, [peer()])
    const entry = table.get(peer().key)!
    table.tellDisco(entry, disco(2))
    expect(table.set(1, [peer({ disco: disco(2) })]).changed).toEqual([])
    expect(entry.told).toBeUndefined()
    table.tellDisco(entry, disco(3))
    expect(table.tellDisco(entry, disco(2))).toBe(true)
    expect(entry.told).toBeUndefined()
    expect(table.withDisco(disco(2))).toEqual([entry])
  })

  it('serves a peer of which the map knew none', () => {
    const table = new PeerTable()
    table.set(0, [peer({ disco: undefined })])
    const entry = table.get(peer().key)!
    expect(table.tellDisco(entry, disco(4))).toBe(true)
    expect(table.set(1, [peer({ disco: undefined, homeDerp: 9 })]).changed).toEqual([entry])
    expect(entry.config.disco).toBe(disco(4))
  })
})
