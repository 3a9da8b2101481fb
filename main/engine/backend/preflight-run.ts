/**
 * One look at a server before joining. Three things go on at once: the way to the server step by step (name, connection, certificate,
 * what it answers, its clock), the sign-in page of this network, and what is known of this computer. Bounded in time; nothing is
 * changed by it, and nobody but the server is asked.
 */
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { isLoopbackIp, isPrivateIp, canonicalIp } from '../base/ip.ts'
import { printable } from '../base/printable.ts'
import { isClockWrong, skewWords } from '../core/clock/skew.ts'
import { faultFinding, finding, type Finding } from '../core/join/findings.ts'
import { STUN_DEFAULT_PORT } from '../core/stun/stun.ts'
import { PREFLIGHT_STEPS, type PreflightStepName } from '../../localapi/preflight.ts'
import type { LocalFacts, PreflightFailure, PreflightWorld, SeenServer, ServerWays } from './preflight-ports.ts'

const CONNECT_MS = 8_000
const TLS_MS = 8_000
const WEB_MS = 5_000
const STUN_MS = 2_500
const MAX_BYTES = 16 * 1024
/** Steps that are looked at while somebody types. */
const QUICK: readonly PreflightStepName[] = ['name', 'connection', 'certificate', 'server', 'clock']

export interface PreflightRunDeps {
  readonly env: Env
  readonly world: PreflightWorld
  readonly local: () => LocalFacts
  /** Origin. */
  readonly server: string
  /** Hashes of public keys of which the server must show one; empty = none is asked for. */
  readonly pins: readonly string[]
  readonly quick: boolean
  readonly onFinding: () => void
}

export class PreflightRun {
  readonly steps: readonly PreflightStepName[]
  readonly findings = new Map<PreflightStepName, Finding>()
  /** PEM of the certificate that the link names and the server shows, where the computer does not trust it by itself. */
  pinned: string | undefined
  readonly #deps: PreflightRunDeps
  readonly #stop = new AbortController()
  readonly #url: URL
  readonly #host: string
  readonly #port: number
  readonly #tls: boolean
  #ways: ServerWays
  #proxy: string | undefined
  #address: string | undefined

  constructor(deps: PreflightRunDeps) {
    this.#deps = deps
    this.steps = deps.quick ? QUICK : PREFLIGHT_STEPS
    this.#url = new URL(deps.server)
    this.#host = this.#url.hostname.replace(/^\[|\]$/g, '')
    this.#tls = this.#url.protocol === 'https:'
    this.#port = this.#url.port === '' ? (this.#tls ? 443 : 80) : Number(this.#url.port)
    this.#ways = deps.world.waysTo(deps.server)
  }

  get isDone(): boolean {
    return this.steps.every((step) => this.findings.has(step))
  }

