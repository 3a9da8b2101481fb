/**
 * Two network namespaces joined by a link with delay and loss: one node of each kind in both, Headscale and two relays in
 * the second, so that everything between the two namespaces crosses the link. Linux, root.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Derper } from '../interop/lab/derper.ts'
import { ALLOW_ALL, Headscale } from '../interop/lab/headscale.ts'
import { LabNode, type NodeKind } from '../interop/lab/node.ts'
import type { Peers } from '../interop/lab/peers.ts'
import { Forwarder, type WayCounts } from '../natlab/forwarder.ts'
import { Child, run, runOk } from '../support/child.ts'
import type { Result } from '../support/byte-peer.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const bytePeer = `${root}test/support/byte-peer.ts`
const DEVICE = 'link0'
const LINK = 'a-b'
const HOSTS = { a: '10.77.0.1', b: '10.77.0.2' } as const

export type Side = 'a' | 'b'

export class LossLab {
  readonly folder = makeTempDir('loss')
  readonly nodes: LabNode[] = []
  readonly headscale: Headscale
  readonly #peers: Peers
  readonly #derpers: Derper[]
  readonly #names: Record<Side, string>
  readonly #forwarder = new Forwarder()
  #byteServer: Child | undefined
  #bytePort = 0

  constructor(peers: Peers) {
    this.#peers = peers
    this.#names = { a: `bwl-a-${process.pid}`, b: `bwl-b-${process.pid}` }
    const place = { host: HOSTS.b, prefix: this.prefix('b') }
    this.#derpers = [900, 901].map((region) => new Derper({ program: peers.derper, folder: this.folder, region, ...place }))
    const folder = join(this.folder, 'hs')
    mkdirSync(folder)
    const derpFiles = [900, 901].map((region) => join(this.folder, `r${region}.yaml`))
    this.headscale = new Headscale({ program: peers.headscale, folder, derpFiles, policy: ALLOW_ALL, ...place })
  }

  /** Words that run a command on one side. */
  prefix(side: Side): readonly string[] {
    return ['ip', 'netns', 'exec', this.#names[side]]
  }

  async start(): Promise<void> {
    await this.#forwarder.start()
    for (const name of Object.values(this.#names)) await runOk('ip', ['netns', 'add', name])
    const end = (side: Side): { namespace: string; device: string } => ({ namespace: this.#names[side], device: DEVICE })
    await this.#forwarder.link(LINK, end('a'), end('b'))
    for (const side of ['a', 'b'] as const) await this.#configure(side)
    for (const derper of this.#derpers) await derper.writeMap()
    await this.headscale.start()
    await Promise.all(this.#derpers.map((derper) => derper.start(`${this.headscale.url}/verify`)))
    const server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', '0.0.0.0', '0'], prefix: this.prefix('b') })
    this.#byteServer = server
    this.#bytePort = await waitFor('the byte server', () => (server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined), { withinMs: 10_000 })
  }

  async #configure(side: Side): Promise<void> {
    const ip = (...words: string[]): Promise<string> => runOk('ip', ['-n', this.#names[side], ...words])
    await ip('link', 'set', 'lo', 'up')
    await ip('addr', 'add', `${HOSTS[side]}/24`, 'dev', DEVICE)
    await ip('link', 'set', DEVICE, 'txqueuelen', '20000', 'up')
    await ip('route', 'add', 'default', 'dev', DEVICE)
    const settings = ['net.ipv4.tcp_rmem=4096 131072 67108864', 'net.ipv4.tcp_wmem=4096 131072 67108864']
    for (const setting of settings) await run('sysctl', ['-qw', setting], { prefix: this.prefix(side) })
  }

  /** Sets the delay and the loss of each way; the random series starts anew from the seed. */
  async setLink(link: { delayMs: number; lossPercent: number; seed: number }): Promise<void> {
    await this.#forwarder.set(LINK, link)
  }

  /** Packets passed, lost on purpose and dropped for want of room, from a to b and from b to a. */
  linkCounts(): Promise<readonly WayCounts[]> {
    return this.#forwarder.counts(LINK)
  }

  async join(kind: NodeKind, name: string, side: Side): Promise<LabNode> {
    const node = new LabNode({
      kind: process.env['BOWLINE_LAB_ENGINE'] === 'tailscaled' ? 'tailscaled' : kind,
      name,
      folder: this.folder,
      loginUrl: this.headscale.url,
      tailscaled: this.#peers.tailscaled,
      tailscale: this.#peers.tailscale,
      prefix: this.prefix(side),
    })
    this.nodes.push(node)
    await node.start()
    await node.up(await this.headscale.authKey())
    return node
  }

  /** Moves bytes between side a and the byte server on side b: through a node's proxy, or bare without one. */
  async transfer(verb: 'get' | 'put', from: LabNode | undefined, host: string, bytes: number): Promise<Result> {
    const words = [verb, from === undefined ? 'none' : 'socks5', from?.socksPort ?? 0, host, this.#bytePort, bytes, 'compare'].map(String)
    return JSON.parse(await runOk(process.execPath, [bytePeer, ...words], { prefix: this.prefix('a'), timeoutMs: 300_000 })) as Result
  }

  /** The far side's own address, reached without any tunnel. */
  get bareHost(): string {
    return HOSTS.b
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await Promise.all([...this.#derpers.map((derper) => derper.stop()), this.headscale.stop(), this.#byteServer?.stop()])
    this.#forwarder.stop()
    for (const name of Object.values(this.#names)) await run('ip', ['netns', 'del', name])
    removeTempDir(this.folder)
  }

  logs(): string {
    return [...this.nodes.map((node) => `----- ${node.name}\n${node.log.slice(-8000)}`), `----- headscale\n${this.headscale.log.slice(-4000)}`].join('\n')
  }
}
