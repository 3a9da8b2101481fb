/**
 * IP addresses, prefixes and address-port pairs as text in canonical form, with their bytes beside them.
 *
 *   address   "100.64.0.1", "fd7a:115c:a1e0::1" (RFC 5952: lower case, longest zero run shortened)
 *   prefix    "100.64.0.0/10"
 *   addrPort  "1.2.3.4:5", "[fd7a::1]:5"
 *
 * Zones ("%eth0") are refused: a zone has no meaning on another machine. IPv4-mapped IPv6 stays IPv6 unless unmapped.
 */
import { hexDigit } from './bytes.ts'

export interface AddrPort {
  /** Canonical address text without brackets. */
  readonly ip: string
  /** 0–65535. */
  readonly port: number
}

export interface Prefix {
  /** Canonical address text; host bits are kept as given. */
  readonly ip: string
  readonly bits: number
}

/** 4 or 16 bytes of an address text, or undefined when it is none. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIp6(text) : parseIp4(text)
}

const ZERO = 48
const DOT = 46
const COLON = 58

function parseIp4(text: string): Uint8Array | undefined {
  const out = new Uint8Array(4)
  return readIp4(text, 0, out, 0) ? out : undefined
}

/** Reads dotted decimal from `from` to the end of the text into four bytes at `at`. */
function readIp4(text: string, from: number, out: Uint8Array, at: number): boolean {
  let i = from
  for (let part = 0; part < 4; part++) {
    const start = i
    let value = 0
    for (; i < text.length; i++) {
      const digit = text.charCodeAt(i) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      if (i - start > 2) return false
    }
    const digits = i - start
    if (digits === 0 || value > 255 || (digits > 1 && text.charCodeAt(start) === ZERO)) return false
    out[at + part] = value
    if (part < 3 && text.charCodeAt(i++) !== DOT) return false
  }
  return i === text.length
}

/** Groups of hex digits, at most one "::" that stands for at least one group, the last two perhaps dotted. */
function parseIp6(text: string): Uint8Array | undefined {
  const { length } = text
  if (length > 45) return undefined
  const out = new Uint8Array(16)
  let at = 0
  let gap = -1
  let i = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return undefined
    gap = 0
    i = 2
  }
  while (i < length) {
    const start = i
    let value = 0
    for (let digit; i < length && (digit = hexDigit(text.charCodeAt(i))) >= 0; i++) value = value * 16 + digit
    if (text.charCodeAt(i) === DOT) {
      if (at > 12 || !readIp4(text, start, out, at)) return undefined
      at += 4
      break
    }
    if (i === start || i - start > 4 || at > 14) return undefined
    out[at++] = value >> 8
    out[at++] = value & 255
    if (i === length) break
    if (text.charCodeAt(i++) !== COLON || i === length) return undefined
    if (text.charCodeAt(i) !== COLON) continue
    if (gap >= 0) return undefined
    gap = at
    i++
  }
  if (gap < 0) return at === 16 ? out : undefined
  if (at > 14) return undefined
  out.copyWithin(16 - (at - gap), gap, at)
  return out.fill(0, gap, 16 - (at - gap))
}

/** Canonical text of 4 or 16 address bytes. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  let start = -1
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let j = i
    while (j < 8 && bytes[2 * j] === 0 && bytes[2 * j + 1] === 0) j++
    if (j - i > longest) {
      start = i
      longest = j - i
    }
    if (j > i) i = j
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += '::'
      i += longest - 1
      continue
    }
    if (i > 0 && i !== start + longest) text += ':'
    text += ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)
  }
  return text
}

/** The same address in canonical text, or undefined when it is none. */
export function canonicalIp(text: string): string | undefined {
  const bytes = parseIp(text)
  return bytes && formatIp(bytes)
}

export function isIp4(ip: string): boolean {
  return !ip.includes(':')
}

/** IPv4 bytes behind ::ffff:0:0/96, or the bytes as they are. */
export function unmap(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 255 || bytes[11] !== 255) return bytes
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes
  return bytes.subarray(12)
}

/** The 16-byte form: IPv4 becomes ::ffff:a.b.c.d. */
export function mapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes
  const out = new Uint8Array(16)
  out[10] = out[11] = 255
  out.set(bytes, 12)
  return out
}

/** Address and port of "ip:port" or "[ip]:port" text, or undefined. */
export function parseAddrPort(text: string): AddrPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text)
  if (!match) return undefined
  const bytes = match[1] === undefined ? parseIp4(match[2]!) : parseIp6(match[1])
  const port = Number(match[3])
  return bytes && port <= 65535 ? { ip: formatIp(bytes), port } : undefined
}

