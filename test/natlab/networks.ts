/**
 * Networks of the NAT lab: one "internet" and any number of sites behind routers of a kind, each a network namespace.
 *
 *   internet (bridge 203.0.113.0/24) ─┬─ host with a public address
 *                                     └─ router (nftables) ── host 10.N.0.2
 *
 *   public   an address of the internet, nothing filtered
 *   easy     masquerade that keeps the port (endpoint-independent mapping), replies let in from where was sent to
 *   hard     masquerade with another random port for each destination
 *   double   easy behind easy
 *   no-udp   easy, but UDP is dropped both ways
 *
 * Linux, root, iproute2 and nftables. Everything is gone after `stop`.
 */
import { run, runOk } from '../support/child.ts'

export type SiteKind = 'public' | 'easy' | 'hard' | 'double' | 'no-udp'

export interface Site {
  readonly kind: SiteKind
  /** Words that run a command on the site's host. */
  readonly prefix: readonly string[]
}

const BRIDGE = 'br0'

export class Networks {
  readonly #made: string[] = []
  #count = 0

  /** Creates the internet with the addresses that servers will use. */
  async start(serverAddresses: readonly string[]): Promise<void> {
    await this.#namespace('net')
    const ip = this.#ip('net')
    await ip('link', 'add', BRIDGE, 'type', 'bridge')
    for (const address of serverAddresses) await ip('addr', 'add', `${address}/24`, 'dev', BRIDGE)
    await ip('link', 'set', BRIDGE, 'up')
  }

  /** Words that run a server on the internet. */
  get internet(): readonly string[] {
    return prefixOf(this.#name('net'))
  }

  /** Adds a site; its host reaches the internet as the kind says. */
  async add(kind: SiteKind): Promise<Site> {
    const number = ++this.#count
    const host = `h${number}`
    await this.#namespace(host)
    const address = `203.0.113.${number + 10}`
    if (kind === 'public') {
      await this.#cable('net', `p${number}`, host, 'eth0', undefined, `${address}/24`)
      return { kind, prefix: prefixOf(this.#name(host)) }
    }
    const outer = `r${number}`
    await this.#router(outer, kind)
    await this.#cable('net', `p${number}`, outer, 'wan', undefined, `${address}/24`)
    let inner = outer
    if (kind === 'double') {
      inner = `s${number}`
      await this.#router(inner, 'easy')
      await this.#cable(outer, 'lan', inner, 'wan', `10.200.${number}.1/24`, `10.200.${number}.2/24`)
      await this.#ip(inner)('route', 'add', 'default', 'via', `10.200.${number}.1`)
    }
    await this.#cable(inner, 'lan', host, 'eth0', `10.${number}.0.1/24`, `10.${number}.0.2/24`)
    await this.#ip(host)('route', 'add', 'default', 'via', `10.${number}.0.1`)
    return { kind, prefix: prefixOf(this.#name(host)) }
  }

  /** Removes every namespace, and with it what is in them. */
  async stop(): Promise<void> {
    for (const name of this.#made.splice(0)) await run('ip', ['netns', 'del', name])
  }

  #name(part: string): string {
    return `bwl${process.pid}-${part}`
  }

  #ip(part: string): (...words: string[]) => Promise<string> {
    return (...words) => runOk('ip', ['-n', this.#name(part), ...words])
  }

  async #namespace(part: string): Promise<void> {
    const name = this.#name(part)
    await runOk('ip', ['netns', 'add', name])
    this.#made.push(name)
    await this.#ip(part)('link', 'set', 'lo', 'up')
  }

  /** A cable between two namespaces; an end without an address goes into the internet's bridge. */
  async #cable(a: string, aName: string, b: string, bName: string, aAddress: string | undefined, bAddress: string): Promise<void> {
    await runOk('ip', ['link', 'add', aName, 'netns', this.#name(a), 'type', 'veth', 'peer', 'name', bName, 'netns', this.#name(b)])
    if (aAddress === undefined) await this.#ip(a)('link', 'set', aName, 'master', BRIDGE)
    else await this.#ip(a)('addr', 'add', aAddress, 'dev', aName)
    await this.#ip(b)('addr', 'add', bAddress, 'dev', bName)
    await this.#ip(a)('link', 'set', aName, 'up')
    await this.#ip(b)('link', 'set', bName, 'up')
  }

  async #router(part: string, kind: SiteKind): Promise<void> {
    await this.#namespace(part)
    const prefix = prefixOf(this.#name(part))
    await runOk('sysctl', ['-qw', 'net.ipv4.ip_forward=1'], { prefix })
    await runOk('nft', [rulesOf(kind)], { prefix })
  }
}

function prefixOf(name: string): readonly string[] {
  return ['ip', 'netns', 'exec', name]
}

/** nftables text of a router: masquerade on `wan`, and only answers from there. */
function rulesOf(kind: SiteKind): string {
  return `table ip nat {
  chain out {
    type nat hook postrouting priority 100
    oifname "wan" masquerade ${kind === 'hard' ? 'random,fully-random' : ''}
  }
}
table ip fw {
  # A stray packet must not make the connection table take the port that the host behind needs for it.
  chain own {
    type filter hook input priority 0; policy accept
    iifname "wan" ct state new drop
  }
  chain pass {
    type filter hook forward priority 0; policy drop
    ${kind === 'no-udp' ? 'meta l4proto udp drop' : ''}
    ct state established,related accept
    iifname "lan" accept
  }
}
`
}
