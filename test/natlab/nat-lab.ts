/**
 * A tailnet over the NAT lab's networks: Headscale and two derpers on the internet, nodes of either kind at sites.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Derper } from '../interop/lab/derper.ts'
import { ALLOW_ALL, Headscale } from '../interop/lab/headscale.ts'
import { LabNode, type NodeKind } from '../interop/lab/node.ts'
import type { Peers } from '../interop/lab/peers.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { Networks, serverAddress6, type LineOptions, type Site, type SiteKind } from './networks.ts'

/** Headscale and the relays have addresses of their own: with one STUN address alone nobody can tell a hard NAT. */
const SERVERS = ['203.0.113.1', '203.0.113.2', '203.0.113.3'] as const

/** How much of each log is shown after a failure. */
const SHOWN_LOG = 6000

/** Another server on the internet, beside those of the tailnet: its address, and its index for `Networks.server`. */
export const PUBLIC_SERVER = { address: '203.0.113.4', index: 3 } as const

export const TUN_DEVICE: Readonly<Record<NodeKind, string>> = { tailscaled: 'tailscale0', bowline: 'bowline0' }

export interface JoinOptions {
  /** The line of a site that is made for the node. */
  readonly line?: LineOptions
  readonly env?: Readonly<Record<string, string>>
  /** More flags of the daemon. */
  readonly args?: readonly string[]
  /** It leaves the tailnet when it logs out. */
  readonly ephemeral?: boolean
  /** More words for `up`. */
  readonly words?: readonly string[]
  /** The whole computer is on the tailnet, by a TUN device. The site should have files of its own. */
  readonly whole?: boolean
}

export class NatLab {
  readonly networks = new Networks()
  readonly folder = makeTempDir('nat')
  readonly nodes: LabNode[] = []
  readonly headscale: Headscale
  readonly derpers: readonly Derper[]
  readonly #peers: Peers
  readonly #keys = new Map<boolean, Promise<string>>()

  /** `webRelays`: the map says that the relays serve plain HTTP; whoever wants that serves it. */
  constructor(peers: Peers, { webRelays = false }: { webRelays?: boolean } = {}) {
    this.#peers = peers
    const place = (index: 0 | 1 | 2): { host: string; host6: string; prefix: readonly string[] } => ({ host: SERVERS[index], host6: serverAddress6(SERVERS[index]), prefix: this.networks.server(index) })
    this.derpers = ([1, 2] as const).map((index) => new Derper({ program: peers.derper, folder: this.folder, region: 899 + index, hasWeb: webRelays, ...place(index) }))
    const folder = join(this.folder, 'hs')
    mkdirSync(folder)
    const derpFiles = this.derpers.map(({ code }) => join(this.folder, `${code}.yaml`))
    this.headscale = new Headscale({ program: peers.headscale, folder, derpFiles, policy: ALLOW_ALL, ...place(0) })
  }

  /** `farRelayMs`: the second relay is that far away each way, so that the first is everybody's home. */
  async start({ farRelayMs }: { readonly farRelayMs?: number } = {}): Promise<void> {
    await this.networks.start([...SERVERS, PUBLIC_SERVER.address], farRelayMs === undefined ? {} : { 2: { delayMs: farRelayMs } })
    for (const derper of this.derpers) await derper.writeMap()
    await this.headscale.start()
    await Promise.all(this.derpers.map((derper) => derper.start(`${this.headscale.url}/verify`)))
  }

  /** A node that has joined, at a site of its own or at one given. */
  async join(kind: NodeKind, name: string, at: SiteKind | Site, options: JoinOptions = {}): Promise<LabNode> {
    const site = typeof at === 'string' ? await this.networks.add(at, options.line) : at
    const realKind = process.env['BOWLINE_LAB_ENGINE'] === 'tailscaled' ? 'tailscaled' : kind
    const args = [...(options.whole === true ? [`--tun=${TUN_DEVICE[realKind]}`] : []), ...(options.args ?? [])]
    const node = new LabNode({
      kind: realKind,
      name,
      folder: this.folder,
      loginUrl: site.address === '' ? this.headscale.url.replace(SERVERS[0], `[${serverAddress6(SERVERS[0])}]`) : this.headscale.url,
      ...(options.env === undefined ? {} : { env: options.env }),
      args,
      tailscaled: this.#peers.tailscaled,
      tailscale: this.#peers.tailscale,
      prefix: site.prefix,
    })
    this.nodes.push(node)
    await node.start()
    await node.up(await this.#authKey(options.ephemeral === true), ...(options.words ?? []))
    return node
  }

  /** One key for all nodes of a sort: making one costs the server more than a join. */
  #authKey(ephemeral: boolean): Promise<string> {
    let key = this.#keys.get(ephemeral)
    if (key === undefined) {
      key = this.headscale.authKey({ ephemeral, reusable: true })
      this.#keys.set(ephemeral, key)
    }
    return key
  }

  /** The newest part of every log, for people. */
  logs(): string {
    const parts = [...this.nodes, ...this.derpers.map(({ code, log }) => ({ name: code, log })), { name: 'headscale', log: this.headscale.log }]
    return parts.map(({ name, log }) => `----- ${name}\n${log.slice(-SHOWN_LOG)}`).join('\n')
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await Promise.all([...this.derpers.map((derper) => derper.stop()), this.headscale.stop()])
    await this.networks.stop()
    removeTempDir(this.folder)
  }
}
