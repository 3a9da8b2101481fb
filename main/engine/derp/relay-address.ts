/**
 * From a relay node of the map to how it is dialled: port, addresses, certificate rule. Pure.
 *
 *   IPv4, IPv6      an address = dial it; "" = ask DNS; anything else ("none") = that family is off
 *   CertName        "sha256-raw:HEX" = exactly this certificate, self-signed or not; another text = that name instead
 *   plain HTTP      port DERPPort, else 3340; otherwise TLS on DERPPort, else 443
 *
 * Source: tailscale derp/derphttp/derphttp_client.go and tailcfg/derpmap.go @ de9ec7e, read 2026-08.
 */
import { isIp4, parseIp } from '../base/ip.ts'
import type { DerpNode } from '../core/tailcfg/types.ts'
import type { DialOptions } from './ports.ts'

const PIN = 'sha256-raw:'
const PLAIN_HTTP_PORT = 3340

export interface DialLimits {
  /** For everything up to TLS. */
  readonly timeoutMs: number
  /** For TCP alone, where another relay can be tried instead. */
  readonly connectTimeoutMs?: number | undefined
  /** IPv6 was seen to work: it is tried first. */
  readonly preferIpv6?: boolean
}

/** Port and options for a node, or undefined when it has no family to dial. */
export function dialOptions(node: DerpNode, plainHttp: boolean, { timeoutMs, connectTimeoutMs, preferIpv6 = false }: DialLimits): { port: number; options: DialOptions } | undefined {
  const four = family(node.IPv4, true)
  const six = family(node.IPv6, false)
  if (four === 'off' && six === 'off') return undefined
  const addresses = (preferIpv6 ? [six, four] : [four, six]).filter((a) => a !== 'off' && a !== 'dns')
  const derpPort = node.DERPPort ?? 0
  const isName = parseIp(node.HostName) === undefined
  // One family is left, or one has an address and the other is for DNS to tell.
  const asked = four === 'dns' && six !== 'dns' ? 4 : six === 'dns' && four !== 'dns' ? 6 : undefined
  return {
    port: derpPort > 0 ? derpPort : plainHttp ? PLAIN_HTTP_PORT : 443,
    options: {
      tls: !plainHttp,
      timeoutMs,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(addresses.length > 0 ? { addresses } : {}),
      ...(asked !== undefined && isName ? { family: asked } : {}),
      ...(isName ? { servername: node.HostName } : {}),
      ...(plainHttp ? {} : { verify: verifyRule(node) }),
    },
  }
}

function family(field: string | undefined, wantFour: boolean): string {
  if (field === undefined || field === '') return 'dns'
  const bytes = parseIp(field)
  return bytes !== undefined && isIp4(field) === wantFour ? field : 'off'
}

/** SHA-256 of the one certificate that the node may show, in hex digits; undefined when it is vouched for by others. */
export function pinOf({ CertName = '' }: DerpNode): string | undefined {
  return CertName.startsWith(PIN) ? CertName.slice(PIN.length).toLowerCase() : undefined
}

function verifyRule(node: DerpNode): 'roots' | 'caller' | { name: string } {
  if (node.InsecureForTests === true || pinOf(node) !== undefined) return 'caller'
  return node.CertName ? { name: node.CertName } : 'roots'
}
