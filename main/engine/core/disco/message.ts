/**
 * Disco messages in plain form: how two nodes probe paths to each other. Pure codec; the envelope is in envelope.ts.
 *
 *   type 1 B | version 1 B (0 today) | body          all integers big-endian
 *   1 ping      txid 12 | node key 32 (may be absent) | zero padding
 *   2 pong      txid 12 | observed source: ip 16 (IPv4 mapped), port 2
 *   3 call-me-maybe            n × (ip 16, port 2); anything else reads as an empty list
 *   4, 5, 6 bind, challenge, answer of a peer relay      vni 4 | generation 4 | remote disco 32 | challenge 32
 *   7 call-me-maybe-via        relay endpoint
 *   8 allocate request         client disco 2 × 32 | generation 4
 *   9 allocate response        generation 4 | relay endpoint
 *   relay endpoint = server disco 32 | client disco 2 × 32 | lamport id 8 | vni 4 | bind life ns 8 | steady life ns 8 | n ≥ 1 × (ip 16, port 2)
 *
 * Bytes after a known body are ignored: newer peers may add fields.
 * Source: tailscale disco/disco.go @ de9ec7e, read 2026-08. Vectors: test/vectors/disco.json.
 */
import { readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError } from '../../base/errors.ts'
import type { AddrPort } from '../../base/ip.ts'
import { formatIp, mapped, parseIp, unmap } from '../../base/ip.ts'
import type { DiscoPublicKey } from '../../base/keys.ts'
import { discoKey, keyBytes } from '../../base/keys.ts'

export interface DiscoPing {
  readonly kind: 'ping'
  /** 12 B. */
  readonly txId: Uint8Array
  /** Sender's node key, 32 B; absent from ancient senders. */
  readonly nodeKey: Uint8Array | undefined
  readonly paddingBytes: number
}

export interface DiscoPong {
  readonly kind: 'pong'
  /** 12 B, as in the ping. */
  readonly txId: Uint8Array
  /** Where the ping seemed to come from; 127.3.3.40:REGION when it came through a relay. */
  readonly src: AddrPort
}

export interface DiscoCallMeMaybe {
  readonly kind: 'call-me-maybe'
  readonly endpoints: readonly AddrPort[]
}

export interface DiscoRelayBind {
  readonly kind: 'bind-relay' | 'bind-relay-challenge' | 'bind-relay-answer'
  readonly vni: number
  readonly generation: number
  readonly remote: DiscoPublicKey
  /** 32 B. */
  readonly challenge: Uint8Array
}

export interface PeerRelayEndpoint {
  readonly server: DiscoPublicKey
  readonly clients: readonly [DiscoPublicKey, DiscoPublicKey]
  readonly lamportId: bigint
  readonly vni: number
  readonly bindLifetimeNs: bigint
  readonly steadyLifetimeNs: bigint
  /** At least one. */
  readonly addrs: readonly AddrPort[]
}

export interface DiscoCallMeMaybeVia {
  readonly kind: 'call-me-maybe-via'
  readonly endpoint: PeerRelayEndpoint
}

export interface DiscoAllocateRequest {
  readonly kind: 'allocate-relay-request'
  readonly clients: readonly [DiscoPublicKey, DiscoPublicKey]
  readonly generation: number
}

export interface DiscoAllocateResponse {
  readonly kind: 'allocate-relay-response'
  readonly generation: number
  readonly endpoint: PeerRelayEndpoint
}

export type DiscoMessage =
  | DiscoPing
  | DiscoPong
  | DiscoCallMeMaybe
  | DiscoRelayBind
  | DiscoCallMeMaybeVia
  | DiscoAllocateRequest
  | DiscoAllocateResponse

export const TX_ID_BYTES = 12
const ADDR_BYTES = 18
const RELAY_COMMON_BYTES = 72
const RELAY_ENDPOINT_FIXED_BYTES = 32 + 64 + 8 + 4 + 8 + 8
/** More addresses than any node publishes; the rest of a hostile list is not looked at. */
const MAX_ADDRS = 100

