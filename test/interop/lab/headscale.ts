/**
 * A real Headscale on loopback: plain HTTP, SQLite in a temporary folder, policy from a file, every map response that it
 * sends written down (HEADSCALE_DEBUG_DUMP_MAPRESPONSE_PATH), so that tests know when a message left the server.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Child, run, runOk } from '../../support/child.ts'
import { freeTcpPort, freeUdpPort } from '../../support/ports.ts'
import { waitFor } from '../../support/wait.ts'
import type { OidcConfig } from './identity-provider.ts'

/** Parts of a policy that the tests use; Headscale takes it as (Hu)JSON. */
export interface Policy {
  groups?: Record<string, string[]>
  tagOwners?: Record<string, string[]>
  hosts?: Record<string, string>
  acls: { action: 'accept'; proto?: string; src: string[]; dst: string[] }[]
  grants?: { src: string[]; dst: string[]; ip?: string[]; app?: Record<string, unknown[]> }[]
}

export const ALLOW_ALL: Policy = { acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }] }

export interface HeadscaleOptions {
  program: string
  /** Folder for its state. */
  folder: string
  /** DERP map files (derp.paths). Without any, the embedded relay is used. */
  derpFiles: readonly string[]
  policy: Policy
  names?: Names
  /** Starts or names the identity provider that people sign in with, knowing where they are to come back to. */
  oidc?: (redirectUri: string) => Promise<OidcConfig>
  /** How long a link to sign in is good, in s; the server's own default is 15 minutes. */
  linkSec?: number
  /** Address to serve on, for namespaces; the default is loopback with free ports. */
  host?: string
  /** Its IPv6 address too; the server then has a namespace of its own and serves on all addresses there. */
  host6?: string
  /** Another place on this machine, with free ports too. */
  at?: ServerPlace
  prefix?: readonly string[]
}

/** What the server says of names beside those of devices. */
export interface Names {
  readonly split?: Readonly<Record<string, readonly string[]>>
  readonly search?: readonly string[]
  readonly records?: readonly { readonly name: string; readonly type: 'A' | 'AAAA'; readonly value: string }[]
}

export interface ServerPlace {
  /** Address to serve on, as a URL writes it: 127.0.0.1, [::1]. */
  readonly listen: string
  /** Host that clients are told, where it is another. */
  readonly name?: string
  /** Certificate and key, PEM files: the server then speaks TLS alone. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
  /** UDP port of its own relay, for who expects the usual one. */
  readonly stunPort?: number
}

export interface HeadscaleNode {
  id: number
  name: string
  given_name: string
  ip_addresses: string[]
  online?: boolean
  node_key: string
  user: { name: string }
}

export interface SentMessage {
  /** When the file was written, wall clock ms. */
  atMs: number
  kind: string
  body: Record<string, unknown>
}

export class Headscale {
  readonly #options: HeadscaleOptions
  readonly #host: string
  #child: Child | undefined
  #port = 0
  #pastLogs = ''
  #version: string | undefined
  #oidc: OidcConfig | undefined

  constructor(options: HeadscaleOptions) {
    this.#options = options
    this.#host = options.host ?? options.at?.listen ?? '127.0.0.1'
  }

