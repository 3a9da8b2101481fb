/**
 * The leak lab: a whole computer of ours on a LAN, whose programs never rest (noise.ts), with every packet recorded that leaves by
 * its physical interface. A step is something that happens; its report says what left meanwhile, and what of it is a leak.
 *
 *   client ─┬─ router (its resolver, which writes down) ── internet ─┬─ mirror.example, a public resolver that writes down
 *   printer ┘                                                        ├─ server, two relays
 *                                                                    └─ routers (with resolvers) ── exit nodes
 */
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import type { LabNode } from '../interop/lab/node.ts'
import { Child, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, WEB_PORT, type Place } from './egress-lab.ts'
import { judge, leakLines, type Kind, type Known } from './leak-judge.ts'
import { NameServer } from './name-server.ts'
import { PUBLIC_SERVER } from './nat-lab.ts'
import { serverAddress6, type Site } from './networks.ts'
import type { NoiseLine, NoisePlan } from './noise.ts'
import { Recorder, type Packet } from './recorder.ts'

const noiseProgram = fileURLToPath(new URL('./noise.ts', import.meta.url))
const PATIENT = { withinMs: 60_000, everyMs: 100 }
const SERVERS = ['203.0.113.1', '203.0.113.2', '203.0.113.3'].flatMap((address) => [address, serverAddress6(address)])

export interface Exit {
  readonly node: LabNode
  readonly place: Place
}

export interface Report {
  readonly step: string
  readonly counts: Readonly<Record<Kind, number>>
  /** In words, those of the recorders and those of resolvers and servers that heard us. */
  readonly leaks: readonly string[]
  /** What the noise came to meanwhile. */
  readonly noise: { readonly tries: number; readonly throughTunnel: number; readonly past: readonly string[] }
}

export interface StepOptions {
  /** The local network is allowed. */
  readonly lan?: boolean
  /** Programs that are bound to the physical interface may get past in this step: between the end of the firewall and its repair. */
  readonly deviceMayPass?: boolean
}

export class LeakLab {
  readonly egress = new EgressLab()
  readonly exits: Exit[] = []
  readonly reports: Report[] = []
  home!: Place
  printer!: Place
  client!: LabNode
  readonly #recorders: Recorder[] = []
  readonly #sites: Site[] = []
  #publicResolver: NameServer | undefined
  #noise: Child | undefined

  async start(): Promise<void> {
    await this.egress.start()
    this.home = await this.place()
    this.printer = await this.egress.beside(this.home)
    this.egress.startMirror('printer', this.printer.site.prefix)
    this.#publicResolver = new NameServer(MIRROR.v4, this.egress.nat.networks.server(PUBLIC_SERVER.index), { [MIRROR.name]: [MIRROR.v4, MIRROR.v6] })
    await this.#publicResolver.start()
    await this.record('eth0')
  }

  /** A LAN with its resolver, where nodes may be. */
  async place(): Promise<Place> {
    const place = await this.egress.place()
    this.#sites.push(place.site)
    return place
  }

  /** A site that was made elsewhere, where a node is. */
  knowPlace(site: Site): void {
    this.#sites.push(site)
  }

