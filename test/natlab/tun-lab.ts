/**
 * Whole computers that are everything at once: each has a TUN device, serves the network that it is on and offers to be an exit node,
 * and each uses the others. Beside each is a host without any tailnet, whose mirror says who came.
 *
 *   neighbour ─┬─ router ── internet ─┬─ mirror.example
 *   node ──────┘                      └─ further places alike
 */
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { Child, run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, type Place } from './egress-lab.ts'
import { program } from './programs.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
/** Where natlab-traffic serves on every node. */
export const TRAFFIC_PORT = 7070

export interface Computer {
  readonly name: string
  readonly node: LabNode
  readonly place: Place
  readonly neighbour: Place
  /** What runs on it and says who came. */
  readonly mirror: Child
  /** The network that it serves. */
  readonly subnet: string
  readonly v4: string
  readonly v6: string
  /** Runs a shell script where its programs run; throws when it fails. */
  sh(script: string): Promise<string>
}

export class TunNet {
  readonly egress = new EgressLab()
  readonly #servers: Child[] = []

  async start(): Promise<void> {
    await this.egress.start()
  }

  async computer(kind: NodeKind, name: string, args: readonly string[] = []): Promise<Computer> {
    const place = await this.egress.place({ [`only-at-${name}.example`]: ['203.0.113.4'] })
    const neighbour = await this.egress.beside(place)
    this.egress.startMirror(`neighbour of ${name}`, neighbour.site.prefix)
    const mirror = this.egress.startMirror(`mirror of ${name}`, place.site.prefix)
    // A tailscaled leaves it to the person; ours turns it on by itself.
    if (kind === 'tailscaled' || process.env['BOWLINE_LAB_ENGINE'] === 'tailscaled') {
      await runOk('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'], { prefix: place.site.prefix })
    }
    const node = await this.egress.nat.join(kind, name, place.site, { whole: true, args, words: ['--accept-routes'] })
    const traffic = new Child({ name: 'traffic', command: await program('natlab-traffic'), args: ['serve', String(TRAFFIC_PORT)], prefix: place.site.prefix })
    this.#servers.push(traffic)
    await waitFor('the far end of traffic', () => traffic.stdout.includes('ready'), PATIENT)
    const subnet = place.v4.replace(/\d+$/, '0/24')
    return { name, node, place, mirror, neighbour, subnet, ...(await node.ips()), sh: (script) => runOk('sh', ['-c', script], { prefix: place.site.prefix, timeoutMs: 60_000 }) }
  }

  /** It serves its network and offers to be an exit node, approved. */
  async offer({ node, subnet }: Computer, more: readonly string[] = []): Promise<void> {
    await this.egress.offer(node, ['0.0.0.0/0', '::/0', subnet, ...more])
  }

  /** One errand of natlab-traffic on a computer. */
  async traffic<Result>({ place }: Computer, ...words: (string | number)[]): Promise<Result> {
    return JSON.parse(await runOk(await program('natlab-traffic'), words.map(String), { prefix: place.site.prefix, timeoutMs: 60_000 })) as Result
  }

  /** What a program on a computer answers at last, once it is as expected. */
  async until(what: string, at: Computer, script: string, wanted: string | RegExp): Promise<string> {
    return waitFor(what, async () => {
      const { stdout, stderr } = await run('sh', ['-c', script], { prefix: at.place.site.prefix, timeoutMs: 30_000 })
      const text = stdout.trim()
      if (typeof wanted === 'string' ? text === wanted : wanted.test(text)) return text === '' ? ' ' : text
      throw new Error(`${script}: ${text} ${stderr.trim()}`)
    }, PATIENT)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
    await this.egress.stop()
  }
}