  get url(): string {
    const { at } = this.#options
    return `${at?.tls ? 'https' : 'http'}://${at?.name ?? this.#host}:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error('Headscale is not running')
    return this.#child.pid
  }

  get log(): string {
    return this.#pastLogs + (this.#child?.log ?? '')
  }

  /** Writes the configuration and starts the server; resolves when it answers. */
  async start(): Promise<void> {
    const { folder } = this.#options
    mkdirSync(join(folder, 'dump'), { recursive: true })
    this.#port = this.#options.host === undefined ? await freeTcpPort() : 8080
    const ports = { metrics: await freeTcpPort(), grpc: await freeTcpPort(), stun: this.#options.at?.stunPort ?? (await freeUdpPort()) }
    this.#writePolicy(this.#options.policy)
    this.#oidc = await this.#options.oidc?.(`${this.url}/oidc/callback`)
    writeFileSync(this.#config, this.#configText(ports))
    await this.#launch()
    await this.cli('users', 'create', 'alice')
  }

  get #config(): string {
    return join(this.#options.folder, 'config.yaml')
  }

  #writePolicy(policy: Policy): void {
    writeFileSync(join(this.#options.folder, 'policy.json'), JSON.stringify(policy))
  }

  #configText(ports: { metrics: number; grpc: number; stun: number }): string {
    const { folder, derpFiles, at } = this.#options
    const host = this.#host
    return `
server_url: ${this.url}
listen_addr: "${this.#options.host6 === undefined ? host : '[::]'}:${this.#port}"
${at?.tls ? `tls_cert_path: ${at.tls.certFile}\ntls_key_path: ${at.tls.keyFile}\n` : ''}metrics_listen_addr: 127.0.0.1:${ports.metrics}
grpc_listen_addr: 127.0.0.1:${ports.grpc}
grpc_allow_insecure: false
noise: {private_key_path: ${folder}/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48", allocation: sequential}
derp:
  server:
    enabled: ${derpFiles.length === 0}
    region_id: 999
    region_code: headscale
    region_name: Lab DERP
    verify_clients: true
    stun_listen_addr: "${host}:${ports.stun}"
    private_key_path: ${folder}/derp.key
    automatically_add_embedded_derp_region: true
    ${host.startsWith('[') ? `ipv6: "${host.slice(1, -1)}"` : `ipv4: ${host}`}
  urls: []
  paths: ${JSON.stringify(derpFiles)}
  auto_update_enabled: false
disable_check_updates: true
node: {expiry: 0, ephemeral: {inactivity_timeout: 2m}}
database: {type: sqlite, sqlite: {path: ${folder}/db.sqlite, write_ahead_log: true}}
log: {level: debug, format: text}
policy: {mode: file, path: ${folder}/policy.json}
dns:
  magic_dns: true
  base_domain: lab.internal
  override_local_dns: false
  nameservers: {global: [], split: ${JSON.stringify(this.#options.names?.split ?? {})}}
  search_domains: ${JSON.stringify(this.#options.names?.search ?? [])}
  extra_records: ${JSON.stringify(this.#options.names?.records ?? [])}
unix_socket: ${folder}/hs.sock
unix_socket_permission: "0770"
taildrop: {enabled: true}
logtail: {enabled: false}
${this.#oidcText()}${this.#options.linkSec === undefined ? '' : `tuning: {register_cache_expiration: ${this.#options.linkSec}s, register_cache_cleanup: 1s}\n`}`
  }

  #oidcText(): string {
    if (!this.#oidc) return ''
    const { issuer, clientId, clientSecret, useExpiryFromToken } = this.#oidc
    return `oidc:
  only_start_if_oidc_is_available: true
  issuer: ${issuer}
  client_id: ${clientId}
  client_secret: ${clientSecret}
  scope: [openid, profile, email]
  use_expiry_from_token: ${useExpiryFromToken === true}
`
  }

  async #launch(): Promise<void> {
    const child = new Child({
      name: 'headscale',
      command: this.#options.program,
      args: ['-c', this.#config, 'serve'],
      env: { HEADSCALE_DEBUG_DUMP_MAPRESPONSE_PATH: join(this.#options.folder, 'dump') },
      ...(this.#options.prefix === undefined ? {} : { prefix: this.#options.prefix }),
    })
    this.#child = child
    const socket = join(this.#options.folder, 'hs.sock')
    await waitFor(
      'Headscale to serve',
      async () => {
        child.assertRunning()
        if (!existsSync(socket)) return false
        if (this.#options.host !== undefined) return true
        if (this.#options.at) return listens(this.#host.replace(/^\[|\]$/g, ''), this.#port)
        return (await fetch(`${this.url}/health`)).status === 200
      },
      { withinMs: 20_000 },
    )
  }

  /** Ends the server (as a crash with `kill`), keeping its state. */
  async stop(how: 'term' | 'kill' = 'term'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    await (how === 'kill' ? child.kill() : child.stop())
    this.#pastLogs += child.log
    this.#child = undefined
  }

  /** Starts the server again with the same state and ports. */
  async restart(): Promise<void> {
    await this.stop()
    await this.#launch()
  }

  /** Starts a stopped server again. */
  async resume(): Promise<void> {
    await this.#launch()
  }

  /** Runs one headscale command and returns its output. */
  cli(...words: string[]): Promise<string> {
    return runOk(this.#options.program, ['-c', this.#config, ...words])
  }

  async #json<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.cli('-o', 'json', ...words)) as T
  }

  /** Makes an auth key of user `alice`: single use and valid for one hour unless said otherwise. */
  async authKey(options: { reusable?: boolean; ephemeral?: boolean; expiration?: string; tags?: string } = {}): Promise<string> {
    const words = ['preauthkeys', 'create', '--user', '1']
    if (options.reusable === true) words.push('--reusable')
    if (options.ephemeral === true) words.push('--ephemeral')
    if (options.expiration !== undefined) words.push('--expiration', options.expiration)
    if (options.tags !== undefined) words.push('--tags', options.tags)
    return (await this.#json<{ key: string }>(...words)).key
  }

  async #isBefore(): Promise<boolean> {
    this.#version ??= await this.cli('version')
    return /^headscale version v?0\.28\./m.test(this.#version)
  }

  /** Lets in the device that was given this sign-in link, as `user`: what an admin does by hand. */
  async approve(link: string, user = 'alice'): Promise<void> {
    const id = new URL(link).pathname.split('/').at(-1) ?? ''
    await ((await this.#isBefore()) ? this.cli('nodes', 'register', '--user', user, '--key', id) : this.cli('auth', 'register', '--user', user, '--auth-id', id))
  }

  nodes(): Promise<HeadscaleNode[]> {
    return this.#json<HeadscaleNode[]>('nodes', 'list')
  }

  /** Returns the node of that (given) name, or throws. */
  async node(name: string): Promise<HeadscaleNode> {
    const found = (await this.nodes()).find((node) => node.given_name === name)
    if (found === undefined) throw new Error(`Headscale knows no node ${name}`)
    return found
  }

  async rename(id: number, name: string): Promise<void> {
    await this.cli('nodes', 'rename', '-i', String(id), name)
  }

  async remove(id: number): Promise<void> {
    await this.cli('nodes', 'delete', '-i', String(id), '--force')
  }

  async approveRoutes(id: number, routes: readonly string[]): Promise<void> {
    await this.cli('nodes', 'approve-routes', '-i', String(id), '-r', routes.join(','))
  }

  /** Replaces the policy; the server reads it at once. */
  async setPolicy(policy: Policy): Promise<void> {
    this.#writePolicy(policy)
    // 0.28 checks a policy without knowing a configuration.
    const config = (await this.#isBefore()) ? [] : ['-c', this.#config]
    const checked = await run(this.#options.program, [...config, 'policy', 'check', '-f', join(this.#options.folder, 'policy.json')])
    if (checked.code !== 0) throw new Error(`the policy is not valid: ${checked.stdout}${checked.stderr}`)
    this.#child?.signal('SIGHUP')
  }

  /** What the server has sent to one node so far, oldest first. */
  sentTo(id: number, sinceMs = 0): SentMessage[] {
    const folder = join(this.#options.folder, 'dump', String(id))
    if (!existsSync(folder)) return []
    const messages: SentMessage[] = []
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      const atMs = statSync(path).mtimeMs
      if (atMs < sinceMs) continue
      try {
        messages.push({ atMs, kind: name, body: JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown> })
      } catch {
        // The server is still writing this file: it is seen at the next question.
      }
    }
    return messages.sort((a, b) => a.atMs - b.atMs)
  }
}

/** Whether somebody takes connections there. */
function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
