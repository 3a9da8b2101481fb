/**
 * Where the traffic of a client goes: a tailnet over the NAT lab, a client on a LAN with a printer, exit nodes on LANs of
 * their own, a public mirror that says who comes, resolvers that write down what they are asked, and a record of every packet
 * that leaves the client's host.
 *
 *   client ─┬─ router (its resolver) ── internet ─┬─ mirror.example
 *   printer ┘                                     └─ router (its resolver) ── exit node
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabNode, type NodeKind } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { Child, run } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { Visit } from './mirror.ts'
import { NameServer } from './name-server.ts'
import { NatLab, PUBLIC_SERVER, type JoinOptions } from './nat-lab.ts'
import { serverAddress6, type Site } from './networks.ts'
import { withOwnEtc } from './own-etc.ts'
import { isTunnelled, Recorder, words, type Packet } from './recorder.ts'
import type { Attempt, Outcome, Plan } from './visitor.ts'

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Where every mirror answers. */
export const PORT = 7000
export const WEB_PORT = 80
/** A server that does not answer is looked for there as well. */
const TLS_PORT = 443
export const MIRROR = { name: 'mirror.example', v4: PUBLIC_SERVER.address, v6: serverAddress6(PUBLIC_SERVER.address) } as const

/** Servers and relays: the client's own connections go there. */
const OWN_SERVERS = ['203.0.113.1', '203.0.113.2', '203.0.113.3'].flatMap((address) => [address, serverAddress6(address)])

/** What a mirror writes in many minutes. */
const VISITS_BYTES = 32e6

/** How long a program waits for an answer; a refusal comes at once. */
const PATIENCE_MS = 15_000

export interface Place {
  readonly site: Site
  /** Of the host on its LAN. */
  readonly v4: string
  readonly v6: string
  readonly resolver: NameServer
}

export interface Guarded extends Place {
  readonly node: LabNode
  readonly recorder: Recorder
}

export class EgressLab {
  readonly nat = new NatLab(requirePeers(), { webRelays: true })
  readonly #children: Child[] = []
  readonly #resolvers: NameServer[] = []
  readonly #recorders: Recorder[] = []
  #mirror: Child | undefined

  async start(): Promise<void> {
    // One relay is everybody's home: nobody moves in between.
    await this.nat.start({ farRelayMs: 10 })
    for (const index of [1, 2] as const) this.#serveWeb(index)
    this.#mirror = this.startMirror('mirror', this.nat.networks.server(PUBLIC_SERVER.index))
  }

