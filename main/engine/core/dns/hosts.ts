/**
 * Who has which name in the network: devices by full name and by address, and the server's extra records. An index that
 * is kept from map to map: a change of a few devices among 10,000 costs those few, and a question costs the same whatever
 * the size.
 *
 *   a device with an IPv4 address is told by it alone, unless the server gives us `magicdns-aaaa`;
 *   to a device that has IPv6 alone, others are told by theirs
 *
 * Of two devices with one name the one with the lower ID counts, and we before all. Names that DNS cannot carry are left out.
 * Source: control facts §8.2; tailscale ipn/ipnlocal/node_backend.go (dnsConfigForNetmap).
 */
import { canonicalIp, isIp4 } from '../../base/ip.ts'
import { IdTable } from '../netmap/id-table.ts'
import type { NetMap } from '../netmap/types.ts'
import { addressesOf, trimDot } from '../plan/names.ts'
import type { DnsConfig, Node, NodeId } from '../tailcfg/types.ts'
import { nameProblem, plainName } from './message.ts'

const PEER_AAAA = 'magicdns-aaaa'
const SUBDOMAINS = 'dns-subdomain-resolve'

/** What a name stands for. */
export interface Host {
  /** As the network writes it, without trailing dot. */
  readonly name: string
  /** To be told, in order. */
  readonly addresses: readonly string[]
  /** undefined: an extra record of the server. */
  readonly node: Node | undefined
}

export class Hosts {
  #self: Node | undefined
  #table: IdTable<Node> = IdTable.empty()
  #dns: DnsConfig | undefined
  readonly #names = new Map<string, NodeId[]>()
  readonly #ips = new Map<string, NodeId[]>()
  #extra = new Map<string, string[]>()

  /** Brings the index to this map; undefined = nobody. */
  update(netMap: NetMap | undefined): void {
    const table = !netMap ? IdTable.empty<Node>() : netMap.peers instanceof IdTable ? (netMap.peers as IdTable<Node>) : IdTable.of(netMap.peers)
    const { set, removed } = table.changesSince(this.#table)
    for (const id of [...removed, ...set.map(([id]) => id)]) this.#forget(id, this.#table.get(id))
    for (const [id, node] of set) this.#learn(id, node)
    this.#table = table
    this.#self = netMap?.self
    if (this.#dns !== netMap?.dns) this.#extra = extraRecords(netMap?.dns)
    this.#dns = netMap?.dns
  }

  /** Who has a full name, in lower case without trailing dot. */
  find(name: string): Host | undefined {
    const node = this.#nodeNamed(name)
    const extra = this.#extra.get(name)
    if (!node && !extra) return undefined
    return { name: node ? trimDot(node.Name) : name, addresses: [...(node ? this.#toldOf(node) : []), ...(extra ?? [])], node }
  }

  /** The device of which a name is a subdomain, where the server lets its subdomains stand for it. */
  findParent(name: string): Host | undefined {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const host = this.find(name.slice(dot + 1))
      if (host?.node?.CapMap && SUBDOMAINS in host.node.CapMap) return host
    }
    return undefined
  }

  /** The full name of the device that has an address (canonical), without trailing dot. */
  nameOf(ip: string): string | undefined {
    const self = this.#self
    if (self && addressesOf(self).includes(ip)) return trimDot(self.Name)
    const node = this.#table.get(this.#ips.get(ip)?.[0] ?? NaN)
    return node && trimDot(node.Name)
  }

  #nodeNamed(name: string): Node | undefined {
    if (this.#self && plainName(this.#self.Name) === name && name !== '') return this.#self
    return this.#table.get(this.#names.get(name)?.[0] ?? NaN)
  }

  #toldOf(node: Node): readonly string[] {
    const addresses = addressesOf(node)
    const own = this.#self ? addressesOf(this.#self) : []
    if (own.length > 0 && !own.some(isIp4)) return addresses.filter((ip) => !isIp4(ip))
    const capMap = this.#self?.CapMap
    return addresses.some(isIp4) && !(capMap && PEER_AAAA in capMap) ? addresses.filter(isIp4) : addresses
  }

  #learn(id: NodeId, node: Node): void {
    const name = plainName(node.Name)
    if (name !== '' && nameProblem(name) === undefined) put(this.#names, name, id)
    for (const ip of addressesOf(node)) put(this.#ips, ip, id)
  }

  #forget(id: NodeId, node: Node | undefined): void {
    if (!node) return
    take(this.#names, plainName(node.Name), id)
    for (const ip of addressesOf(node)) take(this.#ips, ip, id)
  }
}

/** A and AAAA records of the server by name. */
function extraRecords(dns: DnsConfig | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { Name, Type = '', Value } of dns?.ExtraRecords ?? []) {
    const ip = canonicalIp(Value)
    const name = plainName(Name)
    const fits = ip !== undefined && (Type === '' || Type === (isIp4(ip) ? 'A' : 'AAAA'))
    if (!fits || name === '' || nameProblem(name) !== undefined) continue
    const values = found.get(name) ?? []
    if (!values.includes(ip)) found.set(name, [...values, ip])
  }
  return found
}

function put(map: Map<string, NodeId[]>, key: string, id: NodeId): void {
  const ids = map.get(key)
  if (!ids) map.set(key, [id])
  else if (!ids.includes(id)) map.set(key, [...ids, id].sort((a, b) => a - b))
}

function take(map: Map<string, NodeId[]>, key: string, id: NodeId): void {
  const left = map.get(key)?.filter((one) => one !== id)
  if (!left) return
  if (left.length === 0) map.delete(key)
  else map.set(key, left)
}
