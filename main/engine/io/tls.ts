/**
 * TLS over a connected socket. A certificate that is refused becomes an error that names who issued it and what to do.
 *
 * Node is told to accept every certificate and its verdict is judged here, because a connection that Node refuses by itself
 * no longer shows what the server sent. Nothing is written to the socket before that.
 */
import { isIP, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { EngineError } from '../base/errors.ts'
import { certificateFault, vouchedBy, type SeenCertificate } from '../core/trust/certificate-fault.ts'
import { SystemRoots, type Roots } from './roots.ts'

const MAX_CHAIN = 10
/** The roots of a caller that has no others. */
const systemRoots = new SystemRoots()

export interface TlsOptions {
  /** Name or address to verify; a name is sent as SNI. */
  readonly servername: string
  readonly rejectUnauthorized: boolean
  /** Name that the certificate must carry in place of `servername`. */
  readonly verifyName?: string
  /** Roots in PEM, in place of the machine's. */
  readonly ca?: readonly string[]
  /** Protocols that are offered, the best first. */
  readonly alpn?: readonly string[]
  /** Judges the peer's certificate in addition; its text refuses the connection. */
  readonly checkCert?: (certificate: tls.PeerCertificate) => string | undefined
}

/** Starts TLS on the socket, which it owns from here on. Rejects with CertificateError, Node's own error, or EngineError('io') of checkCert. */
export function startTls(socket: Socket, options: TlsOptions, roots: Roots = systemRoots): Promise<tls.TLSSocket> {
  const { servername, verifyName = servername, ca } = options
  return new Promise((resolve, reject) => {
    const secure = tls.connect({
      socket,
      host: servername,
      ...(isIP(servername) === 0 ? { servername } : {}),
      ...(options.alpn ? { ALPNProtocols: [...options.alpn] } : {}),
      rejectUnauthorized: false,
      checkServerIdentity: (_host: string, certificate: tls.PeerCertificate) => tls.checkServerIdentity(verifyName, certificate),
      secureContext: ca ? tls.createSecureContext({ ca: [...ca], minVersion: 'TLSv1.2' }) : roots.context(),
    })
    const fail = (error: Error): void => {
      secure.destroy()
      reject(error)
    }
    const onClose = (): void => fail(new EngineError('io', 'the connection was closed during the TLS handshake'))
    secure.once('error', fail)
    secure.once('close', onClose)
    secure.once('secureConnect', () => {
      secure.off('close', onClose)
      secure.off('error', fail)
      const refusal = judge(secure, verifyName, options, roots)
      if (refusal === undefined) return resolve(secure)
      // Whoever was refused may still send rubbish.
      secure.on('error', () => {})
      fail(refusal)
    })
  })
}

/** Why the connection is refused; undefined when it is not. */
function judge(secure: tls.TLSSocket, host: string, options: TlsOptions, roots: Roots): Error | undefined {
  if (options.rejectUnauthorized) {
    const shown = shownBy(secure)
    const chain = shown.map(seenCertificate)
    if (!secure.authorized) {
      const verdict = verdictOf(secure.authorizationError)
      roots.noteRefused(host, shown.map((each) => each.raw))
      return certificateFault({
        host, verdict, chain, wallMs: Date.now(), vouchedBefore: roots.vouchedBefore(host), knownOrganisations: roots.organisations(),
      })
    }
    roots.noteVouched(host, vouchedBy(chain))
  }
  const refusal = options.checkCert?.(secure.getPeerCertificate(true))
  return refusal === undefined ? undefined : new EngineError('io', refusal)
}

/** Node gives the verdict as a text or as an error, depending on its version and on what is wrong. */
function verdictOf(error: unknown): string {
  if (typeof error === 'string') return error
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return typeof code === 'string' ? code : typeof message === 'string' ? message : 'it was not verified'
}

/** What the server showed, its own certificate first. */
function shownBy(secure: tls.TLSSocket): tls.DetailedPeerCertificate[] {
  const shown: tls.DetailedPeerCertificate[] = []
  const seen = new Set<string>()
  for (let at: tls.DetailedPeerCertificate | undefined = secure.getPeerCertificate(true); at?.fingerprint256 !== undefined && shown.length < MAX_CHAIN; at = at.issuerCertificate) {
    if (seen.has(at.fingerprint256)) break
    seen.add(at.fingerprint256)
    shown.push(at)
  }
  return shown
}

function seenCertificate(certificate: tls.PeerCertificate): SeenCertificate {
  const { subject, issuer, subjectaltname = '' } = certificate
  return {
    subject: nameOf(subject),
    issuer: nameOf(issuer),
    issuerOrganisation: first(issuer?.O),
    names: [...subjectaltname.matchAll(/(?:DNS|IP Address):([^,]+)/g)].map((match) => match[1]!.trim()),
    validFromMs: Date.parse(certificate.valid_from),
    validToMs: Date.parse(certificate.valid_to),
  }
}

function nameOf(name: tls.Certificate | undefined): string {
  return first(name?.CN) || first(name?.O) || first(name?.OU)
}

/** A field that stands several times is an array, whatever its type says. */
function first(field: unknown): string {
  const text: unknown = Array.isArray(field) ? field[0] : field
  return typeof text === 'string' ? text : ''
}
