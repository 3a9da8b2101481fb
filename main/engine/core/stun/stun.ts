/**
 * STUN binding requests and responses, as far as relay servers of this kind speak it. Pure codec.
 *
 *   type 2 B | length 2 B (after the header) | cookie 21 12 a4 42 | txid 12 B | attributes
 *   attribute = type 2 B | length 2 B | value, padded to 4 B
 *
 * The server refuses a request without exactly SOFTWARE "tailnode" and a closing FINGERPRINT (CRC-32 of what stands
 * before it, xor 5354554e). Responses of any server are read tolerantly: XOR-MAPPED-ADDRESS under its two numbers, else
 * MAPPED-ADDRESS, bytes beyond the length ignored.
 * Source: RFC 5389; tailscale net/stun/stun.go @ de9ec7e, read 2026-08. Vectors: test/vectors/stun.json.
 */
import { ascii, readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError } from '../../base/errors.ts'
import type { AddrPort } from '../../base/ip.ts'
import { formatIp, parseIp, unmap } from '../../base/ip.ts'

const COOKIE = 0x2112a442
const FINGERPRINT_XOR = 0x5354554e
const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const ATTR_MAPPED_ADDRESS = 0x0001
const ATTR_XOR_MAPPED_ADDRESS = 0x0020
/** The number that drafts of RFC 5389 gave it; old servers still use it. */
const ATTR_XOR_MAPPED_ADDRESS_OLD = 0x8020
const ATTR_SOFTWARE = 0x8022
const ATTR_FINGERPRINT = 0x8028
const HEADER_BYTES = 20
const SOFTWARE = ascii('tailnode')

export const STUN_TX_ID_BYTES = 12
export const STUN_DEFAULT_PORT = 3478

export interface StunResponse {
  /** 12 B, borrowed. */
  readonly txId: Uint8Array
  /** Where the request came from, as the server saw it. */
  readonly mapped: AddrPort
}

/** Whether a datagram is STUN of the binding method (so that it is neither disco nor WireGuard). */
export function isStun(b: Uint8Array): boolean {
  return b.length >= HEADER_BYTES && (b[0]! & 0xc0) === 0 && b[1] === 1 && readU32(b, 4) === COOKIE
}

/** A binding request of 40 B with a fresh 12 B txid. */
export function encodeStunRequest(txId: Uint8Array): Uint8Array {
  const out = new Uint8Array(40)
  writeHeader(out, BINDING_REQUEST, txId)
  writeU16(out, 20, ATTR_SOFTWARE)
  writeU16(out, 22, SOFTWARE.length)
  out.set(SOFTWARE, 24)
  writeU16(out, 32, ATTR_FINGERPRINT)
  writeU16(out, 34, 4)
  writeU32(out, 36, (crc32(out, 32) ^ FINGERPRINT_XOR) >>> 0)
  return out
}

/** The 12 B txid of a request that a relay server would answer, borrowed. Reasons: short, bad-magic, bad-type, bad-value. */
export function decodeStunRequest(b: Uint8Array): Uint8Array | DecodeError {
  if (b.length < HEADER_BYTES) return decodeError('short')
  if (!isStun(b)) return decodeError('bad-magic')
  if (readU16(b, 0) !== BINDING_REQUEST) return decodeError('bad-type')
  let softwareSeen = false
  let lastType = 0
  let fingerprint = 0
  let fingerprintAt = 0
  for (const attr of attributes(b)) {
    if (attr.type === ATTR_SOFTWARE) softwareSeen = attr.length === SOFTWARE.length && SOFTWARE.every((c, i) => b[attr.at + i] === c)
    if (attr.type === ATTR_FINGERPRINT && attr.length === 4) {
      fingerprint = readU32(b, attr.at)
      fingerprintAt = attr.at - 4
    }
    lastType = attr.type
  }
  if (!softwareSeen) return decodeError('bad-value', 'software')
  if (lastType !== ATTR_FINGERPRINT || fingerprint !== (crc32(b, fingerprintAt) ^ FINGERPRINT_XOR) >>> 0) {
    return decodeError('bad-value', 'fingerprint')
  }
  return b.subarray(8, 20)
}