const BIND_KINDS = ['bind-relay', 'bind-relay-challenge', 'bind-relay-answer'] as const

/** Plain bytes of a message, owned by the caller. */
export function encodeDisco(m: DiscoMessage): Uint8Array {
  switch (m.kind) {
    case 'ping': {
      const out = start(1, TX_ID_BYTES + (m.nodeKey ? 32 : 0) + m.paddingBytes)
      out.set(m.txId, 2)
      if (m.nodeKey) out.set(m.nodeKey, 14)
      return out
    }
    case 'pong': {
      const out = start(2, TX_ID_BYTES + ADDR_BYTES)
      out.set(m.txId, 2)
      writeAddr(out, 14, m.src)
      return out
    }
    case 'call-me-maybe': {
      const out = start(3, m.endpoints.length * ADDR_BYTES)
      m.endpoints.forEach((ap, i) => writeAddr(out, 2 + i * ADDR_BYTES, ap))
      return out
    }
    case 'bind-relay':
    case 'bind-relay-challenge':
    case 'bind-relay-answer': {
      const out = start(4 + BIND_KINDS.indexOf(m.kind), RELAY_COMMON_BYTES)
      writeU32(out, 2, m.vni)
      writeU32(out, 6, m.generation)
      out.set(keyBytes(m.remote), 10)
      out.set(m.challenge, 42)
      return out
    }
    case 'call-me-maybe-via': {
      const out = start(7, relayEndpointBytes(m.endpoint))
      writeRelayEndpoint(out, 2, m.endpoint)
      return out
    }
    case 'allocate-relay-request': {
      const out = start(8, 68)
      out.set(keyBytes(m.clients[0]), 2)
      out.set(keyBytes(m.clients[1]), 34)
      writeU32(out, 66, m.generation)
      return out
    }
    case 'allocate-relay-response': {
      const out = start(9, 4 + relayEndpointBytes(m.endpoint))
      writeU32(out, 2, m.generation)
      writeRelayEndpoint(out, 6, m.endpoint)
      return out
    }
  }
}

/** The message in opened plain bytes; its byte arrays borrow from `b`. Reasons: short, bad-type, bad-value. */
export function decodeDisco(b: Uint8Array): DiscoMessage | DecodeError {
  if (b.length < 2) return decodeError('short')
  const body = b.subarray(2)
  const type: number = b[0]!
  switch (type) {
    case 1:
      return decodePing(body)
    case 2:
      if (body.length < TX_ID_BYTES + ADDR_BYTES) return decodeError('short', 'pong')
      return { kind: 'pong', txId: body.subarray(0, TX_ID_BYTES), src: readAddr(body, TX_ID_BYTES) }
    case 3:
      return { kind: 'call-me-maybe', endpoints: b[1] === 0 && body.length % ADDR_BYTES === 0 ? readAddrs(body, 0) : [] }
    case 4:
    case 5:
    case 6:
      return decodeRelayBind(BIND_KINDS[type - 4]!, body)
    case 7: {
      const endpoint = readRelayEndpoint(body, 0)
      return endpoint ? { kind: 'call-me-maybe-via', endpoint } : decodeError('short', 'call-me-maybe-via')
    }
    case 8:
      if (body.length < 68) return decodeError('short', 'allocate request')
      return { kind: 'allocate-relay-request', clients: readClients(body, 0), generation: readU32(body, 64) }
    case 9: {
      if (body.length < 4) return decodeError('short', 'allocate response')
      const endpoint = readRelayEndpoint(body, 4)
      if (!endpoint) return decodeError('short', 'allocate response')
      return { kind: 'allocate-relay-response', generation: readU32(body, 0), endpoint }
    }
    default:
      return decodeError('bad-type')
  }
}

