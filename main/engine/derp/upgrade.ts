/**
 * The HTTP exchange in front of a relay connection: GET /derp with an upgrade, answered by 101. Pure.
 *
 * With the fast start there is no answer: who knows the relay's key already goes on at once. The reply's Derp-Public-Key is not read: its form differs between servers and the ServerKey frame says it again.
 * Source: tailscale derp/derphttp/derphttp_client.go @ de9ec7e, read 2026-08.
 */
import { ascii } from '../base/bytes.ts'
import type { DecodeError } from '../base/errors.ts'
import { decodeError } from '../base/errors.ts'

const MAX_REPLY_BYTES = 16_384

/** The request's bytes; `idealNode` is the name of the region's first node when another one is dialled. */
export function upgradeRequest(host: string, idealNode: string | undefined, fastStart: boolean): Uint8Array {
  const ideal = idealNode === undefined || !/^[\x21-\x7e]{1,128}$/.test(idealNode) ? '' : `Ideal-Node: ${idealNode}\r\n`
  return ascii(`GET /derp HTTP/1.1\r\nHost: ${hostHeader(host)}\r\nUser-Agent: bowline\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n${ideal}${fastStart ? 'Derp-Fast-Start: 1\r\n' : ''}\r\n`)
}

/** A host as the Host header writes it; what could not be a host is left out. */
export function hostHeader(host: string): string {
  const clean = host.replace(/[^\x21-\x7e]/g, '')
  return clean.includes(':') && !clean.startsWith('[') ? `[${clean}]` : clean
}

export type UpgradeReply =
  | { readonly kind: 'more' }
  | { readonly kind: 'upgraded'; readonly rest: Uint8Array }
  | { readonly kind: 'refused'; readonly status: number }

/** Reads the reply from all bytes so far; `rest` borrows what follows it. Reasons: long, bad-value. */
export function readUpgradeReply(bytes: Uint8Array): UpgradeReply | DecodeError {
  const end = endOfHead(bytes)
  if (end < 0) return bytes.length > MAX_REPLY_BYTES ? decodeError('long', 'http reply') : { kind: 'more' }
  const status = /^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(String.fromCharCode(...bytes.subarray(0, 16)))
  if (!status) return decodeError('bad-value', 'http reply')
  if (status[1] !== '101') return { kind: 'refused', status: Number(status[1]) }
  return { kind: 'upgraded', rest: bytes.subarray(end) }
}

function endOfHead(b: Uint8Array): number {
  const limit = Math.min(b.length, MAX_REPLY_BYTES)
  for (let i = 3; i < limit; i++) if (b[i] === 10 && b[i - 1] === 13 && b[i - 2] === 10 && b[i - 3] === 13) return i + 1
  return -1
}
