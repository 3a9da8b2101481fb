/**
 * Tables of the Linux kernel as text (/proc/net), and the file in which CUPS keeps printers: pure readers. A line that makes no sense is
 * left out; how many lines are read is bounded.
 *
 *   tcp, tcp6     "sl local:port remote:port state … uid timeout inode": addresses in words of four bytes, each turned round
 *   arp           "IP type flags HWaddress mask device": 0x2 in flags = the address answered
 *   route         "Iface Destination Gateway Flags … Mask": as in tcp; ipv6_route has plain hex
 *
 * Source: proc(5), Documentation/networking of the kernel; cups printers.conf(5).
 */
import { canonicalIp, formatIp, isIp4, isLinkLocalIp, isLoopbackIp, isMulticastIp, networkOf, unmap } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import type { Neighbour, Printer, SystemNet } from '../core/preview/facts.ts'

const MAX_LINES = 20_000
const MAX_PRINTERS = 100
export const TCP_ESTABLISHED = '01'
export const TCP_LISTEN = '0A'
const ANSWERED = 0x2
const ROUTE_UP = 0x1

export interface TcpRow {
  readonly local: AddrPort
  readonly remote: AddrPort
  readonly state: string
  readonly inode: string
}

/** Sockets of /proc/net/tcp or tcp6. */
export function tcpRows(text: string): TcpRow[] {
  return linesOf(text).flatMap((fields) => {
    const [, local, remote, state, , , , , , inode] = fields
    const [from, to] = [placeOf(local), placeOf(remote)]
    return from && to && state !== undefined && inode !== undefined ? [{ local: from, remote: to, state, inode }] : []
  })
}

/** Machines of /proc/net/arp that answered. */
export function arpRows(text: string): Neighbour[] {
  return linesOf(text).flatMap(([address = '', , flags = '', , , name = '']) => {
    const ip = canonicalIp(address)
    return ip !== undefined && name !== '' && (Number(flags) & ANSWERED) !== 0 ? [{ ip, interface: name }] : []
  })
}

/** Networks of /proc/net/route, without default routes. */
export function routeRows(text: string): SystemNet[] {
  return linesOf(text).flatMap(([name = '', destination = '', , flags = '', , , , mask = '']) => {
    const [ip, bits] = [addressOf(destination), maskBits(mask)]
    const isFine = ip !== undefined && bits !== undefined && bits > 0 && (Number.parseInt(flags, 16) & ROUTE_UP) !== 0
    return isFine ? netOf(ip, bits, name) : []
  })
}

/** Networks of /proc/net/ipv6_route that reach beyond the machine and the link, without default routes. */
export function route6Rows(text: string): SystemNet[] {
  return text.split('\n', MAX_LINES).flatMap((line) => {
    const [destination = '', size = '', , , , , , , , name = ''] = line.trim().split(/\s+/)
    const bits = Number.parseInt(size, 16)
    if (!/^[0-9a-f]{32}$/i.test(destination) || !(bits > 0 && bits < 128) || name === 'lo') return []
    return netOf(formatIp(Uint8Array.from(Buffer.from(destination, 'hex'))), bits, name)
  })
}

function netOf(ip: string, bits: number, name: string): SystemNet[] {
  const prefix = networkOf(ip, bits)
  return prefix === undefined || name === '' || isLoopbackIp(ip) || isLinkLocalIp(ip) || isMulticastIp(ip) ? [] : [{ prefix, interface: name }]
}

/** Printers of CUPS' printers.conf that are reached over the network. */
export function printersOf(text: string): Printer[] {
  const found: Printer[] = []
  let name: string | undefined
  let info = ''
  let host: string | undefined
  for (const line of text.split('\n', MAX_LINES)) {
    const begin = /^<(?:Default)?Printer\s+([^>]{1,200})>/i.exec(line)
    if (begin) [name, info, host] = [begin[1]!.trim(), '', undefined]
    const [, key = '', value = ''] = /^\s*(Info|DeviceURI)\s+(.{1,1000})$/i.exec(line) ?? []
    if (key.toLowerCase() === 'info') info = value.trim()
    if (key.toLowerCase() === 'deviceuri') host = printerHost(value.trim())
    if (!/^<\/(?:Default)?Printer>/i.test(line)) continue
    if (name !== undefined && host !== undefined && found.length < MAX_PRINTERS) found.push({ name: info === '' ? name : info, host })
    name = undefined
  }
  return found
}

/** Where a printer's URI leads; "" = it is asked for on the local network; undefined: it is attached here. */
function printerHost(uri: string): string | undefined {
  if (/^(dnssd|mdns):/i.test(uri)) return ''
  const [, host] = /^(?:socket|ipps?|https?|lpd|smb|jetdirect):\/\/(?:[^@/]*@)?(\[[0-9a-f:.%]+\]|[^:/?]+)/i.exec(uri) ?? []
  if (host === undefined || /^(localhost|127\.|\[::1\])/i.test(host)) return undefined
  const plain = host.replace(/^\[|\]$/g, '')
  return canonicalIp(plain) ?? plain.toLowerCase().slice(0, 253)
}

function linesOf(text: string): string[][] {
  return text.split('\n', MAX_LINES).slice(1).map((line) => line.trim().split(/\s+/)).filter((fields) => fields.length > 3)
}

function placeOf(text = ''): AddrPort | undefined {
  const [address = '', port = ''] = text.split(':')
  const ip = addressOf(address)
  return ip !== undefined && /^[0-9A-F]{4}$/i.test(port) ? { ip, port: Number.parseInt(port, 16) } : undefined
}

/** Words of four bytes, each turned round; IPv4 inside IPv6 becomes IPv4. */
function addressOf(hex: string): string | undefined {
  if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined
  const bytes = Buffer.from(hex, 'hex')
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  return formatIp(unmap(Uint8Array.from(bytes)))
}

function maskBits(hex: string): number | undefined {
  const text = addressOf(hex)
  if (text === undefined || !isIp4(text)) return undefined
  const bits = text.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('')
  return /^1*0*$/.test(bits) ? bits.indexOf('0') === -1 ? 32 : bits.indexOf('0') : undefined
}
