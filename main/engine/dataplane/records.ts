/**
 * Reads the packed records that the packet thread fills: length u32 | kind u8 | body, integers big-endian.
 * native/packet-loop/src/records.rs writes them and lists their bodies. Both ends are ours, so a record that does not fit is a
 * broken invariant, not hostile input. Bytes that leave here are copies and the callee's.
 */
import { assert } from '../base/errors.ts'
import { readU16, readU32 } from '../base/bytes.ts'
import { formatIp } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { nodeKey } from '../base/keys.ts'
import type { NodePublicKey } from '../base/keys.ts'
import type { ActivityKind, FlowReject } from './ports.ts'

export type NativeRecord =
  | { readonly kind: 'unclaimed'; readonly from: AddrPort; readonly bytes: Uint8Array }
  | { readonly kind: 'relay-frames'; readonly region: number; readonly frames: Uint8Array }
  | { readonly kind: 'activity'; readonly peer: NodePublicKey; readonly activity: ActivityKind }
  | { readonly kind: 'handshake'; readonly peer: NodePublicKey }
  | { readonly kind: 'unknown-peer'; readonly key: NodePublicKey }
  | { readonly kind: 'direct-proof'; readonly peer: NodePublicKey; readonly from: AddrPort }
  | { readonly kind: 'stray'; readonly from: AddrPort }
  | { readonly kind: 'send-error'; readonly to: AddrPort; readonly code: 'unreachable' | 'permission' | 'other' | 'broken' }
  | { readonly kind: 'proxy-request'; readonly id: number; readonly via: 'socks5' | 'http'; readonly host: string; readonly port: number }
  | { readonly kind: 'inbound-stream'; readonly fd: number; readonly from: AddrPort; readonly to: AddrPort }
  | { readonly kind: 'rejected'; readonly reject: FlowReject }
  | { readonly kind: 'disco-key'; readonly peer: NodePublicKey; readonly disco: Uint8Array }
  | { readonly kind: 'dial-done'; readonly id: number; readonly fd: number; readonly code: string }
  | { readonly kind: 'pong'; readonly id: number; readonly latencyMs: number; readonly peerApiPort: number | undefined }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'ping-failed'; readonly id: number }
  | { readonly kind: 'relay-control'; readonly from: AddrPort; readonly bytes: Uint8Array }
  | { readonly kind: 'forward-request'; readonly id: number; readonly forward: number; readonly from: AddrPort }
  | { readonly kind: 'forward-failed'; readonly forward: number; readonly code: string }
  | { readonly kind: 'exchanged'; readonly id: number; readonly answer: Uint8Array | undefined }
  | { readonly kind: 'engine-datagram'; readonly id: number; readonly from: AddrPort; readonly to: AddrPort; readonly bytes: Uint8Array }
  | { readonly kind: 'echo-wanted'; readonly id: number; readonly to: string }
  | { readonly kind: 'unanswered'; readonly to: AddrPort }
  | { readonly kind: 'tun-gone'; readonly why: string }
  | { readonly kind: 'no-route'; readonly proto: number; readonly from: AddrPort; readonly to: AddrPort }

const ACTIVITY: readonly ActivityKind[] = ['sending', 'receiving', 'idle']
const SEND_ERRORS = ['unreachable', 'permission', 'other', 'broken'] as const
/** TSMP's letters, and those that our own filter adds. */
const REASONS: Readonly<Record<string, FlowReject['reason']>> = {
  A: 'acl', S: 'shields-up', F: 'forwarding-off', W: 'host-firewall', N: 'not-ours', B: 'foreign-source',
}

/** Calls for each record in the first `length` bytes of `batch`, in order. */
export function eachRecord(batch: Uint8Array, length: number, call: (record: NativeRecord) => void): void {
  let at = 0
  while (at < length) {
    const end = at + 4 + readU32(batch, at)
    assert(end <= length, 'a record lies whole in its batch')
    call(parse(batch[at + 4]!, new Body(batch.subarray(at + 5, end))))
    at = end
  }
}

/** Reads one body from front to back. */
class Body {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  u8(): number {
    return this.#bytes[this.#at++]!
  }

