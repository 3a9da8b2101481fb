/**
 * Two network namespaces joined by a link with delay and loss: one node of each kind in both, Headscale and two relays in
 * the second, so that everything between the two namespaces crosses the link. Linux, root.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Derper } from '../interop/lab/derper.ts'
import { ALLOW_ALL, Headscale } from '../interop/lab/headscale.ts'
import { LabNode, type NodeKind } from '../interop/lab/node.ts'
import type { Peers } from '../interop/lab/peers.ts'
import { Child, run, runOk } from '../support/child.ts'
import type { Result } from '../support/byte-peer.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const bytePeer = `${root}test/support/byte-peer.ts`
const DEVICE = 'link0'
const HOSTS = { a: '10.77.0.1', b: '10.77.0.2' } as const

export type Side = 'a' | 'b'

/** Builds the forwarder (once) and returns its path. */
async function buildLink(): Promise<string> {
  const target = `${root}build/.cache/lossy-link`
  await runOk('cargo', ['build', '--release', '--locked', '--manifest-path', `${root}test/bench/lossy-link/Cargo.toml`, '--target-dir', target], { timeoutMs: 300_000 })
  return join(target, 'release', 'lossy-link')
}

export class LossLab {
  readonly folder = makeTempDir('loss')
  readonly nodes: LabNode[] = []
  readonly headscale: Headscale
  readonly #peers: Peers
  readonly #derpers: Derper[]
  readonly #names: Record<Side, string>
  #link: ChildProcessWithoutNullStreams | undefined
  #answers: AsyncIterator<string> | undefined
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
    const link = await buildLink()
    for (const name of Object.values(this.#names)) await runOk('ip', ['netns', 'add', name])
    await this.#startLink(link)
    for (const side of ['a', 'b'] as const) await this.#configure(side)
    for (const derper of this.#derpers) await derper.writeMap()
    await this.headscale.start()
    await Promise.all(this.#derpers.map((derper) => derper.start(`${this.headscale.url}/verify`)))
    const server = new Child({ name: 'bytes', command: process.execPath, args: [bytePeer, 'serve', '0.0.0.0', '0'], prefix: this.prefix('b') })
    this.#byteServer = server
    this.#bytePort = await waitFor('the byte server', () => (server.stdout.includes('\n') ? (JSON.parse(server.stdout) as { port: number }).port : undefined), { withinMs: 10_000 })
  }

  async #startLink(program: string): Promise<void> {
    this.#link = spawn(program, [this.#names.a, this.#names.b, DEVICE])
    this.#link.stderr.pipe(process.stderr)
    this.#answers = createInterface({ input: this.#link.stdout })[Symbol.asyncIterator]()
    const { value } = await this.#answers.next()
    if (value !== 'ready') throw new Error('the link did not start')
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
    this.#link?.stdin.write(`set ${Math.round(link.delayMs * 1000)} ${Math.round(link.lossPercent * 10_000)} ${link.seed}\n`)
    await this.#answers?.next()
  }

  /** Packets passed, lost on purpose and dropped for want of room, from a to b and from b to a. */
  async linkCounts(): Promise<{ passed: number; lost: number; overflowed: number }[]> {
    this.#link?.stdin.write('stats\n')
    const answer = await this.#answers?.next()
    return JSON.parse(String(answer?.value ?? '[]')) as { passed: number; lost: number; overflowed: number }[]
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
    this.#link?.stdin.end()
    for (const name of Object.values(this.#names)) await run('ip', ['netns', 'del', name])
    removeTempDir(this.folder)
  }

  logs(): string {
    return [...this.nodes.map((node) => `----- ${node.name}\n${node.log.slice(-8000)}`), `----- headscale\n${this.headscale.log.slice(-4000)}`].join('\n')
  }
}
