/**
 * The Geneve header around what goes through a peer relay. Pure codec.
 *
 *   version 2 bits | option length 6 bits (both 0) | control 0x80 | protocol 2 B | vni 3 B | 0          payload follows
 *
 * The control bit stands on messages between a node and the relay itself (bind, challenge, answer); the relay forwards
 * everything else unread. Only disco travels through here: WireGuard is wrapped and unwrapped in native/dataplane.
 * Source: tailscale net/packet/geneve.go @ de9ec7e, read 2026-08.
 */
import { readU16, writeU16 } from '../../base/bytes.ts'

export const GENEVE_BYTES = 8
export const MAX_VNI = 2 ** 24 - 1
const DISCO_PROTOCOL = 0x7a11

export interface GeneveDisco {
  readonly vni: number
  readonly isControl: boolean
  /** Borrowed from the datagram. */
  readonly payload: Uint8Array
}

/** Disco inside a Geneve header, or undefined when the bytes are something else. */
export function openGeneve(b: Uint8Array): GeneveDisco | undefined {
  if (b.length < GENEVE_BYTES || (b[0]! & 0xc0) !== 0 || (b[1]! & 0x7f) !== 0 || b[7] !== 0) return undefined
  // Options would lie between header and payload; no peer sends any.
  if (readU16(b, 2) !== DISCO_PROTOCOL || (b[0]! & 0x3f) !== 0) return undefined
  const vni = (b[4]! << 16) | (b[5]! << 8) | b[6]!
  return { vni, isControl: (b[1]! & 0x80) !== 0, payload: b.subarray(GENEVE_BYTES) }
}

/** A disco datagram with the header before it, owned by the caller. */
export function wrapGeneve(vni: number, isControl: boolean, disco: Uint8Array): Uint8Array {
  const out = new Uint8Array(GENEVE_BYTES + disco.length)
  if (isControl) out[1] = 0x80
  writeU16(out, 2, DISCO_PROTOCOL)
  out[4] = vni >>> 16
  writeU16(out, 5, vni & 0xffff)
  out.set(disco, GENEVE_BYTES)
  return out
}
