/**
 * PCP: what followed NAT-PMP on the same port of the router. Pure codec, UDP mappings of IPv4 alone.
 *
 *   ask      version 2 | op 1 B | 0 0 | seconds 4 B | our address 16 B | body
 *   answer   version 2 | op + 128 | 0 | result 1 B | seconds 4 B | epoch 4 B | 0 × 12 | body
 *   body     announce: none.  map: nonce 12 B | protocol 1 B | 0 × 3 | inner port 2 B | outer port 2 B | outer address 16 B
 *
 * The nonce is ours and comes back; whoever does not know it cannot change the mapping. Seconds 0 give the port back.
 * Options behind the body are ignored. In a refusal seconds say how long it will hold.
 * Source: RFC 6887 §7, §11, §14.1. Vectors: test/unit/core/portmap/pcp.test.ts.
 */
import { readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { formatIp, mapped, parseIp, unmap } from '../../base/ip.ts'

export const PCP_VERSION = 2
export const PCP_NONCE_BYTES = 12
const OP_ANNOUNCE = 0
const OP_MAP = 1
const OP_REPLY = 128
const HEADER_BYTES = 24
const MAP_BYTES = 60
const PROTOCOL_UDP = 17

export interface PcpMapRequest {
  /** Our address towards the router, canonical IPv4. */
  readonly selfIp: string
  /** 12 B. */
  readonly nonce: Uint8Array
  readonly internalPort: number
  /** 0 = any. */
  readonly externalPort: number
  /** undefined = any. */
  readonly externalIp?: string | undefined
  readonly lifetimeSec: number
}

export type PcpReply =
  | { readonly kind: 'announce'; readonly result: number; readonly epochSec: number }
  | {
      readonly kind: 'map'
      readonly result: number
      readonly epochSec: number
      readonly lifetimeSec: number
      /** 12 B, borrowed. */
      readonly nonce: Uint8Array
      readonly isUdp: boolean
      readonly internalPort: number
      readonly externalPort: number
      readonly externalIp: string
    }
  /** A refusal that does not repeat the question. */
  | { readonly kind: 'refused'; readonly result: number; readonly epochSec: number }

export function encodePcpAnnounce(selfIp: string): Uint8Array {
  return header(HEADER_BYTES, OP_ANNOUNCE, selfIp, 0)
}

export function encodePcpMapRequest(ask: PcpMapRequest): Uint8Array {
  const out = header(MAP_BYTES, OP_MAP, ask.selfIp, ask.lifetimeSec)
  out.set(ask.nonce, 24)
  out[36] = PROTOCOL_UDP
  writeU16(out, 40, ask.internalPort)
  writeU16(out, 42, ask.externalPort)
  out.set(mapped(parseIp(ask.externalIp ?? '0.0.0.0')!), 44)
  return out
}

/** Reasons: short, bad-version, bad-type. */
export function decodePcpReply(b: Uint8Array): PcpReply | DecodeError {
  if (b.length < HEADER_BYTES) return decodeError('short')
  if (b[0] !== PCP_VERSION) return decodeError('bad-version')
  const op = b[1]! - OP_REPLY
  const result = b[3]!
  const epochSec = readU32(b, 8)
  if (op === OP_ANNOUNCE) return { kind: 'announce', result, epochSec }
  if (op !== OP_MAP) return decodeError('bad-type')
  if (b.length < MAP_BYTES) return result === 0 ? decodeError('short') : { kind: 'refused', result, epochSec }
  return {
    kind: 'map', result, epochSec,
    lifetimeSec: readU32(b, 4),
    nonce: b.subarray(24, 36),
    isUdp: b[36] === PROTOCOL_UDP,
    internalPort: readU16(b, 40),
    externalPort: readU16(b, 42),
    externalIp: formatIp(unmap(b.subarray(44, 60))),
  }
}

function header(length: number, op: number, selfIp: string, lifetimeSec: number): Uint8Array {
  const out = new Uint8Array(length)
  out[0] = PCP_VERSION
  out[1] = op
  writeU32(out, 4, lifetimeSec)
  out.set(mapped(parseIp(selfIp)!), 8)
  return out
}
