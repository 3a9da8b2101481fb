/**
 * The kinds of networks that a site can have. By who plays them:
 *
 *   nothing between   public      an address of the internet, nothing filtered
 *   nftables          easy        one port for all destinations (kept), answers let in from where was sent to
 *                     hard        another random port for each destination
 *                     double      easy behind easy
 *                     home        easy, and IPv6 that is routed and not filtered; ICMP passes
 *                     no-udp      easy, but UDP is dropped both ways
 *   the forwarder     full-cone   one port for all destinations, everybody is let in
 *                     restricted  one port for all destinations, let in from addresses that were sent to, any port
 *                     hairpin     easy; hosts of the LAN cannot see each other, but the NAT turns packets to itself round
 *                     no-hairpin  the same without turning round
 *                     in-only     a public address whose own UDP is dropped, while UDP to it passes
 *                     out-only    the reverse
 *                     ipv6        an IPv6 address of its own and a stateful filter, no IPv4
 *                     dual        easy and ipv6 at once
 */
import type { LinkSettings } from './forwarder.ts'

export type SiteKind =
  | 'public' | 'easy' | 'hard' | 'double' | 'home' | 'no-udp'
  | 'full-cone' | 'restricted' | 'hairpin' | 'no-hairpin' | 'in-only' | 'out-only' | 'ipv6' | 'dual'

/** What stands between a site's host and the internet. */
interface LineKind {
  /** undefined: the host is on the internet itself. `plain`: it only routes. */
  readonly router?: 'nft-easy' | 'nft-hard' | 'nft-no-udp' | 'plain'
  /** The forwarder translates. */
  readonly isNat?: true
  readonly settings?: LinkSettings
  readonly hasV4?: false
  readonly hasV6?: true
  /** Hosts of the LAN cannot see each other. */
  readonly isIsolated?: true
}

const EASY = { mapping: 'endpoint', filtering: 'port' } as const

export const LINE_OF: Readonly<Record<SiteKind, LineKind>> = {
  public: {},
  easy: { router: 'nft-easy' },
  hard: { router: 'nft-hard' },
  double: { router: 'nft-easy' },
  home: { router: 'nft-easy', hasV6: true },
  'no-udp': { router: 'nft-no-udp' },
  'full-cone': { router: 'plain', isNat: true, settings: { mapping: 'endpoint', filtering: 'endpoint' } },
  restricted: { router: 'plain', isNat: true, settings: { mapping: 'endpoint', filtering: 'address' } },
  hairpin: { router: 'plain', isNat: true, settings: { ...EASY, hairpin: true }, isIsolated: true },
  'no-hairpin': { router: 'plain', isNat: true, settings: { ...EASY, hairpin: false }, isIsolated: true },
  'in-only': { settings: { udp: 'in' } },
  'out-only': { settings: { udp: 'out' } },
  ipv6: { router: 'plain', isNat: true, settings: EASY, hasV4: false, hasV6: true },
  dual: { router: 'plain', isNat: true, settings: EASY, hasV6: true },
}

/** nftables text of a router: masquerade on `wan`, and only answers from there. */
export function routerRules(kind: 'nft-easy' | 'nft-hard' | 'nft-no-udp'): string {
  return `table ip nat {
  chain out {
    type nat hook postrouting priority 100
    oifname "wan" masquerade ${kind === 'nft-hard' ? 'random,fully-random' : ''}
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
    ${kind === 'nft-no-udp' ? 'meta l4proto udp drop' : ''}
    ct state established,related accept
    iifname "lan" accept
  }
}
`
}
