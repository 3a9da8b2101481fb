/**
 * Whom this engine trusts for TLS: the machine's roots, and the certificates that a person added for the control server in
 * use. Those are good for that server and the relays of its network, and for no other server. There is no switch that
 * turns checking off.
 *
 *   trust.json   { "version": 1, "servers": { "https://hs.example.com": ["-----BEGIN CERTIFICATE-----…"] } }
 */
import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'
import type { Journal } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import type { KnownHosts } from './known-hosts.ts'
import { certificatesIn, type Roots, type SystemRoots } from './roots.ts'

const FILE = 'trust'
const MAX_SERVERS = 64
const MAX_CERTIFICATES = 64
const MAX_PEM_BYTES = 256 * 1024
const MAX_SHOWN_HOSTS = 16

/** Of the store what this needs. */
export interface TrustStore {
  load<T>(name: string, parse: (text: string) => T | undefined): { readonly value: T } | undefined
  /** On disk when it returns; throws EngineError('io'). */
  save(name: string, text: string): void
}

export interface AddedCertificate {
  readonly subject: string
  readonly issuer: string
  /** SHA-256 in upper-case hex with colons. */
  readonly fingerprint: string
  readonly fromMs: number
  readonly toMs: number
  readonly isAuthority: boolean
  readonly pem: string
}

export interface TrustList {
  readonly server: string
  readonly certificates: readonly AddedCertificate[]
  /** What the server shows and is refused for. */
  readonly shown: readonly AddedCertificate[]
}

export interface ServerTrustOptions {
  readonly roots: SystemRoots
  readonly known: KnownHosts
  readonly store: TrustStore
  readonly journal: Journal
  /** URL of the control server in use. */
  readonly server: () => string
}

export class ServerTrust implements Roots {
  readonly #options: ServerTrustOptions
  readonly #added: Map<string, readonly string[]>
  #made: { server: string; generation: number; context: tls.SecureContext } | undefined
  /** What hosts showed when they were last refused, PEM. */
  readonly #shown = new Map<string, readonly string[]>()
  #onChange: () => void = () => {}

  constructor(options: ServerTrustOptions) {
    this.#options = options
    this.#added = options.store.load(FILE, parse)?.value ?? new Map<string, readonly string[]>()
  }

  /** Calls after a certificate was added or removed. */
  onChange(call: () => void): void {
    this.#onChange = call
  }

  context(): tls.SecureContext {
    const { roots, server } = this.#options
    const origin = originOf(server())
    const added = this.#added.get(origin) ?? []
    if (added.length === 0) return roots.context()
    if (this.#made?.server !== origin || this.#made.generation !== roots.generation) {
      this.#made = { server: origin, context: contextOf([...roots.pems(), ...added]), generation: roots.generation }
    }
    return this.#made.context
  }

