/**
 * Networks of the NAT lab: one "internet" and any number of sites behind routers of a kind, each a network namespace.
 *
 *   server(i) 203.0.113.i ─┐
 *                          ├─ internet (routes) ─┬─ host with a public address
 *   server(j) 203.0.113.j ─┘                     └─ router ── bridge "lan" 10.N.0.1 ─┬─ host 10.N.0.2
 *                                                                                    └─ host 10.N.0.3 …
 *
 * What each kind does is told in site-kinds.ts. Routers are nftables where it can play the kind; else the line between
 * router and internet is the native forwarder, which is the NAT then. So is the line of a site that is given a delay, a
 * loss or a packet size. Linux, root, iproute2, nftables. Everything is gone after `stop`.
 */
import { existsSync } from 'node:fs'
import { run, runOk } from '../support/child.ts'
import { Forwarder, type LinkSettings, type WayCounts } from './forwarder.ts'
import { LINE_OF, routerRules, type SiteKind } from './site-kinds.ts'

export type { SiteKind } from './site-kinds.ts'

/** The line between a site and the internet, where the forwarder is it. */
export interface Line {
  set(settings: LinkSettings): Promise<void>
  /** The NAT forgets its mappings and takes other ports from here on. */
  rebind(): Promise<void>
  /** Outward first. */
  counts(): Promise<readonly [WayCounts, WayCounts]>
}

export interface Site {
  readonly kind: SiteKind
  /** Words that run a command on the site's host. */
  readonly prefix: readonly string[]
  /** Namespace of the host, and of the router that its LAN hangs on. */
  readonly host: string
  readonly router: string | undefined
  /** Address on the internet; of the NAT, where there is one. '' = has no IPv4. */
  readonly address: string
  /** All addresses under which others may hear the host. */
  readonly addresses: readonly string[]
  readonly line: Line | undefined
  /** Runs `ip` on the host. */
  ip(...words: string[]): Promise<string>
}

/** A line with anything of this is the forwarder's. */
export type LineOptions = Pick<LinkSettings, 'delayMs' | 'jitterMs' | 'lossPercent' | 'mtu'> & {
  /** The forwarder carries it even so, to be told of changes later. */
  readonly forwarded?: boolean
}

const INTERNET = 'net'
/** The internet's own address: everybody's next router. */
const GATEWAY = '203.0.113.254'
const GATEWAY6 = 'fe80::fe'
/** Outer address of a NAT without IPv4. */
const NOWHERE = '192.0.2.1'
/** Sites' addresses come after those of servers. */
const SITES_FROM = 10

export class Networks {
  readonly #made: string[] = []
  readonly #hostsAt = new Map<string, number>()
  readonly #forwarder = new Forwarder()
  #forwarding: Promise<void> | undefined
  #count = 0

  /** Creates the internet and a namespace for each server address (203.0.113.x); `lines` by the address's index. */
  async start(serverAddresses: readonly string[], lines: Readonly<Record<number, LineOptions>> = {}): Promise<void> {
    await removeLeft()
    await this.#namespace(INTERNET)
    await this.#sysctl(INTERNET, 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1')
    await this.#ip(INTERNET)('addr', 'add', `${GATEWAY}/32`, 'dev', 'lo')
    for (const [index, address] of serverAddresses.entries()) {
      const part = `srv${index}`
      await this.#namespace(part)
      const line = lines[index]
      if (line === undefined) await this.#cable(INTERNET, `p${part}`, part, 'eth0')
      else await this.#link(part, part, 'eth0', line)
      await this.#attach(part, 'eth0', `p${part}`, [address, serverAddress6(address)], line !== undefined)
    }
  }