/** A success response as relay servers send it: XOR-MAPPED-ADDRESS only. */
export function encodeStunResponse(txId: Uint8Array, seen: AddrPort): Uint8Array {
  const ip = unmap(parseIp(seen.ip) ?? new Uint8Array(4))
  const out = new Uint8Array(HEADER_BYTES + 8 + ip.length)
  writeHeader(out, BINDING_SUCCESS, txId)
  writeU16(out, 20, ATTR_XOR_MAPPED_ADDRESS)
  writeU16(out, 22, 4 + ip.length)
  out[25] = ip.length === 4 ? 1 : 2
  writeU16(out, 26, seen.port ^ (COOKIE >>> 16))
  for (let i = 0; i < ip.length; i++) out[28 + i] = ip[i]! ^ out[4 + i]!
  return out
}

/** The txid and our own address in a success response. Reasons: short, bad-magic, bad-type, bad-value. */
export function decodeStunResponse(b: Uint8Array): StunResponse | DecodeError {
  if (b.length < HEADER_BYTES) return decodeError('short')
  if (!isStun(b)) return decodeError('bad-magic')
  if (readU16(b, 0) !== BINDING_SUCCESS) return decodeError('bad-type')
  let plain: AddrPort | undefined
  for (const attr of attributes(b)) {
    const xor = attr.type === ATTR_XOR_MAPPED_ADDRESS || attr.type === ATTR_XOR_MAPPED_ADDRESS_OLD
    if (!xor && attr.type !== ATTR_MAPPED_ADDRESS) continue
    const found = readAddress(b, attr.at, attr.length, xor)
    if (xor && found) return { txId: b.subarray(8, 20), mapped: found }
    plain ??= found
  }
  return plain ? { txId: b.subarray(8, 20), mapped: plain } : decodeError('bad-value', 'no address')
}

interface Attribute {
  readonly type: number
  readonly at: number
  readonly length: number
}

/** The attributes that lie whole inside the message; at most 64, a real one has fewer than ten. */
function attributes(b: Uint8Array): Attribute[] {
  const out: Attribute[] = []
  const end = Math.min(b.length, HEADER_BYTES + readU16(b, 2))
  let at = HEADER_BYTES
  while (at + 4 <= end && out.length < 64) {
    const length = readU16(b, at + 2)
    if (at + 4 + length > end) break
    out.push({ type: readU16(b, at), at: at + 4, length })
    at += 4 + ((length + 3) & ~3)
  }
  return out
}

function readAddress(b: Uint8Array, at: number, length: number, xor: boolean): AddrPort | undefined {
  const size = b[at + 1] === 1 ? 4 : b[at + 1] === 2 ? 16 : 0
  if (size === 0 || length < 4 + size) return undefined
  const ip = b.slice(at + 4, at + 4 + size)
  let port = readU16(b, at + 2)
  if (xor) {
    port ^= COOKIE >>> 16
    for (let i = 0; i < size; i++) ip[i]! ^= b[4 + i]!
  }
  return { ip: formatIp(unmap(ip)), port }
}

function writeHeader(out: Uint8Array, type: number, txId: Uint8Array): void {
  writeU16(out, 0, type)
  writeU16(out, 2, out.length - HEADER_BYTES)
  writeU32(out, 4, COOKIE)
  out.set(txId, 8)
}

const CRC_TABLE = new Uint32Array(256).map((_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

/** CRC-32 (IEEE) of the first `length` bytes. */
function crc32(b: Uint8Array, length: number): number {
  let c = 0xffffffff
  for (let i = 0; i < length; i++) c = CRC_TABLE[(c ^ b[i]!) & 0xff]! ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
