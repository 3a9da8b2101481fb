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
import { Networks, type Site, type SiteKind } from './networks.ts'

/** Headscale and the relays have addresses of their own: with one STUN address alone nobody can tell a hard NAT. */
const SERVERS = ['203.0.113.1', '203.0.113.2', '203.0.113.3'] as const

export class NatLab {
  readonly networks = new Networks()
  readonly folder = makeTempDir('nat')
  readonly nodes: LabNode[] = []
  readonly headscale: Headscale
  readonly derpers: readonly Derper[]
  readonly #peers: Peers

  constructor(peers: Peers) {
    this.#peers = peers
    const prefix = this.networks.internet
    this.derpers = [900, 901].map((region, i) => new Derper({ program: peers.derper, folder: this.folder, region, host: SERVERS[i + 1]!, prefix }))
    const folder = join(this.folder, 'hs')
    mkdirSync(folder)
    const derpFiles = this.derpers.map(({ code }) => join(this.folder, `${code}.yaml`))
    this.headscale = new Headscale({ program: peers.headscale, folder, derpFiles, policy: ALLOW_ALL, host: SERVERS[0], prefix })
  }

  async start(): Promise<void> {
    await this.networks.start(SERVERS)
    for (const derper of this.derpers) await derper.writeMap()
    await this.headscale.start()
    await Promise.all(this.derpers.map((derper) => derper.start(`${this.headscale.url}/verify`)))
  }

  /** A node that has joined, at a site of its own or at one given. */
  async join(kind: NodeKind, name: string, at: SiteKind | Site): Promise<LabNode> {
    const site = typeof at === 'string' ? await this.networks.add(at) : at
    const node = new LabNode({
      kind, name,
      folder: this.folder,
      loginUrl: this.headscale.url,
      tailscaled: this.#peers.tailscaled,
      tailscale: this.#peers.tailscale,
      prefix: site.prefix,
    })
    this.nodes.push(node)
    await node.start()
    await node.up(await this.headscale.authKey())
    return node
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await Promise.all([...this.derpers.map((derper) => derper.stop()), this.headscale.stop()])
    await this.networks.stop()
    removeTempDir(this.folder)
  }
}
