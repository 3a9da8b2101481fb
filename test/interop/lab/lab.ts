/**
 * A whole tailnet on loopback: one Headscale, two derpers (or Headscale's embedded relay), any number of nodes, one byte
 * server as the service that is reached through the tunnels. Everything lives in one temporary folder and is ended by pid.
 *
 * With BOWLINE_LAB_ENGINE=tailscaled the nodes that would be ours are tailscaleds: a suite that fails so is itself wrong.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, runOk } from '../../support/child.ts'
import type { Check, Result } from '../../support/byte-peer.ts'
import type { Via } from '../../support/proxy-client.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { Derper } from './derper.ts'
import { ALLOW_ALL, Headscale, type Names, type Policy, type ServerPlace } from './headscale.ts'
import { IdentityProvider, type OidcConfig } from './identity-provider.ts'
import { MockOidc } from './mock-oidc.ts'
import { LabNode, type NodeKind } from './node.ts'
import type { Peers } from './peers.ts'

const bytePeer = fileURLToPath(new URL('../../support/byte-peer.ts', import.meta.url))

/** How much of each log is shown after a failure. */
const SHOWN_LOG = 12_000

export interface LabOptions {
  /**
   * `derpers`: two regions, 900 and 901, as programs of their own. `derper`: only the first, so that nobody can move away
   * from it. `embedded`: Headscale's own relay, region 999.
   */
  relays?: 'derpers' | 'derper' | 'embedded'
  policy?: Policy
  names?: Names
  /** `before`: the Headscale of the version before the current one. */
  headscale?: 'current' | 'before'
  /** Whom people sign in with: a whole identity provider with its pages, or Headscale's own mock with these users in turn. */
  identity?: 'provider' | { readonly mock: readonly string[] }
  /** How long an OIDC sign-in lasts, in s; without it for ever. */
  signInSec?: number
  /** How long a link to sign in is good, in s. */
  linkSec?: number
  /** Where the server is, when not plain on 127.0.0.1. */
  at?: ServerPlace
}

export interface AddOptions {
  env?: Readonly<Record<string, string>>
  /** More flags of the daemon. */
  args?: readonly string[]
  /** Words before the daemon's command. */
  prefix?: readonly string[]
  /** Another Node to run our engine and our command. */
  nodeProgram?: string
}

export class Lab {
  readonly folder = makeTempDir('lab')
  readonly peers: Peers
  readonly headscale: Headscale
  readonly derpers: readonly Derper[]
  readonly nodes: LabNode[] = []
  /** TCP port on 127.0.0.1 of the byte server. */
  bytePort = 0
  #identity: IdentityProvider | undefined
  #mock: MockOidc | undefined
  #byteServer: Child | undefined

  constructor(peers: Peers, options: LabOptions = {}) {
    this.peers = peers
    const regions = options.relays === 'embedded' ? [] : options.relays === 'derper' ? [900] : [900, 901]
    this.derpers = regions.map((region) => new Derper({ program: peers.derper, folder: this.folder, region }))
    const folder = join(this.folder, 'hs')
    mkdirSync(folder)
    this.headscale = new Headscale({
      program: options.headscale === 'before' ? peers.headscaleBefore : peers.headscale,
      folder,
      derpFiles: regions.map((region) => join(this.folder, `r${region}.yaml`)),
      policy: options.policy ?? ALLOW_ALL,
      ...(options.names === undefined ? {} : { names: options.names }),
      ...(options.identity === undefined ? {} : { oidc: (redirectUri) => this.#startIdentity(options, redirectUri) }),
      ...(options.at === undefined ? {} : { at: options.at }),
      ...(options.linkSec === undefined ? {} : { linkSec: options.linkSec }),
    })
  }

  /** The identity provider of a lab that has one. */
  get identity(): IdentityProvider {
    if (!this.#identity) throw new Error('this lab has no identity provider')
    return this.#identity
  }

  async #startIdentity({ identity, signInSec }: LabOptions, redirectUri: string): Promise<OidcConfig> {
    if (typeof identity === 'object') {
      this.#mock = new MockOidc(this.peers.headscale, identity.mock)
      await this.#mock.start()
      return this.#mock.config
    }
    this.#identity = new IdentityProvider({ redirectUri, ...(signInSec === undefined ? {} : { idTokenSec: signInSec }) })
    await this.#identity.start()
    return { ...this.#identity.config, useExpiryFromToken: signInSec !== undefined }
  }

  async start(): Promise<void> {
    for (const derper of this.derpers) await derper.writeMap()
    await this.headscale.start()
    await Promise.all(this.derpers.map((derper) => derper.start(`${this.headscale.url}/verify`)))
    const server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', '127.0.0.1', '0'] })
    this.#byteServer = server
    this.bytePort = await waitFor(
      'the byte server',
      () => {
        server.assertRunning()
        return server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined
      },
      { withinMs: 10_000 },
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await Promise.all([...this.derpers.map((derper) => derper.stop()), this.headscale.stop(), this.#byteServer?.stop()])
    await Promise.all([this.#identity?.stop(), this.#mock?.stop()])
    removeTempDir(this.folder)
  }

  /** Starts a node without joining it. */
  async add(kind: NodeKind, name: string, options: AddOptions = {}): Promise<LabNode> {
    const stand = process.env['BOWLINE_LAB_ENGINE'] === 'tailscaled' ? 'tailscaled' : kind
    const node = new LabNode({
      kind: stand,
      name,
      folder: this.folder,
      loginUrl: this.headscale.url,
      tailscaled: this.peers.tailscaled,
      tailscale: this.peers.tailscale,
      ...options,
    })
    this.nodes.push(node)
    await node.start()
    return node
  }

  /** Starts a node and joins it with a new auth key. */
  async join(kind: NodeKind, name: string, options: AddOptions = {}): Promise<LabNode> {
    const [node, key] = await Promise.all([this.add(kind, name, options), this.headscale.authKey()])
    await node.up(key)
    return node
  }

  /** Moves `count` bytes to or from this lab's byte server at `host`, or at `port` of it, through `via`, in a process of its own. */
  async transfer(verb: 'get' | 'put', via: Via, host: string, count: number, check: Check = 'hash', port = this.bytePort): Promise<Result> {
    const proxyPort = via.kind === 'none' ? 0 : via.port
    const words = [verb, via.kind, proxyPort, host, port, count, check].map(String)
    return JSON.parse(await runOk(process.execPath, [bytePeer, ...words], { timeoutMs: 110_000 })) as Result
  }

  /** The newest part of every log, for people. */
  logs(): string {
    const parts: [string, string][] = [
      ...this.nodes.map((node): [string, string] => [`${node.name} (${node.kind})`, node.log]),
      ['headscale', this.headscale.log],
      ['mockoidc', this.#mock?.log ?? ''],
      ...this.derpers.map((derper): [string, string] => [derper.code, derper.log]),
      ['byte server', this.#byteServer?.log ?? ''],
    ]
    return parts.map(([name, log]) => `----- ${name}\n${log.slice(-SHOWN_LOG)}`).join('\n')
  }
}