export function formatAddrPort(ap: AddrPort): string {
  return isIp4(ap.ip) ? `${ap.ip}:${ap.port}` : `[${ap.ip}]:${ap.port}`
}

/** "ip/bits", or a bare address as a host prefix; undefined when it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!bytes) return undefined
  const max = bytes.length * 8
  if (slash < 0) return { ip: formatIp(bytes), bits: max }
  const bits = readBits(text, slash + 1, max)
  return bits === undefined ? undefined : { ip: formatIp(bytes), bits }
}

/** The bits of a prefix text from `from` to its end: decimal without leading zero, at most `max`; undefined when they are none. */
export function readBits(text: string, from: number, max: number): number | undefined {
  const { length } = text
  if (length === from || length > from + 3 || (text[from] === '0' && length > from + 1)) return undefined
  let bits = 0
  for (let i = from; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return undefined
    bits = bits * 10 + digit
  }
  return bits <= max ? bits : undefined
}

/** The network of an address as "ip/bits" with host bits zero; undefined when that is none. */
export function networkOf(ip: string, bits: number): string | undefined {
  const bytes = parseIp(ip)
  if (!bytes || !Number.isInteger(bits) || bits < 0 || bits > bytes.length * 8) return undefined
  const net = bytes.map((byte, i) => byte & (0xff << (8 - Math.min(8, Math.max(0, bits - i * 8)))) & 0xff)
  return `${formatIp(net)}/${bits}`
}

/** The network's own addresses of every device, IPv4 and IPv6: its resolver answers there, and no peer has them. */
export const SERVICE_IPS: readonly string[] = ['100.100.100.100', 'fd7a:115c:a1e0::53']

/** The prefix of an address alone. */
export function hostPrefix(ip: string): string {
  return isIp4(ip) ? `${ip}/32` : `${ip}/128`
}

/** All of IPv4 and all of IPv6: the way to the internet. */
export const DEFAULT_ROUTES: readonly string[] = ['0.0.0.0/0', '::/0']

/** Whether a list of canonical prefixes has both default routes, as that of an exit node does. */
export function hasDefaultRoutes(prefixes: readonly string[] | null | undefined): boolean {
  return DEFAULT_ROUTES.every((route) => prefixes?.includes(route) === true)
}

/** Whether the address lies inside the prefix; families never mix. */
export function prefixContains(prefix: Prefix, ip: string): boolean {
  const net = parseIp(prefix.ip)
  const host = parseIp(ip)
  return net !== undefined && host !== undefined && bytesInside(net, prefix.bits, host)
}

function bytesInside(net: Uint8Array, bits: number, host: Uint8Array): boolean {
  if (net.length !== host.length) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (net[i] !== host[i]) return false
  const rest = bits & 7
  return rest === 0 || ((net[whole]! ^ host[whole]!) & (0xff << (8 - rest)) & 0xff) === 0
}

const withinBytes = (texts: readonly string[]): ((host: Uint8Array) => boolean) => {
  const nets = texts.map((text) => parsePrefix(text)!).map(({ ip, bits }) => ({ bytes: parseIp(ip)!, bits }))
  return (host) => nets.some((net) => bytesInside(net.bytes, net.bits, host))
}

const within = (texts: readonly string[]): ((ip: string) => boolean) => {
  const inside = withinBytes(texts)
  return (ip) => {
    const host = parseIp(ip)
    return host !== undefined && inside(host)
  }
}

/** What devices of a network have their addresses of, IPv4 and IPv6. */
export const TAILSCALE_RANGES: readonly string[] = ['100.64.0.0/10', 'fd7a:115c:a1e0::/48']

/** In TAILSCALE_RANGES, without ChromeOS's VM range. */
export const isTailscaleBytes = (bytes: Uint8Array): boolean => inTailscale(bytes) && !inChromeOs(bytes)
const inTailscale = withinBytes(TAILSCALE_RANGES)
const inChromeOs = withinBytes(['100.115.92.0/23'])
export const isTailscaleIp = (ip: string): boolean => {
  const bytes = parseIp(ip)
  return bytes !== undefined && isTailscaleBytes(bytes)
}
export const isLoopbackIp = within(['127.0.0.0/8', '::1/128'])
export const isPrivateIp = within(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'])
export const isLinkLocalIp = within(['169.254.0.0/16', 'fe80::/10'])
export const isMulticastIp = within(['224.0.0.0/4', 'ff00::/8'])
export const isUnspecifiedIp = within(['0.0.0.0/32', '::/128'])
