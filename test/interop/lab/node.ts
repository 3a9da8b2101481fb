/**
 * A node of the lab: a tailscaled, or an engine of ours, as a process. Both take the same flags and environment, serve the
 * same LocalAPI and stand behind the same kind of proxies, so the suites treat them alike.
 */
import { existsSync, mkdirSync, rmSync, unlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dirname, join } from 'node:path'
import { Child, run, type Exit, type RunResult } from '../../support/child.ts'
import { freeTcpPort, freeUdpPort } from '../../support/ports.ts'
import type { Via } from '../../support/proxy-client.ts'
import { waitFor } from '../../support/wait.ts'
import { LocalApi, type PeerStatus, type PingResult } from './local-api.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const nodeProgram = `${root}node_modules/.bin/node`
const engineSource = `${root}build/scripts/bowline.mjs`

export type NodeKind = 'tailscaled' | 'bowline'

export interface NodeOptions {
  /** Host name given at `up`; also the folder's name. */
  name: string
  kind: NodeKind
  tailscaled: string
  tailscale: string
  /** Folder that holds the node's folder. */
  folder: string
  loginUrl: string
  /** More environment, such as TS_DEBUG_ALWAYS_USE_DERP. */
  env?: Readonly<Record<string, string>>
  /** Our engine looks for a keyring, as it does by itself; else it is told to keep its keys in the file. */
  looksForKeyring?: boolean
  /** More flags of the daemon. */
  args?: readonly string[]
  /** Words before the command, such as `ip netns exec NAME`. */
  prefix?: readonly string[]
  /** Another Node to run our engine and our command. */
  nodeProgram?: string
  /** Address of the proxies; the default is 127.0.0.1. */
  proxyHost?: string
}

export class LabNode {
  readonly name: string
  readonly kind: NodeKind
  readonly folder: string
  readonly api: LocalApi
  socksPort = 0
  httpPort = 0
  udpPort = 0
  /** How long a command may take. */
  commandMs = 60_000
  readonly #options: NodeOptions
  #child: Child | undefined
  #pastLogs = ''

  constructor(options: NodeOptions) {
    this.#options = options
    this.name = options.name
    this.kind = options.kind
    this.folder = join(options.folder, options.name)
    this.api = new LocalApi(join(options.folder, 'run', options.name))
  }

