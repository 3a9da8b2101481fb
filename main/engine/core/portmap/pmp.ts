/**
 * NAT-PMP: asking the router for its outer address, and for a UDP port of it. Pure codec.
 *
 *   ask address   version 0 | op 0                                                              2 B
 *   ask port      version 0 | op 1 | 0 0 | inner port 2 B | wished outer port 2 B | seconds 4 B   12 B
 *   answer        version 0 | op + 128 | result 2 B | epoch 4 B | address 4 B, or ports 2 + 2 B and seconds 4 B
 *
 * A refusal may end after the epoch. Seconds 0 give the port back. Bytes behind the known body are ignored.
 * Source: RFC 6886 §3. Vectors: test/unit/core/portmap/pmp.test.ts.
 */
import { readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { formatIp } from '../../base/ip.ts'

export const PMP_VERSION = 0
const OP_ADDRESS = 0
const OP_MAP_UDP = 1
const OP_REPLY = 128
const HEADER_BYTES = 8
const ADDRESS_BYTES = 12
const MAP_BYTES = 16

export type PmpReply =
  | { readonly kind: 'address'; readonly epochSec: number; readonly ip: string }
  | { readonly kind: 'mapped'; readonly epochSec: number; readonly internalPort: number; readonly externalPort: number; readonly lifetimeSec: number }
  | { readonly kind: 'refused'; readonly op: 'address' | 'map'; readonly result: number; readonly epochSec: number }

export function encodePmpAddressRequest(): Uint8Array {
  return new Uint8Array([PMP_VERSION, OP_ADDRESS])
}

/** A request for a UDP port; `lifetimeSec` 0 gives it back (and `externalPort` is 0 then). */
export function encodePmpMapRequest(internalPort: number, externalPort: number, lifetimeSec: number): Uint8Array {
  const out = new Uint8Array(12)
  out[1] = OP_MAP_UDP
  writeU16(out, 4, internalPort)
  writeU16(out, 6, externalPort)
  writeU32(out, 8, lifetimeSec)
  return out
}

/** Reasons: short, bad-version, bad-type. */
export function decodePmpReply(b: Uint8Array): PmpReply | DecodeError {
  if (b.length < HEADER_BYTES) return decodeError('short')
  if (b[0] !== PMP_VERSION) return decodeError('bad-version')
  const op = b[1]! - OP_REPLY
  if (op !== OP_ADDRESS && op !== OP_MAP_UDP) return decodeError('bad-type')
  const result = readU16(b, 2)
  const epochSec = readU32(b, 4)
  if (result !== 0) return { kind: 'refused', op: op === OP_ADDRESS ? 'address' : 'map', result, epochSec }
  if (op === OP_ADDRESS) return b.length < ADDRESS_BYTES ? decodeError('short') : { kind: 'address', epochSec, ip: formatIp(b.subarray(8, 12)) }
  if (b.length < MAP_BYTES) return decodeError('short')
  return { kind: 'mapped', epochSec, internalPort: readU16(b, 8), externalPort: readU16(b, 10), lifetimeSec: readU32(b, 12) }
}
