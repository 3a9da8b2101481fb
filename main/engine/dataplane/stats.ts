/**
 * Counts of every peer as the packet thread packs them: rows of key 32 | ten u64 big-endian.
 * native/packet-loop/src/stats.rs writes them.
 */
import { nodeKey } from '../base/keys.ts'
import type { NodePublicKey } from '../base/keys.ts'
import type { PeerStats } from './ports.ts'

const ROW_BYTES = 32 + 10 * 8

/** Stats by peer. */
export function parseStats(packed: Uint8Array): ReadonlyMap<NodePublicKey, PeerStats> {
  const out = new Map<NodePublicKey, PeerStats>()
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  for (let at = 0; at + ROW_BYTES <= packed.length; at += ROW_BYTES) {
    const value = (index: number): number => view.getUint32(at + 32 + 8 * index) * 2 ** 32 + view.getUint32(at + 36 + 8 * index)
    out.set(nodeKey(packed.subarray(at, at + 32)), {
      rxBytes: value(0),
      txBytes: value(1),
      rxPackets: value(2),
      txPackets: value(3),
      lastHandshakeMs: value(4) === 0 ? undefined : value(4),
      dropped: { source: value(5), filter: value(6), noPath: value(7), relayFull: value(8) },
    })
  }
  return out
}
