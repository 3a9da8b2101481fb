/**
 * Pairs of whole computers for benches: each node has a network namespace with a TUN device, joined by cables to a router, with
 * Headscale and relays in two regions beside. What is measured is what ordinary programs move (natlab-traffic), with the
 * processor time and memory of the two engines.
 */
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { NatLab, PUBLIC_SERVER } from '../natlab/nat-lab.ts'
import type { Line, LineOptions } from '../natlab/networks.ts'
import { withOwnEtc } from '../natlab/own-etc.ts'
import { program } from '../natlab/programs.ts'
import { Child, run, runOk, usageOf } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { round, type Sample } from './row.ts'

export const TRAFFIC_PORT = 7070
const TRANSFER_MS = 300_000
/** Room for what a line with delay holds. */
const TCP_ROOM = ['net.ipv4.tcp_rmem=4096 131072 67108864', 'net.ipv4.tcp_wmem=4096 131072 67108864']

export interface Ends {
  readonly client: LabNode
  readonly server: LabNode
}

export type Verb = 'get' | 'put'

export class TunLab {
  readonly nat = new NatLab(requirePeers())
  readonly #servers: Child[] = []
  readonly #lines = new Map<LabNode, Line>()
  #traffic = ''

  async start(): Promise<void> {
    this.#traffic = await program('natlab-traffic')
    await this.nat.start()
    await this.#serve(this.nat.networks.server(PUBLIC_SERVER.index))
  }

  /** A whole computer on the internet, with the far end of natlab-traffic on it. */
  async join(kind: NodeKind, name: string, { line, env }: { line?: LineOptions; env?: Readonly<Record<string, string>> } = {}): Promise<LabNode> {
    const site = withOwnEtc(await this.nat.networks.add('public', line), this.nat.folder, '127.0.0.1')
    for (const setting of TCP_ROOM) await run('sysctl', ['-qw', setting], { prefix: site.prefix })
    const node = await this.nat.join(kind, name, site, { whole: true, words: ['--accept-dns=false'], ...(env === undefined ? {} : { env }) })
    if (site.line !== undefined) this.#lines.set(node, site.line)
    await this.#serve(site.prefix)
    return node
  }

  /** The line between a node and the internet, where it was asked for at `join`. */
  lineOf(node: LabNode): Line {
    const line = this.#lines.get(node)
    if (line === undefined) throw new Error(`${node.name} has no line of its own`)
    return line
  }

  async #serve(prefix: readonly string[]): Promise<void> {
    const server = new Child({ name: 'traffic', command: this.#traffic, args: ['serve', String(TRAFFIC_PORT)], prefix })
    this.#servers.push(server)
    await waitFor('the far end of traffic', () => server.stdout.includes('ready'), { withinMs: 30_000 })
  }

  /** One errand of natlab-traffic on a host, to its end. */
  async traffic<Result>(prefix: readonly string[], ...words: (string | number)[]): Promise<Result> {
    return JSON.parse(await runOk(this.#traffic, words.map(String), { prefix, timeoutMs: TRANSFER_MS })) as Result
  }

  /** One errand that goes on until it is stopped. */
  keepUp(prefix: readonly string[], ...words: (string | number)[]): Child {
    return new Child({ name: 'traffic', command: this.#traffic, args: words.map(String), prefix })
  }

  /** Moves bytes from one host to an address over so many TCP streams, in Gb/s, with what the engines of `ends` used. */
  async tcp({ client, server }: Ends, verb: Verb, host: string, bytes: number, streams = 1): Promise<Sample> {
    const pids = [client.pid, server.pid]
    const before = pids.map(usageOf)
    const result = await this.traffic<{ bytes: number; seconds: number }>(client.prefix, 'tcp', verb, host, TRAFFIC_PORT, bytes, streams)
    const after = pids.map(usageOf)
    if (result.bytes !== bytes) throw new Error(`${verb} ${client.name} to ${host}: ${result.bytes} of ${bytes} bytes`)
    const cpuSec = after.reduce((sum, usage, index) => sum + usage.cpuSec - (before[index]?.cpuSec ?? 0), 0)
    return { value: (bytes * 8) / result.seconds / 1e9, cpuSecPerGb: cpuSec / (bytes / 1e9), rssMb: Math.max(...after.map(({ peakRssMb }) => peakRssMb)) }
  }

  /** Says on standard error what the networks carry without any tunnel, in Gb/s. */
  async printCeiling(from: LabNode, bytes: number): Promise<Record<Verb, number>> {
    const rate = async (verb: Verb): Promise<number> => {
      const { seconds } = await this.traffic<{ seconds: number }>(from.prefix, 'tcp', verb, PUBLIC_SERVER.address, TRAFFIC_PORT, bytes, 1)
      return round((bytes * 8) / seconds / 1e9)
    }
    const ceiling = { get: await rate('get'), put: await rate('put') }
    console.error(`ceiling of the networks without any tunnel: down ${ceiling.get} Gb/s, up ${ceiling.put} Gb/s`)
    return ceiling
  }

  logs(): string {
    return this.nat.logs()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
    await this.nat.stop()
  }
}

/** Runs a bench in a lab of its own; needs root. */
export async function inTunLab(name: string, measure: (lab: TunLab) => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error(`${name} makes network namespaces and needs root`)
  const lab = new TunLab()
  try {
    await lab.start()
    await measure(lab)
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
