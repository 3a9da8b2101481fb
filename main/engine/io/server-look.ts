/**
 * Looks at one server before anybody has said yes to it: connection, certificate, web requests, each by itself. Trust is what holds
 * for that server, be it in use or not. Nothing is remembered but what it showed when it was refused.
 */
import { createHash, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { EngineError } from '../base/errors.ts'
import { addressOf, dial, type DialOptions, type DialWorld } from './dial.ts'
import { makeHttpFetch } from './http-fetch.ts'
import type { ProxyRules } from './proxy-rules.ts'
import { peekDate } from './server-date.ts'
import type { ServerTrust } from './server-trust.ts'
import { startTls } from './tls.ts'

const MAX_CHAIN = 10

export interface SeenServer {
  /** Names of who vouches, printable by whoever shows them. */
  readonly issuer: string
  /** SHA-256 of the public keys (SPKI) of the chain, hex, its own certificate first. Each one after it has signed the one before. */
  readonly keys: readonly string[]
  /** SHA-256 of the certificates themselves, as `AddedCertificate.fingerprint` has them. */
  readonly fingerprints: readonly string[]
}

export class ServerLook {
  readonly #proxies: ProxyRules
  readonly #trust: ServerTrust
  readonly #world: DialWorld
  readonly #url: string
  readonly dial: (options: DialOptions) => Promise<Socket>
  readonly fetch: ReturnType<typeof makeHttpFetch>

  /** `more`: certificates in PEM that are good for this look too. */
  constructor(world: DialWorld, proxies: ProxyRules, trust: ServerTrust, url: string, more: readonly string[] = []) {
    this.#proxies = proxies
    this.#trust = trust
    this.#url = url
    const { onReached: _forgotten, ...rest } = world
    this.#world = { ...rest, roots: trust.rootsOf(url, more) }
    this.dial = (options) => dial(options, this.#world)
    this.fetch = makeHttpFetch(this.dial)
  }

  /** The same with certificates that the server showed. */
  trusting(pems: readonly string[]): ServerLook {
    return new ServerLook(this.#world, this.#proxies, this.#trust, this.#url, pems)
  }

  /** "http://proxy:3128" when one stands between; rejects with EngineError('proxy-bad-setting'). */
  async proxyOf(host: string, port: number, tls: boolean): Promise<{ readonly used: string | undefined; readonly isSet: boolean }> {
    const choice = await this.#world.proxiesFor?.({ host, port, tls })
    return { used: choice?.proxies[0]?.name, isSet: this.#proxies.isSet(tls) }
  }

  /** A connection as for `tls`, without it yet; `address` is undefined behind a proxy. Rejects as dial does. */
  async connect(host: string, port: number, tls: boolean, timeoutMs: number, signal: AbortSignal): Promise<{ readonly stream: Socket; readonly address: string | undefined }> {
    const stream = await this.dial({ host, port, timeoutMs, signal, ...(tls ? { forTls: true } : {}) })
    // Between two steps nobody listens, and a reset there must harm nobody.
    stream.on('error', () => {})
    return { stream, address: addressOf(stream) }
  }

  /** TLS on that connection, which is closed afterwards. Rejects with CertificateError, Node's errors, EngineError('timeout'). */
  async certificate(stream: Duplex, host: string, timeoutMs: number): Promise<SeenServer> {
    const timer = setTimeout(() => stream.destroy(new EngineError('timeout', `${host} did not answer in time`)), timeoutMs)
    try {
      const secure = await startTls(stream as Socket, { servername: host, rejectUnauthorized: true }, this.#world.roots)
      const seen = seenServer(secure)
      secure.destroy()
      return seen
    } finally {
      clearTimeout(timer)
      stream.destroy()
    }
  }

  /** What the server showed when it was refused last, with the hash of each public key, its own certificate first. */
  shown(): readonly { readonly pem: string; readonly key: string }[] {
    return this.#trust.list(this.#url).shown.map(({ pem }) => ({ pem, key: keyHash(new X509Certificate(pem)) }))
  }

  readonly peekDate = (url: string, timeoutMs: number, signal: AbortSignal): Promise<number | undefined> => peekDate(this.dial, url, timeoutMs, signal)
}

/** Node links what was sent by names alone: whoever sends more certificates could name any key that way, so signatures are looked at here. */
function seenServer(secure: TLSSocket): SeenServer {
  const chain: X509Certificate[] = []
  for (let at = secure.getPeerCertificate(true); at?.raw !== undefined && chain.length < MAX_CHAIN; at = at.issuerCertificate) {
    const certificate = new X509Certificate(at.raw)
    if (chain.some((one) => one.fingerprint256 === certificate.fingerprint256) || chain.at(-1)?.verify(certificate.publicKey) === false) break
    chain.push(certificate)
  }
  const last = chain.at(-1)?.issuer ?? ''
  return {
    issuer: /^CN=(.+)$/m.exec(last)?.[1] ?? /^O=(.+)$/m.exec(last)?.[1] ?? last.split('\n')[0] ?? '',
    keys: chain.map(keyHash),
    fingerprints: chain.map((one) => one.fingerprint256),
  }
}

function keyHash(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
}
