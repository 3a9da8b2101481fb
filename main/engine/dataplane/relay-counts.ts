/**
 * What each end of the sessions that this node relays has sent, as the packet thread packs it:
 * vni u32 | twice (idle ms u32, all ones = never heard | packets u64 | bytes u64), big-endian.
 * native/packet-loop/src/peer_relay.rs writes it.
 */
interface EndCount {
  readonly idleMs: number
  readonly packets: number
  readonly bytes: number
}

const ROW_BYTES = 4 + 2 * 20
const NEVER = 0xffffffff

/** Counts by session. */
export function parseRelayCounts(packed: Uint8Array): ReadonlyMap<number, readonly [EndCount, EndCount]> {
  const out = new Map<number, readonly [EndCount, EndCount]>()
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const u64 = (at: number): number => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
  const end = (at: number): EndCount => {
    const idle = view.getUint32(at)
    return { idleMs: idle === NEVER ? Number.POSITIVE_INFINITY : idle, packets: u64(at + 4), bytes: u64(at + 12) }
  }
  for (let at = 0; at + ROW_BYTES <= packed.length; at += ROW_BYTES) out.set(view.getUint32(at), [end(at + 4), end(at + 24)])
  return out
}
