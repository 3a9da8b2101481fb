/**
 * IP addresses, prefixes and address-port pairs as text in canonical form, with their bytes beside them.
 *
 *   address   "100.64.0.1", "fd7a:115c:a1e0::1" (RFC 5952: lower case, longest zero run shortened)
 *   prefix    "100.64.0.0/10"
 *   addrPort  "1.2.3.4:5", "[fd7a::1]:5"
 *
 * Zones ("%eth0") are refused: a zone has no meaning on another machine. IPv4-mapped IPv6 stays IPv6 unless unmapped.
 */

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

function parseIp4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const out = new Uint8Array(4)
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined
    const value = Number(part)
    if (value > 255) return undefined
    out[i] = value
  }
  return out
}

function parseIp6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined
  let tail: Uint8Array | undefined
  let body = text
  const lastColon = text.lastIndexOf(':')
  if (text.includes('.')) {
    tail = parseIp4(text.slice(lastColon + 1))
    if (!tail) return undefined
    body = text.slice(0, lastColon) + ':0:0'
  }
  const halves = body.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string): number[] | undefined => {
    if (half === '') return []
    const out: number[] = []
    for (const group of half.split(':')) {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
      out.push(Number.parseInt(group, 16))
    }
    return out
  }
  const head = groups(halves[0]!)
  const rest = halves.length === 2 ? groups(halves[1]!) : []
  if (!head || !rest) return undefined
  const missing = 8 - head.length - rest.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...Array.from({ length: Math.max(0, missing) }, () => 0), ...rest]
  const out = new Uint8Array(16)
  all.forEach((group, i) => {
    out[2 * i] = group >> 8
    out[2 * i + 1] = group & 255
  })
  if (tail) out.set(tail, 12)
  return out
}

/** Canonical text of 4 or 16 address bytes. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!)
  let start = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let j = i
    while (j < 8 && groups[j] === 0) j++
    if (j - i > length) {
      start = i
      length = j - i
    }
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':')
  if (start < 0) return hex(groups)
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
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
  const bitsText = text.slice(slash + 1)
  if (!/^(0|[1-9]\d{0,2})$/.test(bitsText) || Number(bitsText) > max) return undefined
  return { ip: formatIp(bytes), bits: Number(bitsText) }
}

/** Whether the address lies inside the prefix; families never mix. */
export function prefixContains(prefix: Prefix, ip: string): boolean {
  const net = parseIp(prefix.ip)
  const host = parseIp(ip)
  if (!net || !host || net.length !== host.length) return false
  const whole = prefix.bits >> 3
  for (let i = 0; i < whole; i++) if (net[i] !== host[i]) return false
  const rest = prefix.bits & 7
  return rest === 0 || ((net[whole]! ^ host[whole]!) & (0xff << (8 - rest)) & 0xff) === 0
}

const within = (texts: readonly string[]): ((ip: string) => boolean) => {
  const prefixes = texts.map((text) => parsePrefix(text)!)
  return (ip) => prefixes.some((prefix) => prefixContains(prefix, ip))
}

/** 100.64.0.0/10 without ChromeOS's VM range, and fd7a:115c:a1e0::/48. */
export const isTailscaleIp = (ip: string): boolean => inTailscale(ip) && !inChromeOs(ip)
const inTailscale = within(['100.64.0.0/10', 'fd7a:115c:a1e0::/48'])
const inChromeOs = within(['100.115.92.0/23'])
export const isLoopbackIp = within(['127.0.0.0/8', '::1/128'])
export const isPrivateIp = within(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'])
export const isLinkLocalIp = within(['169.254.0.0/16', 'fe80::/10'])
export const isMulticastIp = within(['224.0.0.0/4', 'ff00::/8'])
export const isUnspecifiedIp = within(['0.0.0.0/32', '::/128'])