  /** What a relay serves beside its own port: the answer that tells whether a sign-in page stands between. */
  #serveWeb(index: 1 | 2): void {
    const args = ['-a', `203.0.113.${index + 1}:80`, '-http-port', '-1', '-stun=false', '-c', join(this.nat.folder, `web${index}.key`)]
    this.#children.push(new Child({ name: `web ${index}`, command: requirePeers().derper, args, prefix: this.nat.networks.server(index) }))
  }

  /** A program that tells visitors their address, on a host. */
  startMirror(name: string, prefix: readonly string[]): Child {
    const child = new Child({ name, command: process.execPath, args: [program('mirror.ts'), String(PORT), String(WEB_PORT)], prefix, stdoutBytes: VISITS_BYTES })
    this.#children.push(child)
    return child
  }

  /** Who came to the public mirror so far, oldest first. */
  get visits(): Visit[] {
    return (this.#mirror?.stdout ?? '').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Visit)
  }

  /** A LAN with both families behind a NAT, its resolver on the router, knowing the mirror and more. */
  async place(names: Readonly<Record<string, readonly string[]>> = {}): Promise<Place> {
    const site = await this.nat.networks.add('home')
    const number = /^10\.(\d+)\./.exec(site.addresses.find((one) => one.startsWith('10.')) ?? '')?.[1] ?? ''
    const resolver = new NameServer(`10.${number}.0.1`, ['ip', 'netns', 'exec', site.router!], { [MIRROR.name]: [MIRROR.v4, MIRROR.v6], ...names })
    this.#resolvers.push(resolver)
    await resolver.start()
    return { site: withOwnEtc(site, this.nat.folder, resolver.address), ...ownAddresses(site), resolver }
  }

  /** Another host on the LAN of a place, with its resolver. */
  async beside({ site, resolver }: Place): Promise<Place> {
    const other = await this.nat.networks.addBeside(site)
    return { site: withOwnEtc(other, this.nat.folder, resolver.address), ...ownAddresses(other), resolver }
  }

  /** A node of ours whose every packet is recorded, from before it starts. */
  async guarded(name: string, place: Place, options: JoinOptions = {}): Promise<Guarded> {
    const recorder = new Recorder(join(this.nat.folder, `${name}.pcap`), place.site.prefix)
    this.#recorders.push(recorder)
    await recorder.start()
    return { ...place, recorder, node: await this.nat.join('bowline', name, place.site, options) }
  }

  /** A node that offers to be an exit node, approved; it answers as such when this resolves. */
  async exitNode(kind: NodeKind, name: string, { site }: Pick<Place, 'site'>): Promise<LabNode> {
    const node = await this.nat.join(kind, name, site)
    await this.offer(node, ['0.0.0.0/0', '::/0'])
    return node
  }

  /** Advertises and approves routes of a node; the two /0s make it an exit node. */
  async offer(node: LabNode, routes: readonly string[]): Promise<void> {
    const subnets = routes.filter((route) => !route.endsWith('/0'))
    await node.api.patchPrefs({ AdvertiseRoutesSet: true, AdvertiseRoutes: [...(subnets.length < routes.length ? ['0.0.0.0/0', '::/0'] : []), ...subnets] })
    const { id } = await this.nat.headscale.node(node.name)
    await waitFor(`${node.name}'s routes to be approved`, async () => {
      await this.nat.headscale.approveRoutes(id, routes)
      return true
    }, { withinMs: 30_000, everyMs: 250 })
  }

  /** Makes attempts through a node's proxies, each once. */
  visit(node: LabNode, attempts: readonly Attempt[], patienceMs = PATIENCE_MS): Promise<Outcome[]> {
    return this.#visit(node.prefix, { ...proxiesOf(node), attempts, patienceMs })
  }

  /** Makes attempts from a host as any program does, each once. */
  visitPlainly({ site }: Place, attempts: readonly Attempt[], patienceMs = PATIENCE_MS): Promise<Outcome[]> {
    return this.#visit(site.prefix, { attempts, patienceMs })
  }

  async #visit(prefix: readonly string[], plan: Plan): Promise<Outcome[]> {
    const child = this.#visitor(prefix, plan)
    await child.exited
    return outcomes(child)
  }

  /** Makes attempts again and again, through a node's proxies or from a host, until stopped; `stop` answers all that ended. */
  keepVisiting(from: LabNode | Place, attempts: readonly Attempt[], everyMs = 100): { stop(): Promise<Outcome[]>; readonly outcomes: Outcome[] } {
    const proxies = from instanceof LabNode ? proxiesOf(from) : {}
    const child = this.#visitor(from instanceof LabNode ? from.prefix : from.site.prefix, { ...proxies, attempts, patienceMs: PATIENCE_MS, everyMs })
    return {
      get outcomes() {
        return outcomes(child)
      },
      async stop() {
        await child.stop()
        return outcomes(child)
      },
    }
  }

  #visitor(prefix: readonly string[], plan: Plan): Child {
    const child = new Child({ name: 'visitor', command: process.execPath, args: [program('visitor.ts'), JSON.stringify(plan)], prefix })
    this.#children.push(child)
    return child
  }

  /** Packets that are neither the tunnel's own nor the link's, in words. */
  strays(packets: readonly Packet[]): string[] {
    return [...new Set(packets.filter((packet) => !this.#isOwn(packet)).map(words))]
  }

  #isOwn(packet: Packet): boolean {
    if (packet.proto === 'link' || packet.proto === 'refusal' || isTunnelled(packet)) return true
    const ports = [WEB_PORT, TLS_PORT, this.nat.headscale.port, ...this.nat.derpers.map(({ port }) => port)]
    return OWN_SERVERS.includes(packet.to) && (packet.proto === 'icmp' || (packet.proto === 'tcp' && ports.includes(packet.toPort)))
  }

  logs(): string {
    return `${this.nat.logs()}\n${this.#resolvers.map(({ address, questions }) => `----- resolver ${address}\n${questions.map((one) => `${one.type} ${one.name} from ${one.from}`).join('\n')}`).join('\n')}`
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()))
    await Promise.all([...this.#recorders, ...this.#resolvers].map((one) => one.stop()))
    await this.nat.stop()
  }
}

function proxiesOf({ socksPort, httpPort }: LabNode): { socksPort: number; httpPort: number } {
  return { socksPort, httpPort }
}

function ownAddresses(site: Site): { v4: string; v6: string } {
  return { v4: site.addresses.find((one) => one.startsWith('10.')) ?? '', v6: site.addresses.find((one) => one.includes(':')) ?? '' }
}

function outcomes(child: Child): Outcome[] {
  return child.stdout.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Outcome)
}

/** Runs a command on a host and answers what it said; never throws. */
export async function say(prefix: readonly string[], command: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(command, args, { prefix, timeoutMs: 30_000 })
  return `${stdout}${stderr}`
}
