/**
 * What is remembered of hosts that were reached and had proved who they are: their addresses, for the day when DNS is slow
 * or broken, and who vouched for their certificate, so that a box in between is told from a server with a private authority; of control servers their key.
 *
 *   known-hosts.json   { "version": 1, "hosts": { "hs.example.com": { "addresses": ["192.0.2.1"], "by": "ISRG Root X1", "atMs": … } } }
 */
import { isIP } from 'node:net'

const FILE = 'known-hosts'
const MAX_HOSTS = 64
const MAX_ADDRESSES = 4
const MAX_TEXT = 256

/** Of the store what this needs. */
export interface KnownHostsStore {
  load<T>(name: string, parse: (text: string) => T | undefined): { readonly value: T } | undefined
  saveLater(name: string, text: () => string): void
  /** On disk when it returns, and nothing of before is; throws EngineError('io'). */
  replace(name: string, text: string): void
}

interface KnownHost {
  /** The last that worked first. */
  readonly addresses: readonly string[]
  readonly by?: string
  /** Of a control server: its key when its certificate was good, hex. Its name is then an origin. */
  readonly key?: string
  readonly atMs: number
}

export class KnownHosts {
  readonly #store: KnownHostsStore
  readonly #wallMs: () => number
  readonly #hosts: Map<string, KnownHost>

  constructor(store: KnownHostsStore, wallMs: () => number) {
    this.#store = store
    this.#wallMs = wallMs
    this.#hosts = store.load(FILE, parse)?.value ?? new Map<string, KnownHost>()
  }

  /** Addresses at which a name was reached before, the last first. */
  addressesOf(host: string): readonly string[] {
    return this.#hosts.get(host.toLowerCase())?.addresses ?? []
  }

  /** Who vouched for the host's certificate when it was last reached. */
  vouchedBy(host: string): string | undefined {
    return this.#hosts.get(host.toLowerCase())?.by
  }

  /** The key that a control server had, by its origin; 32 B. */
  serverKey(origin: string): Uint8Array | undefined {
    const key = this.#hosts.get(origin.toLowerCase())?.key
    return key === undefined ? undefined : new Uint8Array(Buffer.from(key, 'hex'))
  }

  noteServerKey(origin: string, key: Uint8Array): void {
    const hex = Buffer.from(key).toString('hex')
    if (this.#hosts.get(origin.toLowerCase())?.key !== hex) this.#set(origin, { key: hex })
  }

  noteAddress(host: string, address: string): void {
    if (isIP(host) !== 0 || isIP(address) === 0) return
    const known = this.addressesOf(host)
    if (known[0] !== address) this.#set(host, { addresses: [address, ...known.filter((each) => each !== address)].slice(0, MAX_ADDRESSES) })
  }

  noteVouched(host: string, by: string): void {
    if (by !== '' && by.length <= MAX_TEXT && by !== this.vouchedBy(host)) this.#set(host, { by })
  }

  /** Forgets what was learnt of hosts and origins, on the disk as well. */
  forget(...hosts: readonly string[]): void {
    const known = hosts.filter((host) => this.#hosts.delete(host.toLowerCase()))
    if (known.length === 0) return
    try {
      this.#store.replace(FILE, this.#text())
    } catch {
      // Tried again, and told when it fails again.
      this.#saveLater()
    }
  }

  #set(host: string, change: Partial<KnownHost>): void {
    const name = host.toLowerCase()
    const before = this.#hosts.get(name) ?? { addresses: [], atMs: 0 }
    this.#hosts.delete(name)
    this.#hosts.set(name, { ...before, ...change, atMs: this.#wallMs() })
    if (this.#hosts.size > MAX_HOSTS) this.#hosts.delete(this.#hosts.keys().next().value!)
    this.#saveLater()
  }

  #saveLater(): void {
    this.#store.saveLater(FILE, () => this.#text())
  }

  #text(): string {
    return `${JSON.stringify({ version: 1, hosts: Object.fromEntries(this.#hosts) }, null, 1)}\n`
  }
}

function parse(text: string): Map<string, KnownHost> | undefined {
  let value: { version?: unknown; hosts?: unknown } | null
  try {
    value = JSON.parse(text) as typeof value
  } catch {
    return undefined
  }
  if (value?.version !== 1 || typeof value.hosts !== 'object' || value.hosts === null) return undefined
  const hosts = new Map<string, KnownHost>()
  for (const [name, entry] of Object.entries(value.hosts as Record<string, Partial<KnownHost> | null>).slice(-MAX_HOSTS)) {
    const addresses = Array.isArray(entry?.addresses) ? entry.addresses.filter((each: unknown) => typeof each === 'string' && isIP(each) !== 0) : []
    hosts.set(name.toLowerCase().slice(0, MAX_TEXT), {
      addresses: addresses.slice(0, MAX_ADDRESSES),
      ...(typeof entry?.by === 'string' ? { by: entry.by.slice(0, MAX_TEXT) } : {}),
      ...(typeof entry?.key === 'string' && /^[0-9a-f]{64}$/.test(entry.key) ? { key: entry.key } : {}),
      atMs: typeof entry?.atMs === 'number' ? entry.atMs : 0,
    })
  }
  return hosts
}