function decodePing(body: Uint8Array): DiscoPing | DecodeError {
  if (body.length < TX_ID_BYTES) return decodeError('short', 'ping')
  const txId = body.subarray(0, TX_ID_BYTES)
  if (body.length < TX_ID_BYTES + 32) return { kind: 'ping', txId, nodeKey: undefined, paddingBytes: body.length - TX_ID_BYTES }
  const nodeKey = body.subarray(TX_ID_BYTES, TX_ID_BYTES + 32)
  return { kind: 'ping', txId, nodeKey, paddingBytes: body.length - TX_ID_BYTES - 32 }
}

function decodeRelayBind(kind: DiscoRelayBind['kind'], body: Uint8Array): DiscoRelayBind | DecodeError {
  if (body.length < RELAY_COMMON_BYTES) return decodeError('short', kind)
  const generation = readU32(body, 4)
  if (generation === 0) return decodeError('bad-value', 'generation')
  return { kind, vni: readU32(body, 0), generation, remote: discoKey(body.subarray(8, 40)), challenge: body.subarray(40, 72) }
}

function start(type: number, bodyBytes: number): Uint8Array {
  const out = new Uint8Array(2 + bodyBytes)
  out[0] = type
  return out
}

function writeAddr(out: Uint8Array, at: number, ap: AddrPort): void {
  out.set(mapped(parseIp(ap.ip) ?? new Uint8Array(16)), at)
  writeU16(out, at + 16, ap.port)
}

function readAddr(b: Uint8Array, at: number): AddrPort {
  return { ip: formatIp(unmap(b.subarray(at, at + 16))), port: readU16(b, at + 16) }
}

function readAddrs(b: Uint8Array, from: number): AddrPort[] {
  const out: AddrPort[] = []
  for (let at = from; at + ADDR_BYTES <= b.length && out.length < MAX_ADDRS; at += ADDR_BYTES) out.push(readAddr(b, at))
  return out
}

function readClients(b: Uint8Array, at: number): [DiscoPublicKey, DiscoPublicKey] {
  return [discoKey(b.subarray(at, at + 32)), discoKey(b.subarray(at + 32, at + 64))]
}

function relayEndpointBytes(e: PeerRelayEndpoint): number {
  return RELAY_ENDPOINT_FIXED_BYTES + e.addrs.length * ADDR_BYTES
}

function writeRelayEndpoint(out: Uint8Array, at: number, e: PeerRelayEndpoint): void {
  out.set(keyBytes(e.server), at)
  out.set(keyBytes(e.clients[0]), at + 32)
  out.set(keyBytes(e.clients[1]), at + 64)
  writeU64(out, at + 96, e.lamportId)
  writeU32(out, at + 104, e.vni)
  writeU64(out, at + 108, e.bindLifetimeNs)
  writeU64(out, at + 116, e.steadyLifetimeNs)
  e.addrs.forEach((ap, i) => writeAddr(out, at + RELAY_ENDPOINT_FIXED_BYTES + i * ADDR_BYTES, ap))
}

function readRelayEndpoint(b: Uint8Array, at: number): PeerRelayEndpoint | undefined {
  if (b.length < at + RELAY_ENDPOINT_FIXED_BYTES + ADDR_BYTES) return undefined
  return {
    server: discoKey(b.subarray(at, at + 32)),
    clients: readClients(b, at + 32),
    lamportId: readU64(b, at + 96),
    vni: readU32(b, at + 104),
    bindLifetimeNs: readU64(b, at + 108),
    steadyLifetimeNs: readU64(b, at + 116),
    addrs: readAddrs(b, at + RELAY_ENDPOINT_FIXED_BYTES),
  }
}

function readU64(b: Uint8Array, at: number): bigint {
  return (BigInt(readU32(b, at)) << 32n) | BigInt(readU32(b, at + 4))
}

function writeU64(b: Uint8Array, at: number, value: bigint): void {
  writeU32(b, at, Number((value >> 32n) & 0xffffffffn))
  writeU32(b, at + 4, Number(value & 0xffffffffn))
}
