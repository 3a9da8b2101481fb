/**
 * Which nodes may relay for us, and which may ask us to, by the server's grants. Pure; kept from map to map while rules and
 * peers are the same.
 *
 *   cap/relay-target   granted to a node toward us: it is a relay of ours
 *   cap/relay          granted to a node toward us: it may ask us for sessions
 *
 * A node that nobody has signed for never counts, nor one that is too old to know peer relays.
 * Source: tailscale ipn/ipnlocal and wgengine/magicsock (updateRelayServersSet) @ de9ec7e, read 2026-08.
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import type { Prefix } from '../../base/ip.ts'
import type { NodePublicKey } from '../../base/keys.ts'
import { parseNodeKey } from '../../base/keys.ts'
import { parseAddressSet } from '../filter/address-sets.ts'
import type { NetMap } from '../netmap/types.ts'
import type { FilterRule, Node } from '../tailcfg/types.ts'
import { addressesOf } from './names.ts'

const RELAY_TARGET = 'tailscale.com/cap/relay-target'
const RELAY_CLIENT = 'tailscale.com/cap/relay'
/** The first version that knows peer relays whole. */
export const RELAY_CAPVER = 121

export interface PeerRelayRules {
  readonly relays: readonly NodePublicKey[]
  readonly clients: ReadonlySet<NodePublicKey>
  /** The server forbids us to use relays, or to be one. */
  readonly noClient: boolean
  readonly noServer: boolean
}

export const NO_PEER_RELAYS: PeerRelayRules = { relays: [], clients: new Set(), noClient: false, noServer: false }

export class PeerRelays {
  #filters: NetMap['packetFilters'] | undefined
  #peers: NetMap['peers'] | undefined
  #self: Node | undefined
  #last: PeerRelayRules = NO_PEER_RELAYS

  /** The rules of a map; the same object while nothing that they depend on changed. */
  update(netMap: NetMap): PeerRelayRules {
    const { packetFilters, peers, self } = netMap
    if (packetFilters === this.#filters && peers === this.#peers && self === this.#self) return this.#last
    this.#filters = packetFilters
    this.#peers = peers
    this.#self = self
    const rules = [...packetFilters.values()].flat()
    const own = addressesOf(self)
    const sources = { relays: sourcesOf(rules, RELAY_TARGET, own), clients: sourcesOf(rules, RELAY_CLIENT, own) }
    const relays: NodePublicKey[] = []
    const clients = new Set<NodePublicKey>()
    for (const node of sources.relays.length + sources.clients.length === 0 ? [] : peers.values()) {
      const key = parseNodeKey(node.Key)
      if (key === undefined || node.UnsignedPeerAPIOnly === true || (node.Cap ?? 0) < RELAY_CAPVER) continue
      const addresses = addressesOf(node)
      if (holdsOne(sources.relays, addresses)) relays.push(key)
      if (holdsOne(sources.clients, addresses)) clients.add(key)
    }
    const attributes = self.CapMap ?? {}
    const next: PeerRelayRules = {
      relays, clients, noClient: Object.hasOwn(attributes, 'disable-relay-client'), noServer: Object.hasOwn(attributes, 'disable-relay-server'),
    }
    if (!isSame(this.#last, next)) this.#last = next
    return this.#last
  }
}

/** From where a capability is granted toward one of our addresses. */
function sourcesOf(rules: readonly FilterRule[], cap: string, own: readonly string[]): readonly Prefix[] {
  const found: Prefix[] = []
  for (const rule of rules) {
    const grants = (rule.CapGrant ?? []).some(
      (grant) => ((grant.Caps ?? []).includes(cap) || Object.hasOwn(grant.CapMap ?? {}, cap)) && holdsOne((grant.Dsts ?? []).flatMap(prefixesOf), own),
    )
    if (grants) found.push(...(rule.SrcIPs ?? []).flatMap(prefixesOf))
  }
  return found
}

function prefixesOf(text: string): Prefix[] {
  const set = parseAddressSet(text)
  return 'reason' in set ? [] : set.map((prefix) => parsePrefix(prefix)!)
}

function holdsOne(prefixes: readonly Prefix[], ips: readonly string[]): boolean {
  return ips.some((ip) => prefixes.some((prefix) => prefixContains(prefix, ip)))
}

function isSame(a: PeerRelayRules, b: PeerRelayRules): boolean {
  return (
    a.noClient === b.noClient && a.noServer === b.noServer && a.relays.length === b.relays.length && a.clients.size === b.clients.size &&
    a.relays.every((key, i) => key === b.relays[i]) && [...a.clients].every((key) => b.clients.has(key))
  )
}
