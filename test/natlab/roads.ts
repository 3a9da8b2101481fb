/**
 * Networks to move between: two hosts that each have a cable into two sites, A and B, both with IPv4 behind a NAT and IPv6
 * without one, and an internet with a server and a host far away.
 *
 *   internet (bridge)  203.0.113.0/24, 2001:db8:113::/64    server .1   far .20   routers .101 (A), .102 (B)
 *   site A, B          10.1.0.0/24, 2001:db8:1::/64; 10.2.0.0/24, 2001:db8:2::/64      hosts .11, .12
 *
 * Every host is on no site at first. Names of servers are in each namespace's own hosts file. Linux, root, iproute2, nftables.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { run, runOk } from '../support/child.ts'

export type SiteName = 'a' | 'b'
export type Families = '4' | '6' | '46'

export const SERVER = { name: 'lab.example', ip4: '203.0.113.1', ip6: '2001:db8:113::1' } as const

const NUMBER: Record<SiteName, number> = { a: 1, b: 2 }
const OTHER: Record<SiteName, SiteName> = { a: 'b', b: 'a' }

export class Roads {
  readonly #made: string[] = []
  readonly hosts = ['m1', 'm2'] as const

  async start(): Promise<void> {
    await this.#namespace('net')
    await this.in('net', 'ip link add br0 type bridge', 'ip addr add 203.0.113.254/24 dev br0', 'ip addr add 2001:db8:113::fe/64 dev br0 nodad', 'ip link set br0 up', 'sysctl -qw net.ipv6.conf.all.forwarding=1')
    for (const [name, number] of [['srv', 1], ['far', 20], ['ra', 101], ['rb', 102]] as const) await this.#onInternet(name, number)
    for (const site of ['a', 'b'] as const) await this.#site(site)
    for (const host of this.hosts) {
      await this.#namespace(host)
      for (const site of ['a', 'b'] as const) await this.#cable(`r${site}`, `to-${host}`, 'lan', host, `to-${site}`)
    }
  }

  /** Words that run a program in one of the namespaces: srv, far, ra, rb, m1, m2. */
  prefix(part: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(part)]
  }

  /** Runs commands in a namespace, one after the other, in one shell: events of one moment. */
  async in(part: string, ...lines: string[]): Promise<void> {
    await runOk('sh', ['-ec', lines.join('\n')], { prefix: this.prefix(part), timeoutMs: 90_000 })
  }

  /** Runs the same commands in both hosts at the same moment. */
  async inBoth(lines: (host: 'm1' | 'm2') => readonly string[]): Promise<void> {
    await Promise.all(this.hosts.map((host) => this.in(host, ...lines(host))))
  }

  /** Commands that bring a host onto a site, with these families. */
  join(host: 'm1' | 'm2', site: SiteName, families: Families = '4', last = host === 'm1' ? 11 : 12): string[] {
    const number = NUMBER[site]
    return [
      `sysctl -qw net.ipv6.conf.to-${site}.disable_ipv6=${families === '4' ? 1 : 0}`,
      `ip link set to-${site} up`,
      ...(families === '6' ? [] : [`ip addr add 10.${number}.0.${last}/24 dev to-${site}`, `ip route replace default via 10.${number}.0.1 dev to-${site}`]),
      ...(families === '4' ? [] : [`ip addr add 2001:db8:${number}::${last}/64 dev to-${site} nodad`, `ip -6 route replace default via 2001:db8:${number}::1 dev to-${site}`]),
    ]
  }

  /** Commands that take a host off a site. */
  leave(site: SiteName): string[] {
    return [`ip addr flush dev to-${site}`, `ip link set to-${site} down`]
  }

  /** Commands for a move from one site to the other. */
  move(host: 'm1' | 'm2', to: SiteName, families: Families = '4'): string[] {
    return [...this.leave(OTHER[to]), ...this.join(host, to, families)]
  }

  /** Gives a router's connections other ports outside, as a NAT does that forgot them. */
  async rebindNat(site: SiteName, ports: string): Promise<void> {
    const address = `203.0.113.${100 + NUMBER[site]}/24`
    // Masquerading forgets the connections of an address that goes.
    await this.in(`r${site}`, `nft '${natRules(ports)}'`, `ip addr del ${address} dev wan`, `ip addr add ${address} dev wan`)
  }

  /** Lets UDP through a site's router, or not. */
  async allowUdp(site: SiteName, allow: boolean): Promise<void> {
    await this.in(`r${site}`, `nft '${dropRules(!allow)}'`)
  }

  async stop(): Promise<void> {
    for (const name of this.#made.splice(0)) {
      await run('ip', ['netns', 'del', name])
      rmSync(`/etc/netns/${name}`, { recursive: true, force: true })
    }
  }

  #name(part: string): string {
    return `bwr${process.pid}-${part}`
  }

  async #namespace(part: string): Promise<void> {
    const name = this.#name(part)
    mkdirSync(`/etc/netns/${name}`, { recursive: true })
    writeFileSync(`/etc/netns/${name}/hosts`, `127.0.0.1 localhost\n${SERVER.ip4} ${SERVER.name}\n${SERVER.ip6} ${SERVER.name}\n`)
    writeFileSync(`/etc/netns/${name}/resolv.conf`, 'nameserver 127.0.0.1\n')
    await runOk('ip', ['netns', 'add', name])
    this.#made.push(name)
    await this.in(part, 'ip link set lo up', 'sysctl -qw net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.accept_dad=0')
  }

  /** A cable from a bridge in one namespace to another namespace. */
  async #cable(from: string, fromName: string, bridge: string, to: string, toName: string): Promise<void> {
    await runOk('ip', ['link', 'add', fromName, 'netns', this.#name(from), 'type', 'veth', 'peer', 'name', toName, 'netns', this.#name(to)])
    await this.in(from, `ip link set ${fromName} master ${bridge}`, `ip link set ${fromName} up`)
  }

  async #onInternet(part: string, number: number): Promise<void> {
    await this.#namespace(part)
    await this.#cable('net', `to-${part}`, 'br0', part, 'wan')
    await this.in(part, `ip addr add 203.0.113.${number}/24 dev wan`, `ip addr add 2001:db8:113::${number}/64 dev wan nodad`, 'ip link set wan up', 'ip route add default via 2001:db8:113::fe')
  }

  async #site(site: SiteName): Promise<void> {
    const number = NUMBER[site]
    const part = `r${site}`
    await this.in(part, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1', 'ip link add lan type bridge', `ip addr add 10.${number}.0.1/24 dev lan`, `ip addr add 2001:db8:${number}::1/64 dev lan nodad`, 'ip link set lan up', `nft '${natRules('')}'`, `nft '${dropRules(false)}'`)
    await this.in('net', `ip route add 2001:db8:${number}::/64 via 2001:db8:113::${100 + number}`)
  }
}

/** Masquerade; with a range of ports, none keeps its own. */
function natRules(ports: string): string {
  return `add table ip nat; delete table ip nat
table ip nat {
  chain out {
    type nat hook postrouting priority 100
    oifname "wan" ${ports === '' ? 'masquerade' : `meta l4proto udp masquerade to :${ports}`}
    oifname "wan" masquerade
  }
}`
}

/** What comes from outside must be an answer; UDP may be dropped altogether. */
function dropRules(udp: boolean): string {
  return `add table inet fw; delete table inet fw
table inet fw {
  chain own {
    type filter hook input priority 0; policy accept
    iifname "wan" ct state new meta l4proto { tcp, udp } drop
  }
  chain pass {
    type filter hook forward priority 0; policy drop
    ${udp ? 'meta l4proto udp drop' : ''}
    ct state established,related accept
    iifname "lan" accept
  }
}`
}
