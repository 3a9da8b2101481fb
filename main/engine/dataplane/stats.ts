/**
 * Counts as the packet thread packs them, integers big-endian. native/packet-loop/src/stats.rs writes them.
 *
 *   a peer         key 32 | ten u64
 *   what we serve  from | to | TCP flows u32 | UDP flows u32      (an address: family u8 (4, 6) | 16 B, IPv4 in the first four)
 */
import { formatIp } from '../base/ip.ts'
import { keyBytes, nodeKey } from '../base/keys.ts'
import type { NodePublicKey } from '../base/keys.ts'
import type { PeerStats, ServedFlows } from './ports.ts'

const KEY_BYTES = 32
const ROW_BYTES = KEY_BYTES + 10 * 8
const ADDRESS_BYTES = 17
const SERVED_BYTES = 2 * ADDRESS_BYTES + 8

/** Stats by peer. */
export function parseStats(packed: Uint8Array): ReadonlyMap<NodePublicKey, PeerStats> {
  const out = new Map<NodePublicKey, PeerStats>()
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  for (let at = 0; at + ROW_BYTES <= packed.length; at += ROW_BYTES) out.set(nodeKey(packed.subarray(at, at + KEY_BYTES)), rowAt(view, at))
  return out
}

/** Stats of one peer, undefined when it has no row. */
export function parseStatsOf(packed: Uint8Array, peer: NodePublicKey): PeerStats | undefined {
  const key = keyBytes(peer)
  for (let at = 0; at + ROW_BYTES <= packed.length; at += ROW_BYTES) {
    let same = 0
    while (same < KEY_BYTES && packed[at + same] === key[same]) same++
    if (same === KEY_BYTES) return rowAt(new DataView(packed.buffer, packed.byteOffset, packed.byteLength), at)
  }
  return undefined
}

function rowAt(view: DataView, at: number): PeerStats {
  const value = (index: number): number => view.getUint32(at + KEY_BYTES + 8 * index) * 2 ** 32 + view.getUint32(at + KEY_BYTES + 4 + 8 * index)
  return {
    rxBytes: value(0),
    txBytes: value(1),
    rxPackets: value(2),
    txPackets: value(3),
    lastHandshakeMs: value(4) === 0 ? undefined : value(4),
    dropped: { source: value(5), filter: value(6), noPath: value(7), relayFull: value(8) },
  }
}

/** What is served for others, in no order. */
export function parseServed(packed: Uint8Array): readonly ServedFlows[] {
  const out: ServedFlows[] = []
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const address = (at: number): string => formatIp(packed.subarray(at + 1, at + 1 + (packed[at] === 4 ? 4 : 16)))
  for (let at = 0; at + SERVED_BYTES <= packed.length; at += SERVED_BYTES) {
    const counts = at + 2 * ADDRESS_BYTES
    out.push({ from: address(at), to: address(at + ADDRESS_BYTES), tcp: view.getUint32(counts), udp: view.getUint32(counts + 4) })
  }
  return out
}