  u16(): number {
    this.#at += 2
    return readU16(this.#bytes, this.#at - 2)
  }

  u32(): number {
    this.#at += 4
    return readU32(this.#bytes, this.#at - 4)
  }

  /** A copy, as others keep it. */
  copy(length?: number): Uint8Array {
    const start = this.#at
    this.#at = length === undefined ? this.#bytes.length : start + length
    return this.#bytes.slice(start, this.#at)
  }

  text(length?: number): string {
    return new TextDecoder().decode(this.copy(length))
  }

  peer(): NodePublicKey {
    this.#at += 32
    return nodeKey(this.#bytes.subarray(this.#at - 32, this.#at))
  }

  addr(): AddrPort {
    const length = this.u8() === 4 ? 4 : 16
    this.#at += length
    const ip = formatIp(this.#bytes.subarray(this.#at - length, this.#at))
    return { ip, port: this.u16() }
  }
}

function parse(kind: number, body: Body): NativeRecord {
  switch (kind) {
    case 1:
      return { kind: 'unclaimed', from: body.addr(), bytes: body.copy() }
    case 2:
      return { kind: 'relay-frames', region: body.u32(), frames: body.copy() }
    case 3:
      return { kind: 'activity', peer: body.peer(), activity: ACTIVITY[body.u8()]! }
    case 4:
      return { kind: 'handshake', peer: body.peer() }
    case 5:
      return { kind: 'unknown-peer', key: body.peer() }
    case 6:
      return { kind: 'direct-proof', peer: body.peer(), from: body.addr() }
    case 7:
      return { kind: 'send-error', to: body.addr(), code: SEND_ERRORS[body.u8()]! }
    case 8:
      return { kind: 'proxy-request', id: body.u32(), via: body.u8() === 0 ? 'socks5' : 'http', port: body.u16(), host: body.text() }
    case 9:
      return { kind: 'inbound-stream', fd: body.u32(), from: body.addr(), to: body.addr() }
    case 10:
      return { kind: 'rejected', reject: parseReject(body) }
    case 11:
      return { kind: 'disco-key', peer: body.peer(), disco: body.copy() }
    case 12:
      return { kind: 'dial-done', id: body.u32(), fd: body.u32() | 0, code: body.text() }
    case 13: {
      const [id, micros, port] = [body.u32(), body.u32(), body.u16()]
      return { kind: 'pong', id, latencyMs: micros / 1000, peerApiPort: port === 0 ? undefined : port }
    }
    case 14:
      return { kind: 'failed', code: body.text(body.u8()), message: body.text() }
    case 15:
      return { kind: 'ping-failed', id: body.u32() }
    case 16:
      return { kind: 'relay-control', from: body.addr(), bytes: body.copy() }
    case 17:
      return { kind: 'forward-request', id: body.u32(), forward: body.u32(), from: body.addr() }
    case 18:
      return { kind: 'forward-failed', forward: body.u32(), code: body.text() }
    case 19:
      return { kind: 'engine-datagram', id: body.u32(), from: body.addr(), to: body.addr(), bytes: body.copy() }
    case 20: {
      const [id, isAnswered] = [body.u32(), body.u8() === 1]
      return { kind: 'exchanged', id, answer: isAnswered ? body.copy() : undefined }
    }
    case 24:
      return { kind: 'echo-wanted', id: body.u16(), to: body.addr().ip }
    case 28:
      return { kind: 'unanswered', to: body.addr() }
    case 29:
      return { kind: 'stray', from: body.addr() }
    case 30:
      return { kind: 'tun-gone', why: body.text() }
    case 31:
      return { kind: 'no-route', proto: body.u8(), from: body.addr(), to: body.addr() }
    default:
      throw new Error(`broken invariant: unknown native record ${kind}`)
  }
}

function parseReject(body: Body): FlowReject {
  const peer = body.peer()
  const direction = body.u8() === 1 ? 'outbound' : 'inbound'
  const proto = body.u8()
  const reason = REASONS[String.fromCharCode(body.u8())] ?? 'other'
  const count = body.u32()
  return { direction, peer, proto, reason, count, from: body.addr(), to: body.addr() }
}