  /**
   * Brings the client's host to the LAN of another place by a further device, as another Wi-Fi: first with IPv4 alone; IPv6 comes by
   * advertisements of the router.
   */
  async moveTo(place: Place, device: string): Promise<{ join4(): Promise<void>; join6(): Promise<void>; leave(): Promise<void> }> {
    const router = ['ip', 'netns', 'exec', place.site.router!]
    const { host } = this.home.site
    const port = `to-${device}`
    const ipAt = (...words: string[]): Promise<string> => runOk('ip', words, { prefix: router })
    await runOk('ip', ['link', 'add', port, 'netns', place.site.router!, 'type', 'veth', 'peer', 'name', device, 'netns', host])
    await ipAt('link', 'set', port, 'master', 'lan', 'up')
    const own = place.v4.replace(/\d+$/, '99')
    const ip = (...words: string[]): Promise<string> => this.home.site.ip(...words)
    let advertiser: Child | undefined
    await runOk('sysctl', ['-qw', `net.ipv6.conf.${device}.accept_ra=2`, `net.ipv6.conf.${device}.disable_ipv6=0`], { prefix: this.home.site.prefix })
    await ip('link', 'set', device, 'up')
    return {
      join4: async () => {
        await ip('addr', 'add', `${own}/24`, 'dev', device)
        await ip('route', 'replace', 'default', 'via', place.resolver.address, 'dev', device)
      },
      join6: async () => {
        const args = ['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--pid-file', '--enable-ra', '--ra-param=lan,4', '--dhcp-range=::,constructor:lan,ra-only', '--interface=lan', '--bind-interfaces']
        advertiser = new Child({ name: 'advertiser', command: 'dnsmasq', args, prefix: router })
        await waitFor('an address by advertisement', async () => / scope global /.test(await ip('-6', 'addr', 'show', 'dev', device)), PATIENT)
      },
      leave: async () => {
        await advertiser?.stop()
        await this.home.site.ip('link', 'set', 'eth0', 'up')
        await ip('addr', 'replace', `${this.home.v6}/64`, 'dev', 'eth0', 'nodad')
        await ip('-6', 'route', 'replace', 'default', 'via', this.home.v6.replace(/[0-9a-f]+$/, '1'))
        await ip('link', 'del', device)
        await ip('route', 'replace', 'default', 'via', this.home.resolver.address)
      },
    }
  }

  /** Records what leaves the client's host by a device, from here on until the answer is called. */
  async record(device: string): Promise<() => Promise<void>> {
    const recorder = new Recorder(join(this.egress.nat.folder, `client-${device}-${this.#recorders.length}.pcap`), this.home.site.prefix, device)
    await recorder.start()
    this.#recorders.push(recorder)
    return async () => {
      this.#recorders.splice(this.#recorders.indexOf(recorder), 1)
      await recorder.stop()
    }
  }

  /** Begins the noise; it goes on until the lab stops. Called again it knows what has changed. */
  async makeNoise(device = 'eth0', own: { readonly v4: string; readonly v6: string } = this.home): Promise<void> {
    await this.#noise?.stop()
    const plan: NoisePlan = {
      mirror: { ...MIRROR, port: PORT },
      own: { v4: own.v4, v6: own.v6, device },
      printer: { v4: this.printer.v4, v6: this.printer.v6, port: PORT },
      homeResolver: this.home.resolver.address,
      publicResolver: MIRROR.v4,
    }
    this.#noise = new Child({ name: 'noise', command: process.execPath, args: [noiseProgram, JSON.stringify(plan)], prefix: this.home.site.prefix })
  }

  /** Tries of the noise that ended, oldest first. */
  get noise(): NoiseLine[] {
    return (this.#noise?.log ?? '').split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line) as NoiseLine)
  }

  /** Resolves when tries that began from now on were seen at a place, in the families that it has. */
  async seenAt(place: Place, families: readonly ('4' | '6')[] = ['4', '6']): Promise<void> {
    const fromMs = Date.now()
    await waitFor(`programs to be seen at ${place.site.address}`, () => {
      const fresh = this.noise.filter(({ beganMs }) => beganMs >= fromMs)
      const missing = families.filter((family) => fresh.findLast(({ what }) => what === `tcp${family}`)?.saw !== (family === '4' ? place.site.address : place.v6))
      // Programs on the physical interface come by seldom: one of them has tried too.
      if (!fresh.some(({ what }) => what === 'device4')) return false
      if (missing.length > 0) throw new Error(`IPv${missing.join(', IPv')}: ${JSON.stringify(fresh.filter(({ what }) => what.startsWith('tcp')).slice(-2))}`)
      return true
    }, PATIENT)
  }

  /** Resolves when so many tries in a row that began from now on failed, in both families. */
  async seenNowhere(times = 4): Promise<void> {
    const fromMs = Date.now()
    await waitFor('programs to reach nothing', () => {
      const fresh = this.noise.filter(({ beganMs }) => beganMs >= fromMs)
      return fresh.some(({ what }) => what === 'device4') && ['tcp4', 'tcp6', 'udp4'].every((kind) => {
        const last = fresh.filter(({ what }) => what === kind).slice(-times)
        return last.length === times && last.every(({ saw }) => saw === undefined)
      })
    }, PATIENT)
  }

  #known(lan: boolean): Known {
    const sites = this.#sites.flatMap(({ addresses }) => addresses)
    const { nat } = this.egress
    return {
      servers: SERVERS,
      serverPorts: [WEB_PORT, 443, nat.headscale.port, ...nat.derpers.map(({ port }) => port)],
      // The client's own LAN is no place of a node.
      nodes: sites.filter((address) => !this.home.site.addresses.includes(address) && !this.printer.site.addresses.includes(address)),
      lan: lan ? [this.home.v4.replace(/\d+$/, ''), this.home.v6.replace(/[^:]+$/, ''), 'fe80:'] : [],
    }
  }

