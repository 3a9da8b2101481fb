/**
 * From a relay node of the map to how it is dialled: port, addresses, certificate rule. Pure, except that it looks at
 * the certificate of a connected stream.
 *
 *   IPv4, IPv6      an address = dial it; "" = ask DNS; anything else ("none") = that family is off
 *   CertName        "sha256-raw:HEX" = exactly this certificate, self-signed or not; another text = that name instead
 *   plain HTTP      port DERPPort, else 3340; otherwise TLS on DERPPort, else 443
 *
 * Source: tailscale derp/derphttp/derphttp_client.go and tailcfg/derpmap.go @ de9ec7e, read 2026-08.
 */
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { toHex } from '../base/bytes.ts'
import { hashSha256 } from '../base/crypto.ts'
import { isIp4, parseIp } from '../base/ip.ts'
import type { DerpNode } from '../core/tailcfg/types.ts'
import type { DialOptions } from './ports.ts'

const PIN = 'sha256-raw:'
const PLAIN_HTTP_PORT = 3340

/** Port and options for a node, or undefined when it has no family to dial. */
export function dialOptions(node: DerpNode, plainHttp: boolean, timeoutMs: number): { port: number; options: DialOptions } | undefined {
  const four = family(node.IPv4, true)
  const six = family(node.IPv6, false)
  if (four === 'off' && six === 'off') return undefined
  const addresses = [four, six].filter((a) => a !== 'off' && a !== 'dns')
  const derpPort = node.DERPPort ?? 0
  const onlyFamily = four === 'off' ? 6 : six === 'off' ? 4 : undefined
  const isName = parseIp(node.HostName) === undefined
  return {
    port: derpPort > 0 ? derpPort : plainHttp ? PLAIN_HTTP_PORT : 443,
    options: {
      tls: !plainHttp,
      timeoutMs,
      ...(addresses.length > 0 ? { addresses } : onlyFamily !== undefined && isName ? { family: onlyFamily } : {}),
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

function verifyRule(node: DerpNode): 'roots' | 'caller' | { name: string } {
  if (node.InsecureForTests === true || node.CertName?.startsWith(PIN)) return 'caller'
  return node.CertName ? { name: node.CertName } : 'roots'
}

/** What is wrong with the certificate of a stream that was dialled with `verify: 'caller'`; undefined when nothing is. */
export function certificateFault(node: DerpNode, stream: Duplex, wallMs: number): string | undefined {
  if (node.InsecureForTests === true || !node.CertName?.startsWith(PIN)) return undefined
  const certificate = (stream as { getPeerX509Certificate?: () => X509Certificate | undefined }).getPeerX509Certificate?.()
  if (!certificate) return 'the relay showed no certificate'
  if (toHex(hashSha256(certificate.raw)) !== node.CertName.slice(PIN.length).toLowerCase()) return 'the certificate is not the pinned one'
  if (wallMs < Date.parse(certificate.validFrom) || wallMs > Date.parse(certificate.validTo)) return 'the pinned certificate is out of date'
  const isName = parseIp(node.HostName) === undefined
  if (isName && certificate.checkHost(node.HostName) === undefined) return 'the pinned certificate names another host'
  return undefined
}