  /** Resolves when every step has its finding. Never rejects. */
  async run(): Promise<void> {
    if (!this.#deps.quick) this.#lookHere()
    const way = this.#wayToServer()
    await Promise.all([way, ...(this.#deps.quick ? [] : [this.#signInPage(way)])])
    for (const step of this.steps) this.#found(step, finding('not-asked'))
  }

  stop(): void {
    this.#stop.abort()
  }

  /** The first finding of a step stands; one that tells more may take its place with `over`. */
  #found(step: PreflightStepName, found: Finding, over = false): void {
    if (!this.steps.includes(step) || (this.findings.has(step) && !over) || this.#stop.signal.aborted) return
    this.findings.set(step, found)
    this.#deps.onFinding()
  }

  #fault(error: unknown): Finding {
    const { code, message } = this.#deps.world.failureOf(error, this.#url.host)
    return faultFinding(code, message, this.#url.host)
  }

  async #wayToServer(): Promise<void> {
    if (!(await this.#findProxy())) return
    if (!(await this.#findName())) return
    const stream = await this.#connect()
    if (!stream) return
    const trusted = await this.#certificate(stream)
    await this.#askServer(trusted)
  }

  async #findProxy(): Promise<boolean> {
    try {
      const { used, isSet } = await this.#ways.proxyOf(this.#host, this.#port, this.#tls)
      this.#proxy = used
      if (used === undefined) this.#found('proxy', finding(isSet ? 'proxy-excepted' : 'proxy-none'))
      return true
    } catch (error) {
      this.#found('proxy', this.#fault(error))
      return false
    }
  }

  async #findName(): Promise<boolean> {
    const ip = canonicalIp(this.#host)
    if (ip !== undefined) this.#address = ip
    if (ip !== undefined || this.#proxy !== undefined) {
      this.#found('name', finding(ip === undefined ? 'name-by-proxy' : 'name-address'))
      return true
    }
    const startMs = this.#deps.env.clock.nowMs()
    try {
      const [first] = await this.#deps.world.resolve(this.#host)
      this.#address = first
      this.#found('name', finding('name-found', { host: this.#host, ms: this.#since(startMs) }))
      return true
    } catch (error) {
      this.#found('name', this.#fault(error))
      return false
    }
  }

  async #connect(): Promise<Duplex | undefined> {
    const startMs = this.#deps.env.clock.nowMs()
    try {
      const { stream, address } = await this.#ways.connect(this.#host, this.#port, this.#tls, CONNECT_MS, this.#stop.signal)
      const said = { port: this.#port, ms: this.#since(startMs) }
      const isAround = this.#proxy !== undefined && address !== undefined
      if (this.#proxy !== undefined) this.#found('proxy', finding(isAround ? 'proxy-around' : 'proxy-through', { proxy: this.#proxy }))
      this.#found('connection', finding(this.#proxy === undefined || isAround ? 'connection-open' : 'connection-by-proxy', said))
      if (address !== undefined) this.#address = address
      return stream
    } catch (error) {
      const found = this.#fault(error)
      if (found.code.startsWith('proxy-')) this.#found('proxy', found)
      else {
        this.#found('connection', found)
        if (this.#proxy !== undefined) this.#found('proxy', finding('proxy-through', { proxy: this.#proxy }))
      }
      return undefined
    }
  }

  /** Whether the server may be asked over it. */
  async #certificate(stream: Duplex): Promise<boolean> {
    if (!this.#tls) {
      stream.destroy()
      const ip = canonicalIp(this.#host)
      const isNear = this.#host === 'localhost' || (ip !== undefined && (isLoopbackIp(ip) || isPrivateIp(ip)))
      this.#found('certificate', finding(isNear ? 'certificate-none' : 'certificate-plain'))
      return true
    }
    try {
      this.#judge(await this.#ways.certificate(stream, this.#host, TLS_MS))
      return this.findings.get('certificate')?.state === 'good'
    } catch (error) {
      if (await this.#isPinned()) return true
      this.#found('certificate', this.#fault(error))
      return false
    }
  }

  #judge(seen: SeenServer): void {
    const { pins, world, server } = this.#deps
    if (pins.length > 0 && !seen.keys.some((key) => pins.includes(key))) return this.#found('certificate', finding('certificate-not-pinned'))
    if (pins.length > 0) return this.#found('certificate', finding('certificate-pinned'))
    const added = new Set(world.trust.list(server).certificates.map((one) => one.fingerprint))
    if (seen.fingerprints.some((one) => added.has(one))) return this.#found('certificate', finding('certificate-added'))
    this.#found('certificate', finding('certificate-good', { issuer: printable(seen.issuer, 100) }))
  }

  /** A certificate that nobody here knows is good when the link names it, and the rest of the chain holds by it. */
  async #isPinned(): Promise<boolean> {
    const named = this.#ways.shown().find(({ key }) => this.#deps.pins.includes(key))
    if (!named) return false
    const ways = this.#ways.trusting([named.pem])
    try {
      const { stream } = await ways.connect(this.#host, this.#port, true, CONNECT_MS, this.#stop.signal)
      this.#judge(await ways.certificate(stream, this.#host, TLS_MS))
    } catch {
      return false
    }
    this.#ways = ways
    this.pinned = named.pem
    return this.findings.get('certificate')?.state === 'good'
  }

  /** Without a certificate that holds, one more question may tell what is really wrong: the clock, or a page in between. */
  async #askServer(trusted: boolean): Promise<void> {
    if (!trusted && this.findings.get('certificate')?.code === 'certificate-not-pinned') return
    const startMs = this.#deps.env.clock.nowMs()
    const { failure, serverMs } = await this.#deps.world.serverKey(this.#deps.server, this.#ways, this.#stop.signal)
    const ms = this.#since(startMs)
    this.#clock(serverMs)
    if (failure) return this.#refused(failure, trusted)
    if (!trusted) return
    await Promise.all([this.#version(ms), ...(this.#deps.quick ? [] : [this.#udp()])])
  }

  #refused(failure: PreflightFailure, trusted: boolean): void {
    const found = faultFinding(failure.code, failure.message, this.#url.host)
    if (failure.code === 'captive-portal') this.#found('sign-in-page', found, true)
    if (trusted || failure.code === 'captive-portal') this.#found('server', found)
    else if (failure.code === 'clock-wrong') this.#found('certificate', found, true)
  }

  #clock(serverMs: number | undefined): void {
    if (serverMs === undefined) return this.#found('clock', finding('clock-unknown'))
    const skewMs = this.#deps.env.clock.wallMs() - serverMs
    // The server tells whole seconds.
    const sec = Math.max(1, Math.round(Math.abs(skewMs) / 1000))
    this.#found('clock', isClockWrong(skewMs) ? finding('clock-differs', { skew: skewWords(skewMs), sec: Math.round(skewMs / 1000) }) : finding('clock-agrees', { sec }))
  }

  async #version(ms: number): Promise<void> {
    const [version, health] = await Promise.all([this.#json('/version'), this.#json('/health')])
    const text = typeof version?.['version'] === 'string' ? /^v?(\d+\.\d+(?:\.\d+)?(?:-[\w.]{1,20})?)/.exec(version['version'])?.[1] : undefined
    if (health?.['status'] === 'fail') return this.#found('server', finding('server-unwell', { ms }))
    this.#found('server', text === undefined ? finding('server-answers', { ms }) : finding('server-headscale', { version: text, ms }))
  }

  async #json(path: string): Promise<Record<string, unknown> | undefined> {
    try {
      const { body } = await this.#ways.fetch({ method: 'GET', url: new URL(path, this.#url).href, timeoutMs: WEB_MS, maxBytes: MAX_BYTES, signal: this.#stop.signal })
      const json: unknown = JSON.parse(new TextDecoder().decode(body))
      return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined
    } catch {
      return undefined
    }
  }

  /** Headscale's own relay stands at the server's address; where it has another port than the usual, nothing can be said. */
  async #udp(): Promise<void> {
    const { world } = this.#deps
    if (this.#proxy !== undefined || this.#address === undefined) return this.#found('udp', finding('udp-unknown'))
    const [seen, hasRelay] = await Promise.all([world.stun(this.#address, STUN_DEFAULT_PORT, STUN_MS, this.#stop.signal), this.#hasRelay()])
    const isUsualPort = this.#url.port === ''
    this.#found('udp', seen !== undefined ? finding('udp-open', { address: seen }) : finding(hasRelay && isUsualPort ? 'udp-silent' : 'udp-unknown'))
  }

  async #hasRelay(): Promise<boolean> {
    try {
      const url = new URL('/derp/probe', this.#url).href
      return (await this.#ways.fetch({ method: 'GET', url, timeoutMs: WEB_MS, maxBytes: MAX_BYTES, signal: this.#stop.signal })).status === 200
    } catch {
      return false
    }
  }

  /** A server that proves who it is behind its certificate, or answers as none but a control server does, has no page before it. */
  async #signInPage(way: Promise<void>): Promise<void> {
    const found = this.#tls ? await this.#deps.world.portal(this.#deps.server, this.#ways, this.#stop.signal) : undefined
    if (found) return this.#found('sign-in-page', finding('page-found'))
    await way
    const isThrough = this.findings.get('server')?.code.startsWith('server-') === true || this.findings.get('certificate')?.state === 'good'
    this.#found('sign-in-page', finding(isThrough ? 'page-none' : 'page-unknown'))
  }

  #since(startMs: number): number {
    return Math.max(1, Math.round(this.#deps.env.clock.nowMs() - startMs))
  }

  #lookHere(): void {
    const { vpns, range, keys } = this.#deps.local()
    const names = (all: LocalFacts['vpns']): string => printable(all.slice(0, 3).map(({ product, interface: name }) => `${product} (${name})`).join(', '))
    const carrying = vpns.filter(({ carriesAll }) => carriesAll)
    if (carrying.length > 0) this.#found('other-vpn', finding('vpn-carries', { vpns: names(carrying) }))
    else if (range) this.#found('other-vpn', finding('vpn-range', { interface: printable(range.interface), network: range.text }))
    else this.#found('other-vpn', vpns.length > 0 ? finding('vpn-beside', { vpns: names(vpns) }) : finding('vpn-none'))
    this.#found('key-store', finding(`keys-${keys.kind}`, 'why' in keys ? { why: printable(keys.why) } : {}))
    this.#found('rights', finding('rights-none'))
  }
}