  /** Does something, and reports what left the computer from before it until after it. */
  async step(step: string, act: () => Promise<unknown>, { lan = false, deviceMayPass = false }: StepOptions = {}): Promise<Report> {
    const beganMs = Date.now()
    const recorders = [...this.#recorders]
    const marks = await Promise.all(recorders.map((recorder) => recorder.mark()))
    const heard = this.#heard()
    await act()
    const packets = (await Promise.all(this.#recorders.map(async (recorder, index) => recorder.since(marks[index] ?? 0)))).flat()
    const known = this.#known(lan)
    const counts: Record<Kind, number> = { tunnel: 0, own: 0, link: 0, refusal: 0, lan: 0, leak: 0 }
    const leaks: Packet[] = []
    for (const packet of packets) {
      const kind = judge(packet, known)
      if (kind === 'leak' && deviceMayPass && packet.proto === 'tcp' && packet.toPort === WEB_PORT) continue
      counts[kind]++
      if (kind === 'leak') leaks.push(packet)
    }
    const tries = this.noise.filter((line) => line.beganMs >= beganMs)
    const own = [this.home.site.address, this.home.v6]
    const past = tries.filter(({ what, saw }) => !what.startsWith('lan') && !(deviceMayPass && what.startsWith('device')) && own.some((address) => saw?.split(' ').at(-1) === address)).map(({ what }) => what)
    const heardNow = new Set(this.#heard().flatMap((lines, source) => lines.slice(heard[source]?.length ?? 0)).filter((line) => !deviceMayPass || !line.endsWith('by http')))
    const report = {
      step, counts, leaks: [...leakLines(leaks, beganMs), ...heardNow],
      noise: { tries: tries.length, throughTunnel: tries.filter(({ what, saw }) => saw !== undefined && !what.startsWith('lan')).length - past.length, past: [...new Set(past)] },
    }
    this.reports.push(report)
    return report
  }

  /** What others heard of the client past the tunnel: resolvers at home and in public, and the mirror. */
  #heard(): string[][] {
    const own = [this.home.site.address, this.home.v6, this.home.v4]
    const asked = [this.home.resolver, this.#publicResolver!].map(({ address, questions }) =>
      questions.filter(({ from }) => own.includes(from)).map(({ type, name }) => `the resolver ${address} was asked ${type} ${name}`))
    return [...asked, this.egress.visits.filter(({ from }) => own.includes(from)).map(({ how, from }) => `${from} came to the mirror by ${how}`)]
  }

  /** All steps as a table. */
  table(): string {
    const rows = this.reports.map(({ step, counts, leaks, noise }) => [
      step, String(counts.tunnel), String(counts.own), String(counts.link), String(counts.lan), String(noise.tries), String(noise.throughTunnel), leaks.length === 0 ? 'none' : `${counts.leak} packets`,
    ])
    const head = ['step', 'tunnel', 'server, relay', 'link, DHCP', 'LAN', 'tries', 'by tunnel', 'leaks']
    const widths = head.map((word, column) => Math.max(word.length, ...rows.map((row) => row[column]?.length ?? 0)))
    return [head, ...rows].map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n')
  }

  async stop(): Promise<void> {
    await this.#noise?.stop()
    await Promise.all(this.#recorders.map((recorder) => recorder.stop()))
    await this.#publicResolver?.stop()
    await this.egress.stop()
  }
}
