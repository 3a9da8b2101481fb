/**
 * Whom a resolver's text names, and how that one is asked. Nothing is asked here.
 *
 *   ip, ip:port                  a datagram, TCP when it was cut or is late; by the way that leads to the address
 *   a known public resolver      DNS over HTTPS at that same address, when it is reached by this computer's own network
 *   http://ip:port/…             a device's PeerAPI, through the tunnel
 *   https://name/…               DNS over HTTPS
 *   tls://…, names, ourselves    refused with a sentence
 */
import { canonicalIp, isUnspecifiedIp, isMulticastIp, parseAddrPort } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { isOurselves } from '../core/plan/dns.ts'
import type { DnsResolver } from '../core/tailcfg/types.ts'
import type { Way } from './ports.ts'

const DNS_PORT = 53

export type Asking =
  | { readonly kind: 'plain'; readonly at: AddrPort; readonly way: Exclude<Way, { kind: 'refused' }> }
  /** `plain`: what is asked the old way beside it, a little later. */
  | { readonly kind: 'https'; readonly url: string; readonly addresses: readonly string[]; readonly way: Exclude<Way, { kind: 'refused' }>; readonly plain: AddrPort | undefined }
  | { readonly kind: 'peer'; readonly url: string; readonly at: AddrPort; readonly through: string }
  | { readonly kind: 'refused'; readonly why: string }

export interface Target {
  /** As the server or the system writes it. */
  readonly addr: string
  /** It is the exit node in use. */
  readonly isExit: boolean
  readonly asking: Asking
}

export interface TargetContext {
  readonly selfAddresses: readonly string[]
  readonly wayTo: (at: AddrPort) => Way
}

/** Public resolvers that answer by HTTPS at the address at which they answer by datagram. */
const KNOWN: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'https://dns.google/dns-query': ['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'],
    'https://cloudflare-dns.com/dns-query': ['1.1.1.1', '1.0.0.1', '2606:4700:4700::1111', '2606:4700:4700::1001'],
    'https://security.cloudflare-dns.com/dns-query': ['1.1.1.2', '1.0.0.2', '2606:4700:4700::1112', '2606:4700:4700::1002'],
    'https://family.cloudflare-dns.com/dns-query': ['1.1.1.3', '1.0.0.3', '2606:4700:4700::1113', '2606:4700:4700::1003'],
    'https://dns.quad9.net/dns-query': ['9.9.9.9', '149.112.112.112', '2620:fe::fe', '2620:fe::9'],
    'https://dns10.quad9.net/dns-query': ['9.9.9.10', '149.112.112.10', '2620:fe::10', '2620:fe::fe:10'],
    'https://dns11.quad9.net/dns-query': ['9.9.9.11', '149.112.112.11', '2620:fe::11', '2620:fe::fe:11'],
    'https://dns.mullvad.net/dns-query': ['194.242.2.2', '2a07:e340::2'],
  }).flatMap(([url, addresses]) => addresses.map((ip) => [ip, url] as const)),
)

/** How a resolver of the server's list is asked. */
export function targetOf(resolver: DnsResolver, context: TargetContext, isExit = false): Target {
  const addr = resolver.Addr ?? ''
  return { addr, isExit, asking: askingOf(addr, resolver.BootstrapResolution ?? [], context) }
}

/** How one of the system's own is asked: by its own network, whatever routes there are. */
export function systemTargetOf(addr: string, { selfAddresses }: TargetContext): Target {
  const at = placeOf(addr)
  if (!at) return { addr, isExit: false, asking: { kind: 'refused', why: 'this is no address' } }
  const fault = faultOf(at, selfAddresses)
  return { addr, isExit: false, asking: fault === undefined ? { kind: 'plain', at, way: { kind: 'system' } } : { kind: 'refused', why: fault } }
}

function askingOf(addr: string, bootstrap: readonly string[], context: TargetContext): Asking {
  const at = placeOf(addr)
  if (at) {
    const way = usable(at, context)
    if (way.kind === 'refused') return way
    const url = at.port === DNS_PORT && way.kind === 'system' ? KNOWN.get(at.ip) : undefined
    return url === undefined ? { kind: 'plain', at, way } : { kind: 'https', url, addresses: [at.ip], way, plain: at }
  }
  if (addr.startsWith('tls://')) return { kind: 'refused', why: 'DNS over TLS is not supported; use https:// or an address' }
  const url = URL.canParse(addr) ? new URL(addr) : undefined
  if (url?.protocol === 'http:') return peerAsking(addr, url, context)
  if (url?.protocol === 'https:') return httpsAsking(addr, url, bootstrap, context)
  return { kind: 'refused', why: 'a resolver is an address, or a URL with https:// or http://' }
}

function peerAsking(addr: string, url: URL, context: TargetContext): Asking {
  const at = hostOf(url, 80)
  if (!at) return { kind: 'refused', why: 'http:// is for addresses of devices in this network alone' }
  const way = usable(at, context)
  if (way.kind === 'refused') return way
  if (way.kind === 'system') return { kind: 'refused', why: 'http:// is for addresses of devices in this network alone: anybody on the way could read and change it' }
  return { kind: 'peer', url: addr, at, through: way.through }
}

function httpsAsking(addr: string, url: URL, bootstrap: readonly string[], context: TargetContext): Asking {
  const named = hostOf(url, 443)
  const port = url.port === '' ? 443 : Number(url.port)
  const known = named ? [named.ip] : [...bootstrap.flatMap((ip) => canonicalIp(ip) ?? []), ...[...KNOWN].filter(([, one]) => new URL(one).hostname === url.hostname).map(([ip]) => ip)]
  // A name without addresses is the system's to resolve; where that may not be, the dial refuses.
  if (known.length === 0) return { kind: 'https', url: addr, addresses: [], way: { kind: 'system' }, plain: undefined }
  const ways = known.map((ip) => ({ ip, way: usable({ ip, port }, context) }))
  const first = ways.find(({ way }) => way.kind !== 'refused')
  if (!first || first.way.kind === 'refused') return ways[0]!.way as Extract<Way, { kind: 'refused' }>
  return { kind: 'https', url: addr, addresses: ways.filter(({ way }) => way.kind === first.way.kind).map(({ ip }) => ip), way: first.way, plain: undefined }
}

function usable(at: AddrPort, { selfAddresses, wayTo }: TargetContext): Way {
  const fault = faultOf(at, selfAddresses)
  return fault === undefined ? wayTo(at) : { kind: 'refused', why: fault }
}

function faultOf({ ip, port }: AddrPort, selfAddresses: readonly string[]): string | undefined {
  if (isOurselves(ip, selfAddresses)) return 'that is this device itself: asking it would go round in circles'
  if (port === 0 || isUnspecifiedIp(ip) || isMulticastIp(ip)) return 'nobody can be asked at this address'
  return undefined
}

export function placeOf(addr: string): AddrPort | undefined {
  const ip = canonicalIp(addr)
  return ip === undefined ? parseAddrPort(addr) : { ip, port: DNS_PORT }
}

function hostOf(url: URL, port: number): AddrPort | undefined {
  const ip = canonicalIp(url.hostname.replace(/^\[|\]$/g, ''))
  return ip === undefined ? undefined : { ip, port: url.port === '' ? port : Number(url.port) }
}