  /** Words that run a command on the internet itself. */
  get internet(): readonly string[] {
    return prefixOf(this.#name(INTERNET))
  }

  /** Words that run a server: the one at the address with that index at `start`. */
  server(index: number): readonly string[] {
    return prefixOf(this.#name(`srv${index}`))
  }

  /** Adds a site; its host reaches the internet as the kind says. */
  async add(kind: SiteKind, options: LineOptions = {}): Promise<Site> {
    const number = ++this.#count
    const place = number + SITES_FROM
    const line = LINE_OF[kind]
    const address = line.hasV4 === false ? '' : `203.0.${113 + (place >> 8)}.${place & 255}`
    const outer = line.router === undefined ? `h${number}` : `r${number}`
    await this.#namespace(outer)
    const device = line.router === undefined ? 'eth0' : 'wan'
    const settings: LinkSettings = { ...line.settings, ...(line.isNat === true ? { outer: address === '' ? NOWHERE : address } : {}) }
    const { forwarded, ...wanted } = options
    const isForwarded = forwarded === true || Object.keys({ ...wanted, ...settings }).length > 0
    if (isForwarded) await this.#link(`${number}`, outer, device, { ...settings, ...wanted })
    else await this.#cable(INTERNET, `p${number}`, outer, device)
    const net6 = line.hasV6 === true ? `2001:db8:${number.toString(16)}:` : undefined
    if (line.isNat === true) await this.#attachNat(outer, `p${number}`, address, net6)
    else await this.#attach(outer, device, `p${number}`, [address, ...(net6 === undefined ? [] : [`${net6}:ffff`])], isForwarded)
    if (line.isNat !== true && net6 !== undefined) await this.#ip(INTERNET)('-6', 'route', 'add', `${net6}:/64`, 'via', `${net6}:ffff`, 'dev', `p${number}`)
    const site = { kind, address, line: isForwarded ? this.#lineOf(`${number}`) : undefined }
    if (line.router === undefined) return this.#siteOf(site, outer, undefined, [])
    await this.#router(outer, line.router)
    let inner = outer
    if (kind === 'double') {
      inner = `s${number}`
      await this.#namespace(inner)
      await this.#cable(outer, 'lan', inner, 'wan')
      await this.#ip(outer)('addr', 'add', `10.200.${number}.1/24`, 'dev', 'lan')
      await this.#ip(inner)('addr', 'add', `10.200.${number}.2/24`, 'dev', 'wan')
      await this.#ip(inner)('route', 'add', 'default', 'via', `10.200.${number}.1`)
      await this.#router(inner, line.router)
    }
    await this.#lan(inner, line.hasV4 === false ? undefined : `10.${number}.0.1/24`, net6 && `${net6}:1/64`)
    return this.#hostAt(site, inner, number, net6)
  }

  /** Another host on the LAN of a site, beside its first. */
  async addBeside(site: Site): Promise<Site> {
    if (site.router === undefined) throw new Error(`a ${site.kind} site has no LAN`)
    const part = site.router.slice(this.#name('').length)
    const number = Number(part.slice(1))
    return this.#hostAt(site, part, number, LINE_OF[site.kind].hasV6 === true ? `2001:db8:${number.toString(16)}:` : undefined)
  }

  /** Removes every namespace, and with it what is in them. */
  async stop(): Promise<void> {
    this.#forwarder.stop()
    for (const name of this.#made.splice(0)) await run('ip', ['netns', 'del', name])
  }

  async #hostAt(site: Pick<Site, 'kind' | 'address' | 'line'>, router: string, number: number, net6: string | undefined): Promise<Site> {
    const line = LINE_OF[site.kind]
    const index = (this.#hostsAt.get(router) ?? 0) + 1
    this.#hostsAt.set(router, index)
    const host = index === 1 ? `h${number}` : `h${number}-${index}`
    await this.#namespace(host)
    await this.#cable(router, `lan${index}`, host, 'eth0')
    await this.#ip(router)('link', 'set', `lan${index}`, 'master', 'lan')
    if (line.isIsolated === true) await runOk('bridge', ['-n', this.#name(router), 'link', 'set', 'dev', `lan${index}`, 'isolated', 'on'])
    const ip = this.#ip(host)
    const [own4, own6] = [`10.${number}.0.${index + 1}`, `${net6}:${(index + 1).toString(16)}`]
    if (line.hasV4 !== false) {
      await ip('addr', 'add', `${own4}/24`, 'dev', 'eth0')
      await ip('route', 'add', 'default', 'via', `10.${number}.0.1`)
    }
    if (net6 !== undefined) {
      await ip('addr', 'add', `${own6}/64`, 'dev', 'eth0', 'nodad')
      await ip('-6', 'route', 'add', 'default', 'via', `${net6}:1`)
    }
    return this.#siteOf(site, host, router, [...(line.hasV4 === false ? [] : [own4]), ...(net6 === undefined ? [] : [own6])])
  }

  #siteOf(site: Pick<Site, 'kind' | 'address' | 'line'>, host: string, router: string | undefined, own: readonly string[]): Site {
    const { kind, address, line } = site
    const name = this.#name(host)
    return { kind, address, line, addresses: [...(address === '' ? [] : [address]), ...own], host: name, router: router === undefined ? undefined : this.#name(router), prefix: prefixOf(name), ip: this.#ip(host) }
  }

  #name(part: string): string {
    return `bwl${process.pid}-${part}`
  }

  #ip(part: string): (...words: string[]) => Promise<string> {
    return (...words) => runOk('ip', ['-n', this.#name(part), ...words])
  }

  async #sysctl(part: string, ...settings: string[]): Promise<void> {
    await runOk('sysctl', ['-qw', ...settings], { prefix: prefixOf(this.#name(part)) })
  }

  async #namespace(part: string): Promise<void> {
    const name = this.#name(part)
    await runOk('ip', ['netns', 'add', name])
    this.#made.push(name)
    await this.#sysctl(part, 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.default.accept_ra=0')
    await this.#ip(part)('link', 'set', 'lo', 'up')
  }

  /** A cable between two namespaces, both ends up and without addresses. */
  async #cable(a: string, aName: string, b: string, bName: string): Promise<void> {
    await runOk('ip', ['link', 'add', aName, 'netns', this.#name(a), 'type', 'veth', 'peer', 'name', bName, 'netns', this.#name(b)])
    await this.#ip(a)('link', 'set', aName, 'up')
    await this.#ip(b)('link', 'set', bName, 'up')
  }

  async #link(id: string, part: string, device: string, settings: LinkSettings): Promise<void> {
    await (this.#forwarding ??= this.#forwarder.start())
    await this.#forwarder.link(id, { namespace: this.#name(part), device }, { namespace: this.#name(INTERNET), device: `p${id}` })
    await this.#forwarder.set(id, settings)
    for (const [where, name] of [[part, device], [INTERNET, `p${id}`]] as const) await this.#ip(where)('link', 'set', name, 'txqueuelen', '5000', 'up')
  }

  #lineOf(id: string): Line {
    return {
      set: (settings) => this.#forwarder.set(id, settings),
      rebind: () => this.#forwarder.rebind(id),
      counts: () => this.#forwarder.counts(id),
    }
  }

  /** Gives a device of the edge its addresses, the default routes, and the internet the way to it. */
  async #attach(part: string, device: string, gate: string, addresses: readonly string[], isForwarded = false): Promise<void> {
    const [ip, internet] = [this.#ip(part), this.#ip(INTERNET)]
    const has = (family: '.' | ':'): boolean => addresses.some((address) => address.includes(family))
    if (has(':') && !isForwarded) await internet('addr', 'add', `${GATEWAY6}/64`, 'dev', gate, 'nodad')
    for (const address of addresses) {
      const is6 = address.includes(':')
      await ip('addr', 'add', `${address}/${is6 ? 128 : 32}`, 'dev', device, ...(is6 ? ['nodad'] : []))
      await internet('route', 'add', `${address}/${is6 ? 128 : 32}`, 'dev', gate)
    }
    if (has('.')) await ip('route', 'add', 'default', ...(isForwarded ? [] : ['via', GATEWAY]), 'dev', device, ...(isForwarded ? [] : ['onlink']))
    if (has(':')) await ip('-6', 'route', 'add', 'default', ...(isForwarded ? [] : ['via', GATEWAY6]), 'dev', device)
  }

  /** The forwarder is the NAT: the router behind it has no address outside, else it would take the packets for itself. */
  async #attachNat(part: string, gate: string, address: string, net6: string | undefined): Promise<void> {
    const [ip, internet] = [this.#ip(part), this.#ip(INTERNET)]
    if (address !== '') {
      await ip('route', 'add', 'default', 'dev', 'wan')
      await internet('route', 'add', `${address}/32`, 'dev', gate)
    }
    if (net6 !== undefined) {
      await ip('-6', 'route', 'add', 'default', 'dev', 'wan')
      await internet('-6', 'route', 'add', `${net6}:/64`, 'dev', gate)
    }
  }

  async #router(part: string, rules: 'nft-easy' | 'nft-hard' | 'nft-no-udp' | 'plain'): Promise<void> {
    await this.#sysctl(part, 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1')
    if (rules !== 'plain') await runOk('nft', [routerRules(rules)], { prefix: prefixOf(this.#name(part)) })
  }

  async #lan(part: string, address: string | undefined, address6: string | undefined): Promise<void> {
    const ip = this.#ip(part)
    await ip('link', 'add', 'lan', 'type', 'bridge')
    await ip('link', 'set', 'lan', 'up')
    if (address !== undefined) await ip('addr', 'add', address, 'dev', 'lan')
    if (address6 !== undefined) await ip('addr', 'add', address6, 'dev', 'lan', 'nodad')
  }
}

/** The IPv6 address of the server that has this IPv4 address. */
export function serverAddress6(address: string): string {
  return `2001:db8:ffff::${Number(address.split('.').at(-1)).toString(16)}`
}

/** Removes what processes that were killed left behind. */
async function removeLeft(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list'])
  for (const [name, pid] of stdout.matchAll(/^bwl(\d+)-\S+/gm)) {
    if (!existsSync(`/proc/${pid}`)) await run('ip', ['netns', 'del', name])
  }
}

function prefixOf(name: string): readonly string[] {
  return ['ip', 'netns', 'exec', name]
}
