/**
 * A real miniupnpd on the router of a site: NAT-PMP, PCP and UPnP, each to be had alone.
 *
 * It gives ports only of an address that it holds to be on the internet, and the lab's own ones are reserved for examples. So
 * the router gets a second one outside, from a network that is routed nowhere but in the lab.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { Networks, Site } from './networks.ts'

export type RouterService = 'pmp' | 'pcp' | 'upnp'

export interface MiniupnpdOptions {
  readonly site: Site
  readonly networks: Networks
  readonly folder: string
  readonly services: readonly RouterService[]
  /** Of PCP mappings; the default is what is asked for. */
  readonly maxLifetimeSec?: number
}

/** A datagram's first byte tells NAT-PMP (0) from PCP (2). */
const VERSION_BYTE: Readonly<Record<'pmp' | 'pcp', number>> = { pmp: 0, pcp: 2 }

const TABLE = `table inet filter {
  chain miniupnpd { }
  chain forward {
    type filter hook forward priority 0; policy accept
    jump miniupnpd
  }
  chain prerouting_miniupnpd { }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept
    jump prerouting_miniupnpd
  }
  chain postrouting_miniupnpd { }
  chain postrouting {
    type nat hook postrouting priority 99; policy accept
    jump postrouting_miniupnpd
  }
}
table inet silenced {
  chain in {
    type filter hook input priority 0; policy accept
  }
}
`

export class Miniupnpd {
  /** The address whose ports it gives. */
  readonly outerIp: string
  readonly #options: MiniupnpdOptions
  readonly #prefix: readonly string[]
  readonly #config: string
  #child: Child | undefined

  constructor(options: MiniupnpdOptions) {
    const { site, folder, services } = options
    if (site.router === undefined) throw new Error(`a ${site.kind} site has no router`)
    this.#options = options
    this.#prefix = ['ip', 'netns', 'exec', site.router]
    this.outerIp = site.address.replace(/^203\.0\./, '11.0.')
    this.#config = join(folder, `${site.router}.conf`)
    const yes = (is: boolean): string => (is ? 'yes' : 'no')
    writeFileSync(this.#config, `ext_ifname=wan
ext_ip=${this.outerIp}
listening_ip=lan
http_port=0
enable_natpmp=${yes(services.some((service) => service !== 'upnp'))}
enable_upnp=${yes(services.includes('upnp'))}
secure_mode=yes
min_lifetime=10
max_lifetime=${options.maxLifetimeSec ?? 86_400}
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 10.0.0.0/8 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`)
  }

  get log(): string {
    return this.#child?.log ?? ''
  }

  /** Prepares the router and starts the daemon. */
  async start(): Promise<void> {
    const { site, networks, services } = this.#options
    await runOk('ip', ['addr', 'add', `${this.outerIp}/32`, 'dev', 'wan'], { prefix: this.#prefix })
    const [route] = (await runOk('ip', ['route', 'get', site.address], { prefix: networks.internet })).split('\n')
    await runOk('ip', ['route', 'add', `${this.outerIp}/32`, 'dev', /dev (\S+)/.exec(route!)![1]!], { prefix: networks.internet })
    await runOk('nft', [TABLE], { prefix: this.#prefix })
    await runOk('nft', ['insert', 'rule', 'ip', 'fw', 'pass', 'ct', 'status', 'dnat', 'accept'], { prefix: this.#prefix })
    for (const service of ['pmp', 'pcp'] as const) if (!services.includes(service)) await this.#silence(VERSION_BYTE[service])
    await this.run()
  }

  /** Starts the daemon, again after `kill`: with an epoch of its own and no memory. */
  async run(): Promise<void> {
    for (const chain of ['miniupnpd', 'prerouting_miniupnpd', 'postrouting_miniupnpd']) await runOk('nft', ['flush', 'chain', 'inet', 'filter', chain], { prefix: this.#prefix })
    const child = new Child({ name: 'miniupnpd', command: 'miniupnpd', args: ['-d', '-f', this.#config, '-P', `${this.#config}.pid`], prefix: this.#prefix })
    this.#child = child
    await waitFor('miniupnpd to listen', () => {
      child.assertRunning()
      return /Listening for|HTTP listening/.test(child.log)
    }, { withinMs: 30_000 })
  }

  async kill(): Promise<void> {
    await this.#child?.kill()
    this.#child = undefined
  }

  /** The UDP ports that it passes on, as "outer port → address:port". */
  async mappings(): Promise<string[]> {
    const rules = await runOk('nft', ['list', 'chain', 'inet', 'filter', 'prerouting_miniupnpd'], { prefix: this.#prefix })
    return [...rules.matchAll(/dport (\d+).*dnat (?:ip )?to (\S+)/g), ...rules.matchAll(/@th,16,16 (0x[0-9a-f]+|\d+).*dnat (?:ip )?to (\S+)/g)].map(([, port, to]) => `${Number(port)} → ${to}`)
  }

  async rules(): Promise<string> {
    return runOk('nft', ['list', 'ruleset'], { prefix: this.#prefix })
  }

  async #silence(version: number): Promise<void> {
    await runOk('nft', ['add', 'rule', 'inet', 'silenced', 'in', 'udp', 'dport', '5351', '@th,64,8', String(version), 'drop'], { prefix: this.#prefix })
  }
}
