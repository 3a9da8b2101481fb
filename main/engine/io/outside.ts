/**
 * The engine's way out to servers and relays, in one object: whom to trust, which proxy to take, where hosts were found
 * before. Everything that connects by TCP goes through it.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { addressOf, dial, type DialOptions, type DialWorld } from './dial.ts'
import { makeHttpFetch } from './http-fetch.ts'
import { KnownHosts, type KnownHostsStore } from './known-hosts.ts'
import { ProxyRules, type Proxy, type ProxyChoice, type ProxyTarget } from './proxy-rules.ts'
import { dialRelay, type RelayDialOptions } from './relay-dial.ts'
import { Resolver, type Lookup } from './resolve.ts'
import { peekDate } from './server-date.ts'
import { SystemRoots } from './roots.ts'
import { ServerLook } from './server-look.ts'
import { ServerTrust, type TrustStore } from './server-trust.ts'
import { startTls } from './tls.ts'
import type { Wires } from './wires.ts'

export interface OutsideOptions {
  readonly wires: Wires
  /** Who finds the addresses of names. */
  readonly lookup: Lookup
  readonly env: Env
  readonly store: TrustStore & KnownHostsStore
  /** Environment variables by name: proxies, places of roots. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** URL of the control server in use. */
  readonly server: () => string
  /** The system's own settings, where somebody can tell them. */
  readonly hostProxies?: { proxiesFor(target: ProxyTarget): Promise<readonly Proxy[]> } | undefined
}

export class Outside {
  readonly trust: ServerTrust
  readonly #env: Env
  readonly #known: KnownHosts
  readonly #proxies: ProxyRules
  readonly #hostProxies: OutsideOptions['hostProxies']
  readonly #resolver: Resolver
  readonly #world: DialWorld
  readonly #fetch: ReturnType<typeof makeHttpFetch>
  /** Never by a proxy; where hosts were before counts for nothing. */
  readonly fetchStraight: ReturnType<typeof makeHttpFetch>
  /** What was told of proxies, so that each is told once. */
  readonly #told = new Set<string>()

  constructor({ env, store, variables, server, hostProxies, wires, lookup }: OutsideOptions) {
    this.#env = { ...env, log: env.log.part('dial') }
    this.#known = new KnownHosts(store, () => env.clock.wallMs())
    this.#proxies = new ProxyRules(variables)
    this.#hostProxies = hostProxies
    this.#resolver = new Resolver({ lookup, remembered: (host) => this.#known.addressesOf(host) })
    this.trust = new ServerTrust({ roots: new SystemRoots({ env: variables }), known: this.#known, store, journal: env.journal, server })
    this.#world = {
      wires,
      resolver: this.#resolver,
      roots: this.trust,
      proxiesFor: (target) => this.#proxiesFor(target),
      onProxy: (proxy, host, how, why) => this.#tellProxy(proxy, host, how, why),
      onReached: (host, address) => this.#known.noteAddress(host, address),
    }
    this.#fetch = makeHttpFetch(this.dial)
    const straight: DialWorld = { wires, resolver: new Resolver({ lookup }) }
    this.fetchStraight = makeHttpFetch((options) => dial(options, straight))
  }

  /** Proxies that the engine itself serves: they are no way to the server. */
  setOwnProxies(own: readonly AddrPort[]): void {
    this.#proxies.setOwn(own)
  }

  /** Nobody uses this server any more: what was added for it and learnt of it goes. */
  readonly forgetServer = (url: string): void => {
    this.trust.forget(url)
    const { origin, hostname } = new URL(url)
    this.#known.forget(origin, hostname)
  }

  readonly dial = (options: DialOptions): Promise<Socket> => dial(options, this.#world)

  readonly dialRelay = (host: string, port: number, options: RelayDialOptions): Promise<Socket> => dialRelay(host, port, options, this.#world)

  readonly fetch: ReturnType<typeof makeHttpFetch> = (request) => this.#fetch(request)

  /** TLS on a stream to a server that must prove that it is `host`; rejects with CertificateError and Node's errors. */
  readonly secure = async (stream: Duplex, host: string, alpn: readonly string[]): Promise<{ stream: Duplex; protocol: string | undefined }> => {
    const secure = await startTls(stream as Socket, { servername: host, rejectUnauthorized: true, alpn }, this.trust)
    return { stream: secure, protocol: secure.alpnProtocol === false || secure.alpnProtocol === null ? undefined : secure.alpnProtocol }
  }

  /** Addresses of a name, remembered ones when DNS is broken. Rejects when there are none. */
  readonly resolve = (host: string): Promise<readonly string[]> => this.#resolver.addresses(host)

  /** A host has proved who it is by other means than a certificate, at the end of a stream that was dialled here. */
  readonly noteReached = (host: string, stream: Duplex): void => {
    const address = addressOf(stream)
    if (address !== undefined) this.#known.noteAddress(host, address)
  }

  /** A look at a server that is perhaps not the one in use. */
  readonly lookAt = (url: string): ServerLook => new ServerLook(this.#world, this.#proxies, this.trust, url)

  readonly peekDate = (url: string, timeoutMs: number, signal: AbortSignal): Promise<number | undefined> => peekDate(this.dial, url, timeoutMs, signal)

  /** Keys that control servers had when their certificate was good. */
  readonly keptKeys = {
    load: (origin: string): Uint8Array | undefined => this.#known.serverKey(origin),
    keep: (origin: string, key: Uint8Array): void => this.#known.noteServerKey(origin, key),
  }

  /** What the environment says holds; where it names no proxy, the system's settings do. */
  async #proxiesFor(target: ProxyTarget): Promise<ProxyChoice> {
    if (this.#proxies.isSet(target.tls) || !this.#hostProxies) {
      const proxy = this.#proxies.proxyFor(target)
      return { proxies: proxy ? [proxy] : [], why: 'the environment names it for this connection' }
    }
    return { proxies: this.#proxies.allowed(await this.#hostProxies.proxiesFor(target), target), why: "the system's proxy settings name it for this connection" }
  }

  #tellProxy(proxy: Proxy, host: string, how: 'used' | 'gone-around', why: string): void {
    const mark = `${how} ${proxy.name} ${host}`
    if (this.#told.has(mark) || this.#told.size > 1000) return
    this.#told.add(mark)
    this.#env.journal.add({ part: 'dial', kind: `proxy-${how}`, why, proxy: proxy.name, host })
    if (how === 'used') this.#env.log.info(`direct → by the proxy ${proxy.name} (${why})`)
    else this.#env.log.warn(`by the proxy → direct (${why})`)
  }
}