  /** Words before its commands: where it lives. */
  get prefix(): readonly string[] {
    return this.#options.prefix ?? []
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`${this.name} is not running`)
    return this.#child.pid
  }

  get log(): string {
    return this.#pastLogs + (this.#child?.log ?? '')
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} is not running`)
    return this.#child
  }

  /** Environment of the daemon: the lab's table plus what this node was given. */
  get env(): Record<string, string> {
    return {
      TS_DEBUG_USE_DERP_HTTP: 'true',
      TS_NO_LOGS_NO_SUPPORT: 'true',
      TS_DISABLE_PORTMAPPER: 'true',
      TS_LOGS_DIR: this.folder,
      ...this.#options.env,
    }
  }

  /** The daemon's command line. */
  get command(): { command: string; args: string[] } {
    const host = this.#options.proxyHost ?? '127.0.0.1'
    const flags = [
      '--tun=userspace-networking',
      `--statedir=${this.folder}`,
      `--socket=${this.api.socketPath}`,
      `--socks5-server=${host}:${this.socksPort}`,
      `--outbound-http-proxy-listen=${host}:${this.httpPort}`,
      `--port=${this.udpPort}`,
      ...(this.#options.args ?? []),
    ]
    if (this.kind === 'tailscaled') return { command: this.#options.tailscaled, args: flags }
    return { command: this.#options.nodeProgram ?? nodeProgram, args: [engineSource, 'daemon', ...(this.#options.looksForKeyring === true ? [] : ['--encrypt-state=false']), ...flags] }
  }

  /** Starts the daemon; resolves when its LocalAPI answers. Ports stay the same over restarts. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    mkdirSync(this.folder, { recursive: true })
    mkdirSync(dirname(this.api.socketPath), { recursive: true, mode: 0o755 })
    if (this.socksPort === 0) {
      this.socksPort = await freeTcpPort()
      this.httpPort = await freeTcpPort()
      this.udpPort = await freeUdpPort()
    }
    if (existsSync(this.api.socketPath)) unlinkSync(this.api.socketPath)
    const child = new Child({
      name: this.name,
      ...this.command,
      env: { ...this.env, ...env },
      ...(this.#options.prefix === undefined ? {} : { prefix: this.#options.prefix }),
    })
    this.#child = child
    await waitFor(
      `${this.name} to serve its socket`,
      async () => {
        child.assertRunning()
        return existsSync(this.api.socketPath) && (await this.api.call('GET', 'status', undefined, {}, 2000)).status === 200
      },
      { withinMs: 20_000, everyMs: 10 },
    )
  }

  /** Ends the daemon (as a crash with `kill`), keeping its state. */
  async stop(how: 'term' | 'kill' = 'term'): Promise<Exit | undefined> {
    const child = this.#child
    if (child === undefined) return undefined
    const exit = await (how === 'kill' ? child.kill() : child.stop())
    this.#pastLogs += child.log
    this.#child = undefined
    return exit
  }

  /** Forgets everything the node has saved. The node must be stopped. */
  forget(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** The official command on this node's socket. */
  tailscale(...words: string[]): Promise<RunResult> {
    return run(this.#options.tailscale, [`--socket=${this.api.socketPath}`, ...words], { timeoutMs: this.commandMs, ...this.#runOptions })
  }

  /** Our command on this node's socket. */
  bowline(...words: string[]): Promise<RunResult> {
    return run(this.#options.nodeProgram ?? nodeProgram, [engineSource, `--socket=${this.api.socketPath}`, ...words], { timeoutMs: this.commandMs, ...this.#runOptions })
  }

  /** Our command on this node's socket, left running: for verbs that wait for a person. */
  startBowline(...words: string[]): Child {
    return new Child({ name: `bowline ${words[0] ?? ''}`, command: nodeProgram, args: [engineSource, `--socket=${this.api.socketPath}`, ...words], ...this.#runOptions })
  }

  get #runOptions(): { prefix?: readonly string[] } {
    return this.#options.prefix === undefined ? {} : { prefix: this.#options.prefix }
  }

  /** Joins with an auth key and resolves when the node is Running. More words go to `up` as they are. */
  async up(authKey: string, ...words: string[]): Promise<void> {
    const up = ['up', `--login-server=${this.#options.loginUrl}`, `--auth-key=${authKey}`, `--hostname=${this.name}`, '--timeout=30s', ...words]
    const result = await this.tailscale(...up)
    if (result.code !== 0) throw new Error(`${this.name}: up failed (${String(result.code)}): ${result.stdout}${result.stderr}`)
    await this.waitState('Running', 30_000)
  }

  /** Resolves when BackendState is `state`. */
  async waitState(state: string, withinMs: number): Promise<void> {
    await waitFor(
      `${this.name} to be ${state}`,
      async () => {
        const { BackendState } = await this.api.status()
        if (BackendState !== state) throw new Error(`it is ${BackendState}`)
        return true
      },
      { withinMs },
    )
  }

  /** This node's first IPv4 and IPv6 address in the tailnet. */
  async ips(): Promise<{ v4: string; v6: string }> {
    const { TailscaleIPs } = await this.api.status()
    const v4 = TailscaleIPs?.find((ip) => ip.includes('.'))
    const v6 = TailscaleIPs?.find((ip) => ip.includes(':'))
    if (v4 === undefined || v6 === undefined) throw new Error(`${this.name} has no addresses yet`)
    return { v4, v6 }
  }

  /** What this node knows of a peer, by the first label of its DNS name; undefined when it knows none. */
  async peer(name: string): Promise<PeerStatus | undefined> {
    const { Peer } = await this.api.status()
    return Object.values(Peer ?? {}).find((peer) => peer.DNSName.split('.')[0] === name)
  }

  /** Resolves when a disco ping to `other` is answered: the tunnel between the two is usable from here. */
  async waitUsable(other: LabNode, withinMs = 30_000): Promise<PingResult> {
    const { v4 } = await other.ips()
    await waitFor(
      `${this.name} to see ${other.name} online with a relay`,
      async () => {
        const peer = await this.peer(other.name)
        return peer !== undefined && peer.Online && peer.Relay !== ''
      },
      { withinMs },
    )
    return waitFor(
      `a disco pong from ${other.name} to ${this.name}`,
      async () => {
        const result = await this.api.ping(v4, 'disco')
        if (result.Err !== '') throw new Error(result.Err)
        return result
      },
      { withinMs },
    )
  }

  /** Resolves when disco pings to `other` come back directly. */
  async waitDirect(other: LabNode, withinMs = 30_000): Promise<PingResult> {
    const { v4 } = await other.ips()
    return waitFor(
      `a direct path from ${this.name} to ${other.name}`,
      async () => {
        const result = await this.api.ping(v4, 'disco')
        if (result.Endpoint === '') throw new Error(result.Err === '' ? `via relay ${result.DERPRegionCode}` : result.Err)
        return result
      },
      { withinMs, everyMs: 100 },
    )
  }

  /** A SOCKS5 or HTTP way into the tailnet through this node. */
  via(kind: 'socks5' | 'http' = 'socks5'): Via {
    const proxyHost = this.#options.proxyHost ?? '127.0.0.1'
    return { kind, port: kind === 'socks5' ? this.socksPort : this.httpPort, proxyHost }
  }
}
