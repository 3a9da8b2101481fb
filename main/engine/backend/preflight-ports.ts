/**
 * What a look at a server before joining needs of the parts below, in its own words.
 */
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../base/errors.ts'

export interface SeenServer {
  readonly issuer: string
  /** SHA-256 of the public keys of its chain, hex. */
  readonly keys: readonly string[]
  readonly fingerprints: readonly string[]
}

export interface PreflightFailure {
  readonly code: ErrorCode
  readonly message: string
}

/** The ways to one server. */
export interface ServerWays {
  /** Throws EngineError('proxy-bad-setting'). */
  proxyOf(host: string, port: number, tls: boolean): Promise<{ readonly used: string | undefined; readonly isSet: boolean }>
  /** `address` is undefined behind a proxy. */
  connect(host: string, port: number, tls: boolean, timeoutMs: number, signal: AbortSignal): Promise<{ readonly stream: Duplex; readonly address: string | undefined }>
  /** Closes the stream. Rejects with CertificateError and others. */
  certificate(stream: Duplex, host: string, timeoutMs: number): Promise<SeenServer>
  /** What it showed when it was refused last: PEM, and the hash of its public key. */
  shown(): readonly { readonly pem: string; readonly key: string }[]
  /** The same with certificates in PEM that are good for this look. */
  trusting(pems: readonly string[]): ServerWays
  fetch(request: { method: 'GET'; url: string; timeoutMs: number; maxBytes: number; signal: AbortSignal }): Promise<{ readonly status: number; readonly body: Uint8Array }>
}

export interface TrustedPem {
  readonly subject: string
  readonly issuer: string
  readonly fingerprint: string
  readonly fromMs: number
  readonly toMs: number
  readonly isAuthority: boolean
}

/** `Ways`: the server's ways as those below know them. */
export interface PreflightWorld<Ways extends ServerWays = ServerWays> {
  waysTo(url: string): Ways
  /** Addresses of a name; rejects with EngineError. */
  resolve(host: string): Promise<readonly string[]>
  /** Asks for the server's key as signing in does. */
  serverKey(url: string, ways: Ways, signal: AbortSignal): Promise<{ readonly failure?: PreflightFailure; readonly serverMs?: number }>
  /** The sign-in page of this network, looked for where such pages stand. */
  portal(url: string, ways: Ways, signal: AbortSignal): Promise<PreflightFailure | undefined>
  /** How that address sees a datagram of ours; undefined: nothing came back. */
  stun(address: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<string | undefined>
  /** The failure of whatever was thrown. */
  failureOf(error: unknown, host: string): PreflightFailure
  readonly trust: {
    list(url: string): { readonly certificates: readonly TrustedPem[]; readonly shown: readonly TrustedPem[] }
    add(pem: string, url: string): readonly TrustedPem[]
  }
}

/** What is known of this computer without asking anybody. */
export interface LocalFacts {
  readonly vpns: readonly { readonly product: string; readonly interface: string; readonly carriesAll: boolean }[]
  readonly range: { readonly interface: string; readonly text: string } | undefined
  readonly keys: { readonly kind: 'sealed' } | { readonly kind: 'memory' } | { readonly kind: 'file' | 'closed'; readonly why: string }
}
