/**
 * What a relay's certificates say: whether the pinned one was shown, and the relay's own key, which spares a round trip.
 *
 *   chain = server certificate | … | meta certificate (subject CN = "derpkey" + 64 hex digits, serial = protocol version)
 *
 * The meta certificate is read with TLS 1.3 alone: before that it would not be encrypted. Whoever stands in between and
 * opens TLS cannot show it together with a chain of its own that is good, so where it is seen the upgrade needs no answer.
 * Source: tailscale derp/derphttp/derphttp_client.go (parseMetaCert), net/tlsdial/tlsdial.go @ de9ec7e, read 2026-08.
 */
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { fromHex, toHex } from '../base/bytes.ts'
import { hashSha256 } from '../base/crypto.ts'
import { parseIp } from '../base/ip.ts'
import type { DerpNode } from '../core/tailcfg/types.ts'
import { pinOf } from './relay-address.ts'

const MAX_CHAIN = 10
const META_NAME = /^CN=derpkey([0-9a-f]{64})$/
/** A protocol version is one byte, not 0. */
const META_SERIAL = /^0*[1-9a-f][0-9a-f]?$/i

interface TlsFace {
  getProtocol?(): string | null
  getPeerX509Certificate?(): X509Certificate | undefined
}

/** What is wrong with the certificate of a stream that was dialled with `verify: 'caller'`; undefined when nothing is. */
export function certificateFault(node: DerpNode, stream: Duplex, wallMs: number): string | undefined {
  const pin = pinOf(node)
  if (node.InsecureForTests === true || pin === undefined) return undefined
  const [certificate, ...others] = chainOf(stream).filter((one) => !META_NAME.test(one.subject))
  if (!certificate) return 'the relay showed no certificate'
  if (toHex(hashSha256(certificate.raw)) !== pin) return 'the certificate is not the pinned one'
  if (others.length > 0) return 'the relay showed more than the pinned certificate'
  if (wallMs < Date.parse(certificate.validFrom) || wallMs > Date.parse(certificate.validTo)) return 'the pinned certificate is out of date'
  const isName = parseIp(node.HostName) === undefined
  if (isName && certificate.checkHost(node.HostName) === undefined) return 'the pinned certificate names another host'
  return undefined
}

/** The relay's 32 B key, when its certificates tell it. */
export function relayKeyOf(stream: Duplex): Uint8Array | undefined {
  if ((stream as TlsFace).getProtocol?.() !== 'TLSv1.3') return undefined
  for (const { subject, serialNumber } of chainOf(stream).slice(1)) {
    const name = META_NAME.exec(subject)
    if (name && META_SERIAL.test(serialNumber)) return fromHex(name[1]!)
  }
  return undefined
}

/** Node gives a chain away once: it is empty from then on. */
const chains = new WeakMap<Duplex, X509Certificate[]>()

/** As it was shown, the server's own first; empty without TLS. */
function chainOf(stream: Duplex): readonly X509Certificate[] {
  const known = chains.get(stream)
  if (known) return known
  const chain: X509Certificate[] = []
  chains.set(stream, chain)
  for (let at = (stream as TlsFace).getPeerX509Certificate?.(); at && chain.length < MAX_CHAIN; at = at.issuerCertificate) chain.push(at)
  return chain
}