  /** Whom to trust for a server that is perhaps not the one in use, with `more` certificates (PEM) for this look. Only refusals are noted. */
  rootsOf(url: string, more: readonly string[]): Roots {
    const { roots, known } = this.#options
    const added = [...(this.#added.get(originOf(url)) ?? []), ...more]
    const made = added.length === 0 ? undefined : contextOf([...roots.pems(), ...added])
    return {
      context: () => made ?? roots.context(),
      organisations: () => roots.organisations(),
      vouchedBefore: (host) => known.vouchedBy(host),
      noteVouched: () => {},
      noteRefused: (host, shown) => this.noteRefused(host, shown),
    }
  }

  organisations(): ReadonlySet<string> {
    return this.#options.roots.organisations()
  }

  vouchedBefore(host: string): string | undefined {
    return this.#options.known.vouchedBy(host)
  }

  /** An authority that a person added may be replaced by its owner any day: it says nothing about later ones. */
  noteVouched(host: string, by: string): void {
    this.#shown.delete(host.toLowerCase())
    if (!this.#added.has(originOf(this.#options.server()))) this.#options.known.noteVouched(host, by)
  }

  noteRefused(host: string, shown: readonly Uint8Array[]): void {
    this.#options.roots.noteRefused()
    const name = host.toLowerCase()
    this.#shown.delete(name)
    this.#shown.set(name, shown.flatMap((der) => toPem(der) ?? []))
    if (this.#shown.size > MAX_SHOWN_HOSTS) this.#shown.delete(this.#shown.keys().next().value!)
  }

  /** What was added for a server; without a URL for the one in use. Throws EngineError('bad-argument') for what is no URL. */
  list(url?: string): TrustList {
    const server = this.#origin(url)
    const shown = this.#shown.get(new URL(server).hostname.replace(/^\[|\]$/g, '')) ?? []
    return { server, certificates: (this.#added.get(server) ?? []).map(describe), shown: shown.map(describe) }
  }

  /** All that was added, PEM by server. */
  pems(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#added].map(([server, list]) => [server, list.join('')]))
  }

  /** Adds every certificate of a PEM text; answers those that are new. Throws EngineError('bad-argument' | 'io'). */
  add(pem: string, url?: string): readonly AddedCertificate[] {
    const server = this.#origin(url)
    if (!server.startsWith('https:')) throw new EngineError('bad-argument', `${server} is reached without TLS, so there is no certificate to trust`)
    const before = this.#added.get(server) ?? []
    const known = new Set(before.map((each) => describe(each).fingerprint))
    const fresh = readCertificates(pem).filter(({ fingerprint }) => !known.has(fingerprint))
    if (before.length + fresh.length > MAX_CERTIFICATES) throw new EngineError('bad-argument', `no more than ${MAX_CERTIFICATES} certificates can be added for one server`)
    if (this.#added.size >= MAX_SERVERS && before.length === 0) throw new EngineError('bad-argument', `no more than ${MAX_SERVERS} servers can have certificates of their own`)
    if (fresh.length > 0) this.#set(server, [...before, ...fresh.map((each) => each.pem)])
    for (const { subject, fingerprint } of fresh) {
      this.#options.journal.add({ part: 'trust', kind: 'added', why: `a person added the certificate "${printable(subject, 100)}" for ${server}`, server, fingerprint })
    }
    return fresh
  }

  /** Removes the certificate with that fingerprint (with or without colons, or its beginning when that is clear). */
  remove(fingerprint: string, url?: string): AddedCertificate {
    const server = this.#origin(url)
    const before = this.#added.get(server) ?? []
    const wanted = plainFingerprint(fingerprint)
    const found = before.map(describe).filter((each) => wanted.length >= 8 && plainFingerprint(each.fingerprint).startsWith(wanted))
    if (found.length !== 1) throw new EngineError('not-found', found.length === 0 ? `no certificate with that fingerprint was added for ${server}` : 'several certificates begin with that fingerprint: give more of it')
    const [gone] = found as [AddedCertificate]
    this.#set(server, before.filter((pem) => pem !== gone.pem))
    this.#options.journal.add({ part: 'trust', kind: 'removed', why: `a person removed the certificate "${printable(gone.subject, 100)}" for ${server}`, server, fingerprint: gone.fingerprint })
    return gone
  }

  /** Forgets what was added for a server that nobody uses any more. */
  forget(url: string): void {
    const server = originOf(url)
    if (this.#added.has(server)) this.#set(server, [])
  }

  #origin(url: string | undefined): string {
    const origin = originOf(url ?? this.#options.server())
    if (origin === '') throw new EngineError('bad-argument', 'the control server must be given as a URL such as https://headscale.example.com')
    return origin
  }

  #set(server: string, pems: readonly string[]): void {
    const after = new Map(this.#added)
    if (pems.length === 0) after.delete(server)
    else after.set(server, pems)
    this.#options.store.save(FILE, `${JSON.stringify({ version: 1, servers: Object.fromEntries(after) }, null, 1)}\n`)
    this.#added.clear()
    for (const [name, list] of after) this.#added.set(name, list)
    this.#made = undefined
    this.#onChange()
  }
}

/** A server's own certificate or an intermediate may be among those that were added. */
function contextOf(ca: string[]): tls.SecureContext {
  return tls.createSecureContext({ ca, minVersion: 'TLSv1.2', allowPartialTrustChain: true })
}

/** Scheme, host and port of a URL in one spelling; "" for what is none. */
function originOf(url: string): string {
  try {
    const { protocol, origin } = new URL(url)
    return protocol === 'https:' || protocol === 'http:' ? origin : ''
  } catch {
    return ''
  }
}

function readCertificates(pem: string): AddedCertificate[] {
  if (Buffer.byteLength(pem) > MAX_PEM_BYTES) throw new EngineError('bad-argument', `the file is larger than ${MAX_PEM_BYTES / 1024} KiB`)
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) throw new EngineError('bad-argument', 'the file holds a private key, which must stay where it is: give the certificate alone')
  const found = certificatesIn(pem)
  if (found.length === 0) throw new EngineError('bad-argument', 'the file holds no certificate (PEM: -----BEGIN CERTIFICATE-----)')
  return found.map((each) => {
    try {
      return describe(new X509Certificate(each).toString())
    } catch (error) {
      throw new EngineError('bad-argument', 'the file holds a certificate that cannot be read', { cause: error })
    }
  })
}

function describe(pem: string): AddedCertificate {
  const certificate = new X509Certificate(pem)
  const name = (text: string): string => /^CN=(.+)$/m.exec(text)?.[1] ?? /^O=(.+)$/m.exec(text)?.[1] ?? text.split('\n')[0] ?? ''
  return {
    subject: name(certificate.subject),
    issuer: name(certificate.issuer ?? ''),
    fingerprint: certificate.fingerprint256,
    fromMs: Date.parse(certificate.validFrom),
    toMs: Date.parse(certificate.validTo),
    isAuthority: certificate.ca,
    pem,
  }
}

function toPem(der: Uint8Array): string | undefined {
  try {
    return new X509Certificate(der).toString()
  } catch {
    return undefined
  }
}

function plainFingerprint(text: string): string {
  return text.replace(/^sha-?256[:=]/i, '').replace(/[:\s]/g, '').toUpperCase()
}

function parse(text: string): Map<string, readonly string[]> | undefined {
  try {
    const { version, servers } = JSON.parse(text) as { version?: unknown; servers?: unknown }
    if (version !== 1 || typeof servers !== 'object' || servers === null) return undefined
    const out = new Map<string, readonly string[]>()
    for (const [server, pems] of Object.entries(servers as Record<string, unknown>)) {
      if (originOf(server) === '' || !Array.isArray(pems)) return undefined
      out.set(originOf(server), readCertificates(pems.join('\n')).map((each) => each.pem))
    }
    return out
  } catch {
    return undefined
  }
}
