/**
 * DERP frames: what a relay connection is made of. Pure codec; stream.ts cuts a byte stream into them.
 *
 *   type 1 B | length 4 B (of the body, big-endian) | body
 *   01 server key   S→C  magic 8 | server key 32 | …       08 peer gone     S→C  node key 32 | reason 1 (absent: 0)
 *   02 client info  C→S  node key 32 | nonce 24 | box       12 ping  13 pong both  8 B
 *   03 server info  S→C  nonce 24 | box                     14 health        S→C  text, empty = well again
 *   04 send packet  C→S  dst key 32 | packet                15 restarting    S→C  reconnect-in ms 4 | try-for ms 4
 *   05 recv packet  S→C  src key 32 | packet                06 keep-alive    S→C  empty
 *   07 note-preferred C→S 1 B: 1 = this is my home          09, 0a, 10, 11   between relays; skipped here
 *
 * Source: tailscale derp/derp.go @ de9ec7e, read 2026-08. Vectors: test/vectors/derp.json.
 */
import { readU32, writeU32 } from '../../base/bytes.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError } from '../../base/errors.ts'

export const FRAME = {
  serverKey: 0x01,
  clientInfo: 0x02,
  serverInfo: 0x03,
  sendPacket: 0x04,
  recvPacket: 0x05,
  keepAlive: 0x06,
  notePreferred: 0x07,
  peerGone: 0x08,
  ping: 0x12,
  pong: 0x13,
  health: 0x14,
  restarting: 0x15,
} as const

export const FRAME_HEADER_BYTES = 5
export const KEY_BYTES = 32
/** Largest packet that a relay carries. */
export const MAX_PACKET_BYTES = 65_536
/** Header, key and largest packet: the largest packet frame. */
export const MAX_PACKET_FRAME_BYTES = FRAME_HEADER_BYTES + KEY_BYTES + MAX_PACKET_BYTES
/** A frame that claims more ends the connection. */
export const MAX_BODY_BYTES = 1 << 20
/** Header, key: what a packet frame adds to its packet. */
export const PACKET_OVERHEAD_BYTES = FRAME_HEADER_BYTES + KEY_BYTES

/** A whole frame of any type. */
export function encodeFrame(type: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(FRAME_HEADER_BYTES + body.length)
  out[0] = type
  writeU32(out, 1, body.length)
  out.set(body, FRAME_HEADER_BYTES)
  return out
}

/** A SendPacket frame to a 32 B node key; the packet is at most 64 KiB. */
export function encodeSendPacket(dst: Uint8Array, packet: Uint8Array): Uint8Array {
  return encodePacket(FRAME.sendPacket, dst, packet)
}

/** A RecvPacket frame, as a relay makes it. */
export function encodeRecvPacket(src: Uint8Array, packet: Uint8Array): Uint8Array {
  return encodePacket(FRAME.recvPacket, src, packet)
}

function encodePacket(type: number, key: Uint8Array, packet: Uint8Array): Uint8Array {
  const out = new Uint8Array(PACKET_OVERHEAD_BYTES + packet.length)
  out[0] = type
  writeU32(out, 1, KEY_BYTES + packet.length)
  out.set(key, FRAME_HEADER_BYTES)
  out.set(packet, PACKET_OVERHEAD_BYTES)
  return out
}

export function encodeNotePreferred(isHome: boolean): Uint8Array {
  return encodeFrame(FRAME.notePreferred, new Uint8Array([isHome ? 1 : 0]))
}

/** Length of the longest run of whole frames at the start of `frames` that takes at most `budgetBytes`. */
export function wholeFramesWithin(frames: Uint8Array, budgetBytes: number): number {
  let at = 0
  while (at + FRAME_HEADER_BYTES <= frames.length) {
    const next = at + FRAME_HEADER_BYTES + readU32(frames, at + 1)
    if (next > budgetBytes || next > frames.length) break
    at = next
  }
  return at
}

/** How many whole frames stand in `frames`. */
export function countFrames(frames: Uint8Array): number {
  let count = 0
  for (let at = 0; at + FRAME_HEADER_BYTES <= frames.length; count++) at += FRAME_HEADER_BYTES + readU32(frames, at + 1)
  return count
}

/** 0 = left the relay; 1 = was never there. */
export interface PeerGone {
  /** 32 B, borrowed. */
  readonly key: Uint8Array
  readonly reason: number
}

/** Reason: short. */
export function decodePeerGone(body: Uint8Array): PeerGone | DecodeError {
  if (body.length < KEY_BYTES) return decodeError('short', 'peer gone')
  return { key: body.subarray(0, KEY_BYTES), reason: body[KEY_BYTES] ?? 0 }
}

export interface Restarting {
  readonly reconnectInMs: number
  readonly tryForMs: number
}

/** Reason: short. */
export function decodeRestarting(body: Uint8Array): Restarting | DecodeError {
  if (body.length < 8) return decodeError('short', 'restarting')
  return { reconnectInMs: readU32(body, 0), tryForMs: readU32(body, 4) }
}
