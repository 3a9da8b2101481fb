/**
 * The demo's tailnet on one machine: a control server with its sign-in page, a relay with STUN, a NAT that holds direct
 * traffic back, and four peers that are engines of our own. Everything listens on 127.0.0.1 or on Unix sockets below
 * one private folder.
 *
 *   web         serves a page                files       serves files, routes a network, and could be an exit node too
 *   laptop      somebody's, serves nothing   exit-node   offers to carry others' internet traffic
 *
 * Engines run without the machine's interface addresses, so the one endpoint that each can publish is what STUN tells
 * it: its public port at the gate. While the gate is shut, whatever reaches a peer went through the relay.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { parseNodeKey } from '../../../main/engine/base/keys.ts'
import type { DaemonOptions } from '../../../main/localapi/daemon-options.ts'
import { SimControl } from '../control/sim-control.ts'
import { SimDerp } from '../derp/sim-derp.ts'
import { UdpGate } from '../net/udp-gate.ts'
import { LocalApi } from './local-api.ts'
import { startFileServer, startWebServer } from './peer-services.ts'

/** How the engine's entry is used here. */
export type StartEngine = (
  options: DaemonOptions & {
    readonly env?: Readonly<Record<string, string>>
    readonly interfaces?: () => readonly { name: string; ip: string; internal: boolean }[]
    readonly log?: (line: string) => void
  },
) => Promise<{ readonly socks5: AddrPort | undefined; readonly httpProxy: AddrPort | undefined; stop(): Promise<void> }>

/** One running engine and the way to it. */
export interface DemoEngine {
  readonly name: string
  readonly api: LocalApi
  readonly socketPath: string
  readonly socks5: AddrPort | undefined
  readonly httpProxy: AddrPort | undefined
  /** Ends this engine alone; its state stays. */
  stop(): Promise<void>
}

export interface DemoNetworkOptions {
  /** An empty private folder that the caller removes. */
  readonly folder: string
  readonly startEngine: StartEngine
  /** Log lines of the engines, with their names. */
  readonly log: (name: string, line: string) => void
}

export const PEERS = ['web', 'files', 'laptop', 'exit-node'] as const
export type PeerName = (typeof PEERS)[number]

/** A network behind the file server; nothing lives there. */
export const OFFICE_NETWORK = '10.20.0.0/24'
const INTERNET: readonly string[] = ['0.0.0.0/0', '::/0']
const OFFERED: Readonly<Partial<Record<PeerName, readonly string[]>>> = { 'exit-node': INTERNET, files: [OFFICE_NETWORK, ...INTERNET] }

const NETWORK_NAME = 'Demo network'
const DOMAIN = 'demo.internal'
const ENVIRONMENT = { TS_DEBUG_USE_DERP_HTTP: 'true', TS_NO_LOGS_NO_SUPPORT: 'true', TS_DISABLE_PORTMAPPER: 'true' }
const ICMP = [1, 58]
const ANY_PORT: AddrPort = { ip: '127.0.0.1', port: 0 }

export class DemoNetwork {
  readonly gate = new UdpGate()
  readonly control: SimControl
  readonly derp: SimDerp
  readonly #options: DemoNetworkOptions
  readonly #stops: (() => Promise<void>)[] = []
  #web: Awaited<ReturnType<typeof startWebServer>> | undefined
  #files: Awaited<ReturnType<typeof startFileServer>> | undefined

  constructor(options: DemoNetworkOptions) {
    this.#options = options
    this.control = new SimControl({ domain: DOMAIN, networkName: NETWORK_NAME, approveRoutes: true })
    const known = (key: string): boolean => this.control.tailnet.nodeByKey(key) !== undefined
    this.derp = new SimDerp({
      code: 'demo',
      name: 'Demo relay',
      verify: (key) => known(parseNodeKey(key) ?? ''),
      seenAs: (from) => this.gate.publicOf(from),
    })
  }

  /** Starts the servers and what runs behind the peers; no engine yet. */
  async start(): Promise<void> {
    await this.control.start()
    this.#stops.push(() => this.control.stop())
    this.#stops.push(() => this.gate.stop())
    await this.derp.start()
    this.#stops.push(() => this.derp.stop())
    const web = await startWebServer('Hello from the demo web server')
    this.#web = web
    this.#stops.push(() => web.stop())
    const files = await startFileServer()
    this.#files = files
    this.#stops.push(() => files.stop())
    this.control.tailnet.setDerpMap(this.derp.derpMap())
    this.control.tailnet.setPolicy({
      rules: [
        { from: ['*'], to: [`web:${this.webPort}`, `files:${this.filesPort}`] },
        { from: ['*'], to: ['autogroup:internet:*', `${OFFICE_NETWORK}:*`] },
        { from: ['*'], to: ['*:*'], protocols: ICMP },
      ],
    })
  }

  get webPort(): number {
    return this.#web?.port ?? 0
  }

  get filesPort(): number {
    return this.#files?.port ?? 0
  }

  /** Size and hash of the files on the file server, by name. */
  get files(): ReadonlyMap<string, { sizeBytes: number; sha256: string }> {
    return this.#files?.files ?? new Map()
  }

  /** Requests that the web server has answered. */
  webHits(): number {
    return this.#web?.hits() ?? 0
  }

  /** An engine signed in with an auth key. */
  async startPeer(name: PeerName): Promise<DemoEngine> {
    const engine = await this.startEngine(name, false)
    await engine.api.call('start', {
      body: {
        AuthKey: this.control.createAuthKey({ login: name === 'laptop' ? 'mia' : 'office' }),
        UpdatePrefs: {
          ControlURL: this.control.url,
          WantRunning: true,
          Hostname: name,
          AdvertiseRoutes: OFFERED[name] ?? [],
        },
      },
    })
    return engine
  }

  /** An engine as `bowline daemon` starts it: signed out, or with the state that an engine of that name has left. */
  async startEngine(name: string, withProxies: boolean): Promise<DemoEngine> {
    const stateDir = join(this.#options.folder, name)
    mkdirSync(stateDir, { mode: 0o700, recursive: true })
    const socketPath = join(this.#options.folder, `${name}.sock`)
    const proxy = withProxies ? ANY_PORT : undefined
    const engine = await this.#options.startEngine({
      stateDir,
      statePath: undefined,
      socketPath,
      port: 0,
      socks5: proxy,
      httpProxy: proxy,
      configPath: undefined,
      verbose: 0,
      debug: undefined,
      noLogsNoSupport: true,
      env: ENVIRONMENT,
      encryptState: false,
      interfaces: () => [],
      log: (line) => this.#options.log(name, line),
    })
    let ended: Promise<void> | undefined
    const stop = (): Promise<void> => (ended ??= engine.stop())
    this.#stops.push(stop)
    return { name, api: new LocalApi(socketPath), socketPath, socks5: engine.socks5, httpProxy: engine.httpProxy, stop }
  }

  /** Ends everything, the last started first; goes on when a part fails to end. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) {
      await stop().catch((error: unknown) => this.#options.log('demo', `stopping: ${String(error)}`))
    }
  }
}
