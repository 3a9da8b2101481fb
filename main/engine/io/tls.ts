/**
 * TLS over a connected socket, and the roots that we trust: Node's own, the system's, and extra ones of an administrator.
 *
 * Node bundles Mozilla's roots and ignores the system's store, where a private authority of a company or a home lab is
 * installed; Go programs and browsers honour it, so must we. Node 22.15 can read the store by itself; before that the
 * usual bundle files of Linux are read.
 */
import { readFileSync } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { EngineError } from '../base/errors.ts'

/** One PEM file with all roots: Debian, Fedora, SUSE, Alpine. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

export interface TlsOptions {
  /** Name or address to verify; a name is sent as SNI. */
  readonly servername: string
  readonly rejectUnauthorized: boolean
  /** Name that the certificate must carry in place of `servername`. */
  readonly verifyName?: string
  /** Roots in PEM; without them `trustedRoots()`. */
  readonly ca?: readonly string[]
  /** Judges the peer's certificate in addition; its text refuses the connection. */
  readonly checkCert?: (certificate: tls.PeerCertificate) => string | undefined
}

let roots: readonly string[] | undefined

/** All roots that this machine trusts, in PEM; read once. */
export function trustedRoots(extra: readonly string[] = []): readonly string[] {
  roots ??= [...new Set([...tls.rootCertificates, ...systemRoots()])]
  return extra.length === 0 ? roots : [...roots, ...extra]
}

function systemRoots(): readonly string[] {
  const read = (tls as { getCACertificates?: (type: 'system' | 'extra') => string[] }).getCACertificates
  if (read) return [...attempt(() => read('system')), ...attempt(() => read('extra'))]
  const files = process.platform === 'linux' ? [process.env['SSL_CERT_FILE'] ?? '', ...BUNDLES] : []
  for (const file of files) {
    const text = file === '' ? '' : attempt(() => [readFileSync(file, 'utf8')])[0]
    const found = text?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
    if (found) return found
  }
  return []
}

function attempt(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}

let context: tls.SecureContext | undefined

/** Parsing some 140 roots takes tens of milliseconds, so the common context is made once. */
function commonContext(): tls.SecureContext {
  context ??= tls.createSecureContext({ ca: [...trustedRoots()], minVersion: 'TLSv1.2' })
  return context
}

/** Starts TLS on the socket, which it owns from here on. Rejects with Node's own error, or EngineError('io') of checkCert. */
export function startTls(socket: Socket, options: TlsOptions): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = tls.connect({
      socket,
      host: options.servername,
      ...(isIP(options.servername) === 0 ? { servername: options.servername } : {}),
      rejectUnauthorized: options.rejectUnauthorized,
      ...(options.verifyName === undefined ? {} : { checkServerIdentity: (_host: string, certificate: tls.PeerCertificate) => tls.checkServerIdentity(options.verifyName!, certificate) }),
      secureContext: options.ca ? tls.createSecureContext({ ca: [...options.ca], minVersion: 'TLSv1.2' }) : commonContext(),
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
      const refusal = options.checkCert?.(secure.getPeerCertificate(true))
      if (refusal === undefined) resolve(secure)
      else fail(new EngineError('io', refusal))
    })
  })
}
