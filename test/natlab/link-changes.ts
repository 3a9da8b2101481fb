/**
 * A tailnet whose nodes move: an engine of ours and a tailscaled, side by side on the same sites, each with a steady TCP
 * stream through its tunnel to a tailscaled far away. What happens to the network happens to both in the same moment.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Derper } from '../interop/lab/derper.ts'
import { ALLOW_ALL, Headscale } from '../interop/lab/headscale.ts'
import { LabNode, type NodeKind } from '../interop/lab/node.ts'
import type { Peers } from '../interop/lab/peers.ts'
import { Child } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { Roads, SERVER } from './roads.ts'
import type { StreamEnd } from './steady-stream.ts'

const program = fileURLToPath(new URL('./steady-stream.ts', import.meta.url))
const ECHO_PORT = 7007
/** Silence shorter than this is no interruption that a person notices. */
const NOTICED_MS = 500

/** What one stream went through after a moment. */
export interface Gap {
  /** The longest time without progress. */
  readonly longestMs: number
  /** All noticed times without progress together. */
  readonly silentMs: number
}

/** A stream through one node's tunnel. */
export class Stream {
  readonly #child: Child

  constructor(child: Child) {
    this.#child = child
  }

  /** Wall clock ms of every progress. */
  #progress(): number[] {
    return [...this.#child.stdout.matchAll(/^p (\d+) /gm)].map((match) => Number(match[1]))
  }

  /** Resolves when bytes come back that were not there at `sinceMs`. */
  async movesAgain(sinceMs: number, withinMs: number): Promise<boolean> {
    return waitFor('the stream to go on', () => (this.#progress().at(-1) ?? 0) > sinceMs, { withinMs, everyMs: 50 }).catch(() => false)
  }

  /** Times without progress from `sinceMs` until now. */
  gapSince(sinceMs: number): Gap {
    const times = [...this.#progress().filter((atMs) => atMs >= sinceMs), Date.now()]
    let longestMs = 0
    let silentMs = 0
    let lastMs = sinceMs
    for (const atMs of times) {
      const gapMs = atMs - lastMs
      longestMs = Math.max(longestMs, gapMs)
      if (gapMs >= NOTICED_MS) silentMs += gapMs
      lastMs = atMs
    }
    return { longestMs, silentMs }
  }

  /** Ends it in good order; undefined when it was cut before. */
  async end(): Promise<StreamEnd | undefined> {
    await this.#child.stop(70_000)
    const line = /^end (\{.*\})$/m.exec(this.#child.stdout)?.[1]
    return line === undefined ? undefined : (JSON.parse(line) as StreamEnd)
  }
}

export interface Mover {
  readonly kind: NodeKind
  readonly host: 'm1' | 'm2'
  readonly node: LabNode
}

export class MovingLab {
  readonly roads = new Roads()
  readonly folder = makeTempDir('roads')
  readonly headscale: Headscale
  readonly derper: Derper
  readonly #peers: Peers
  #echo: Child | undefined
  far!: LabNode
  movers!: readonly [Mover, Mover]

  constructor(peers: Peers) {
    this.#peers = peers
    const prefix = this.roads.prefix('srv')
    this.derper = new Derper({ program: peers.derper, folder: this.folder, region: 900, host: SERVER.ip4, host6: SERVER.ip6, prefix })
    const folder = join(this.folder, 'hs')
    mkdirSync(folder)
    this.headscale = new Headscale({
      program: peers.headscale, folder, derpFiles: [join(this.folder, `${this.derper.code}.yaml`)], policy: ALLOW_ALL,
      host: '[::]', at: { listen: '[::]', name: SERVER.name }, prefix,
    })
  }

  /** Everything up, both movers on site A with IPv4, and direct to the far node. */
  async start(): Promise<void> {
    await this.roads.start()
    await this.derper.writeMap()
    await this.headscale.start()
    await this.derper.start(`http://127.0.0.1:${this.headscale.port}/verify`)
    await this.roads.inBoth((host) => this.roads.join(host, 'a'))
    this.#echo = new Child({ name: 'echo', command: process.execPath, args: [program, 'serve', String(ECHO_PORT)], prefix: this.roads.prefix('far') })
    const [far, ours, theirs] = await Promise.all([this.#join('tailscaled', 'far', 'far'), this.#join('bowline', 'ours', 'm1'), this.#join('tailscaled', 'theirs', 'm2')])
    this.far = far
    this.movers = [{ kind: 'bowline', host: 'm1', node: ours }, { kind: 'tailscaled', host: 'm2', node: theirs }]
    await Promise.all(this.movers.map(({ node }) => node.waitUsable(far)))
  }

  async #join(kind: NodeKind, name: string, part: string): Promise<LabNode> {
    const node = new LabNode({
      kind, name, folder: this.folder, loginUrl: this.headscale.url, tailscaled: this.#peers.tailscaled, tailscale: this.#peers.tailscale,
      prefix: this.roads.prefix(part),
    })
    await node.start()
    await node.up(await this.headscale.authKey())
    return node
  }

  /** A stream through a mover's tunnel that is under way. */
  async stream({ node, host }: Mover): Promise<Stream> {
    const { v4 } = await this.far.ips()
    const args = [program, 'run', String(node.socksPort), v4, String(ECHO_PORT)]
    const begin = (): Child => new Child({ name: `stream of ${node.name}`, command: process.execPath, args, prefix: this.roads.prefix(host) })
    let child = begin()
    await waitFor(`the stream of ${node.name}`, () => {
      // A tailscaled refuses to dial while it is busy with a change before this one.
      if (child.exit) child = begin()
      return /^p /m.test(child.stdout)
    }, { withinMs: 60_000, everyMs: 250 })
    return new Stream(child)
  }

  async stop(): Promise<void> {
    await Promise.all([...(this.movers ?? []).map(({ node }) => node.stop()), (this.far as LabNode | undefined)?.stop(), this.#echo?.stop()])
    await Promise.all([this.derper.stop(), this.headscale.stop()])
    await this.roads.stop()
    removeTempDir(this.folder)
  }
}
