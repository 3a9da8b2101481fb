/**
 * How a client introduces itself to a relay: three frames, the last two sealed between the client's node key and the
 * relay's key (NaCl box, nonce in front). Pure.
 *
 *   relay → magic 44 45 52 50 f0 9f 94 91 | relay key 32 | …
 *   client → node key 32 | nonce 24 | box { JSON: version, CanAckPings }
 *   relay → nonce 24 | box { JSON: version, TokenBucketBytesPerSecond, TokenBucketBytesBurst }   (may come late)
 *
 * Source: tailscale derp/derp_client.go @ de9ec7e, read 2026-08.
 */
import { ascii, concat, equal } from '../../base/bytes.ts'
import { boxKey, boxOpen, boxSeal } from '../../base/crypto.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError, isDecodeError } from '../../base/errors.ts'
import type { PrivateKey } from '../../base/keys.ts'
import { encodeFrame, FRAME, KEY_BYTES } from './frame.ts'

const MAGIC = new Uint8Array([0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91])
const PROTOCOL_VERSION = 2
const NONCE_BYTES = 24

/** The body of a ServerKey frame, as a relay makes it. */
export function encodeServerKey(relayKey: Uint8Array): Uint8Array {
  return concat(MAGIC, relayKey)
}

/** The relay's 32 B key, owned. Reasons: short, bad-magic. */
export function decodeServerKey(body: Uint8Array): Uint8Array | DecodeError {
  if (body.length < MAGIC.length + KEY_BYTES) return decodeError('short', 'server key')
  if (!equal(body.subarray(0, MAGIC.length), MAGIC)) return decodeError('bad-magic', 'server key')
  return body.slice(MAGIC.length, MAGIC.length + KEY_BYTES)
}

/** The whole ClientInfo frame under a fresh 24 B nonce. Reason: bad-value (the relay's key is a low-order point). */
export function encodeClientInfo(node: PrivateKey, relayKey: Uint8Array, nonce24: Uint8Array): Uint8Array | DecodeError {
  const key = boxKey(node.bytes(), relayKey)
  if (!key) return decodeError('bad-value', 'server key')
  const json = ascii(JSON.stringify({ version: PROTOCOL_VERSION, CanAckPings: true }))
  return encodeFrame(FRAME.clientInfo, concat(node.publicBytes(), nonce24, boxSeal(key, nonce24, json)))
}

export interface ClientInfo {
  /** 32 B, borrowed. */
  readonly nodeKey: Uint8Array
  readonly version: number
  readonly canAckPings: boolean
}

/** A client's introduction, as a relay reads it. Reasons: short, bad-seal, bad-value. */
export function decodeClientInfo(relay: PrivateKey, body: Uint8Array): ClientInfo | DecodeError {
  if (body.length < KEY_BYTES + NONCE_BYTES + 16) return decodeError('short', 'client info')
  const nodeKey = body.subarray(0, KEY_BYTES)
  const fields = openJson(relay, nodeKey, body.subarray(KEY_BYTES), 'client info')
  if (isDecodeError(fields)) return fields
  return { nodeKey, version: numberField(fields, 'version') ?? 0, canAckPings: fields['CanAckPings'] === true }
}

export interface ServerInfo {
  readonly version: number
  /** How much a client may send; undefined when the relay does not say. */
  readonly bytesPerSec: number | undefined
  readonly burstBytes: number | undefined
}

/** The body of a ServerInfo frame, as a relay makes it. Reason: bad-value. */
export function encodeServerInfo(relay: PrivateKey, nodeKey: Uint8Array, nonce24: Uint8Array, json: string): Uint8Array | DecodeError {
  const key = boxKey(relay.bytes(), nodeKey)
  return key ? concat(nonce24, boxSeal(key, nonce24, ascii(json))) : decodeError('bad-value', 'node key')
}

/** What the relay says of itself. Reasons: short, bad-seal, bad-value. */
export function decodeServerInfo(node: PrivateKey, relayKey: Uint8Array, body: Uint8Array): ServerInfo | DecodeError {
  if (body.length < NONCE_BYTES + 16) return decodeError('short', 'server info')
  const fields = openJson(node, relayKey, body, 'server info')
  if (isDecodeError(fields)) return fields
  return {
    version: numberField(fields, 'version') ?? 0,
    bytesPerSec: numberField(fields, 'TokenBucketBytesPerSecond'),
    burstBytes: numberField(fields, 'TokenBucketBytesBurst'),
  }
}

type Fields = Readonly<Record<string, unknown>>

function openJson(own: PrivateKey, other: Uint8Array, sealed: Uint8Array, what: string): Fields | DecodeError {
  const key = boxKey(own.bytes(), other)
  const plain = key && boxOpen(key, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES))
  if (!plain) return decodeError('bad-seal', what)
  try {
    const value: unknown = JSON.parse(utf8Text(plain))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  } catch {
    // Not JSON: the same answer as for JSON of another kind.
  }
  return decodeError('bad-value', what)
}

function numberField(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  return typeof value === 'number' && value > 0 ? value : undefined
}

/** Text of UTF-8 bytes; bytes that are no UTF-8 read as one character each. */
export function utf8Text(b: Uint8Array): string {
  let escaped = ''
  let plain = ''
  for (const byte of b) {
    escaped += `%${byte < 16 ? '0' : ''}${byte.toString(16)}`
    plain += String.fromCharCode(byte)
  }
  try {
    return decodeURIComponent(escaped)
  } catch {
    return plain
  }
}
