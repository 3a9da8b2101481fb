/**
 * Address expressions of filter rules as prefixes: an address, a CIDR with zero host bits, a range "a-b", or "*".
 * A range becomes the fewest prefixes that cover it exactly. A bad expression is a text: the reason.
 *
 * Source: tailscale wgengine/filter/tailcfg.go (grammar only).
 */
import { formatIp, parseIp } from '../../base/ip.ts'

export const EVERYTHING: readonly string[] = ['0.0.0.0/0', '::/0']

/** Longest expression worth reading: two IPv6 addresses and a dash. */
const MAX_TEXT = 100

/** Prefixes of one expression, or why there are none. */
export function parseAddressSet(text: string): readonly string[] | { readonly reason: string } {
  if (text === '*') return EVERYTHING
  if (text.length > MAX_TEXT) return { reason: 'an address that is too long' }
  const slash = text.indexOf('/')
  if (slash >= 0) return parseCidr(text, slash)
  const dash = text.indexOf('-')
  if (dash >= 0) return parseRange(text, dash)
  const bytes = parseIp(text)
  return bytes ? [`${formatIp(bytes)}/${bytes.length * 8}`] : { reason: `${JSON.stringify(text)} is no address` }
}

function parseCidr(text: string, slash: number): readonly string[] | { readonly reason: string } {
  const bytes = parseIp(text.slice(0, slash))
  const bitsText = text.slice(slash + 1)
  if (!bytes || !/^(0|[1-9]\d{0,2})$/.test(bitsText)) return { reason: `${JSON.stringify(text)} is no prefix` }
  const bits = Number(bitsText)
  if (bits > bytes.length * 8) return { reason: `${JSON.stringify(text)} has too many bits` }
  const value = toBig(bytes)
  const hostBits = BigInt(bytes.length * 8 - bits)
  if ((value & ((1n << hostBits) - 1n)) !== 0n) return { reason: `${JSON.stringify(text)} has host bits set` }
  return [`${formatIp(bytes)}/${bits}`]
}

function parseRange(text: string, dash: number): readonly string[] | { readonly reason: string } {
  const from = parseIp(text.slice(0, dash))
  const to = parseIp(text.slice(dash + 1))
  if (!from || !to || from.length !== to.length) return { reason: `${JSON.stringify(text)} is no range` }
  const first = toBig(from)
  const last = toBig(to)
  if (first > last) return { reason: `${JSON.stringify(text)} runs backwards` }
  return rangeToPrefixes(first, last, from.length)
}

/** The fewest prefixes that hold exactly first..last; `size` is 4 or 16 bytes; at most 2 × 8 × size of them. */
export function rangeToPrefixes(first: bigint, last: bigint, size: number): string[] {
  const out: string[] = []
  const width = size * 8
  let at = first
  while (at <= last) {
    let host = 0
    // Grow while the start stays aligned and the end stays inside.
    while (host < width && (at & (1n << BigInt(host))) === 0n && at + (1n << BigInt(host + 1)) - 1n <= last) host++
    out.push(`${formatIp(fromBig(at, size))}/${width - host}`)
    at += 1n << BigInt(host)
  }
  return out
}

function toBig(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

function fromBig(value: bigint, size: number): Uint8Array {
  const out = new Uint8Array(size)
  let rest = value
  for (let i = size - 1; i >= 0; i--) {
    out[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return out
}
