/**
 * The authorities that this machine trusts: the system's store.
 *
 * Node bundles Mozilla's roots and ignores the system's store, where a private authority of a company or a home lab is
 * installed; Go programs and browsers honour it, so must we. Node 22.15 can read the store by itself; before that, and
 * beside it, the usual files of Linux are read. SSL_CERT_FILE and SSL_CERT_DIR take the place of the usual ones, as they do
 * for OpenSSL and Go. Node's own list stands in where the store cannot be read, and completes it on Windows and macOS, whose
 * stores tell a program only part of their roots. A store that was changed is read anew after a certificate was refused.
 */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as tls from 'node:tls'

/** One PEM file with all roots: Debian and Alpine, Fedora, RHEL 7, SUSE, OpenSSL's own place. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/ssl/cert.pem',
]
/** One file a root, for systems without any bundle. */
const DIRECTORIES = ['/etc/ssl/certs', '/etc/pki/tls/certs']
const MAX_FILE_BYTES = 8 * 1024 * 1024
const MAX_FILES = 4000
/** How long a refusal waits at least before the store is read again. */
const READ_AGAIN_MS = 15_000

/** What TLS verification needs to know. */
export interface Roots {
  context(): tls.SecureContext
  /** Organisations behind them, lower case. */
  organisations(): ReadonlySet<string>
  /** Who vouched for a host when it was last reached. */
  vouchedBefore(host: string): string | undefined
  noteVouched(host: string, by: string): void
  /** What a host showed (DER, its own certificate first) was refused: perhaps the store has changed since. */
  noteRefused(host: string, shown: readonly Uint8Array[]): void
}

export interface RootsOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly platform?: NodeJS.Platform
  /** Stands for the machine's file system. */
  readonly read?: (path: string) => string | undefined
  readonly list?: (path: string) => readonly string[]
  /** Node's own reading of the system's store; undefined where it has none. */
  readonly native?: ((kind: 'system' | 'extra') => string[]) | undefined
}

export class SystemRoots implements Roots {
  readonly #options: RootsOptions
  #pems: readonly string[] | undefined
  #context: tls.SecureContext | undefined
  #organisations: ReadonlySet<string> | undefined
  #readAtMs = 0

  /** Counts how often the store was read. */
  generation = 0

  constructor(options: RootsOptions = {}) {
    this.#options = options
  }

  /** All roots in PEM, each once. */
  pems(): readonly string[] {
    if (!this.#pems) {
      this.#readAtMs = performance.now()
      this.generation++
      const system = systemRoots(this.#options)
      const isWhole = (this.#options.platform ?? process.platform) === 'linux' && system.length > 0
      this.#pems = [...new Set([...(isWhole ? [] : tls.rootCertificates), ...system].map(plainPem))]
    }
    return this.#pems
  }

  /** Parsing some 140 roots takes tens of milliseconds, so it is done once. */
  context(): tls.SecureContext {
    this.#context ??= tls.createSecureContext({ ca: [...this.pems()], minVersion: 'TLSv1.2' })
    return this.#context
  }

  organisations(): ReadonlySet<string> {
    this.#organisations ??= new Set(this.pems().flatMap((pem) => organisationOf(pem) ?? []))
    return this.#organisations
  }

  vouchedBefore(): undefined {
    return undefined
  }

  noteVouched(): void {}

  noteRefused(): void {
    if (performance.now() - this.#readAtMs < READ_AGAIN_MS) return
    this.#pems = undefined
    this.#context = undefined
    this.#organisations = undefined
  }
}

function systemRoots(options: RootsOptions): string[] {
  const native = 'native' in options ? options.native : (tls as { getCACertificates?: (kind: 'system' | 'extra') => string[] }).getCACertificates
  const own = native ? [...attempt(() => native('system')), ...attempt(() => native('extra'))] : []
  return (options.platform ?? process.platform) === 'linux' ? [...own, ...linuxRoots(options)] : own
}

/** Of the usual places the first bundle, else the directories; a place named in the environment instead of the usual. */
function linuxRoots({ env = {}, read = readSmall, list = listDirectory }: RootsOptions): string[] {
  const file = env['SSL_CERT_FILE'] ?? ''
  const directory = env['SSL_CERT_DIR'] ?? ''
  const bundle = (file === '' ? BUNDLES : [file]).map((path) => certificatesIn(read(path))).find((found) => found.length > 0) ?? []
  const folders = directory !== '' ? directory.split(':').filter((path) => path !== '') : bundle.length === 0 ? DIRECTORIES : []
  const single = folders.flatMap((folder) => list(folder).slice(0, MAX_FILES).map((name) => join(folder, name))).flatMap((path) => certificatesIn(read(path)))
  return [...bundle, ...single]
}

/** The PEM certificates in a text. */
export function certificatesIn(text: string | undefined): string[] {
  return text?.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g)?.filter((pem) => !pem.includes('TRUSTED')) ?? []
}

/** The same certificate is the same text, however its lines were broken. */
function plainPem(pem: string): string {
  const base64 = pem.replace(/-----[^-]+-----|\s/g, '')
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}

function organisationOf(pem: string): string | undefined {
  try {
    return /^O=(.+)$/m.exec(new X509Certificate(pem).subject)?.[1]?.toLowerCase()
  } catch {
    return undefined
  }
}

function readSmall(path: string): string | undefined {
  try {
    const stat = statSync(path)
    return stat.isFile() && stat.size <= MAX_FILE_BYTES ? readFileSync(path, 'utf8') : undefined
  } catch {
    return undefined
  }
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function attempt(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}
