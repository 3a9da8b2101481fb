/**
 * What a simulated control server knows: users, nodes, auth keys, policy, relays, names. Every change calls `onChange`.
 *
 * Rules kept from Headscale: a node is one (machine key, user); a node logs in again in place; IDs and addresses are
 * never given twice; host names become labels and a second bearer of a name gets a suffix.
 */
import type { Clock, Random } from '../../../main/engine/base/env.ts'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import { toHex } from '../../../main/engine/base/bytes.ts'
import type { DerpMap, DnsConfig, Hostinfo, SshPolicy, UserId } from '../../../main/engine/core/tailcfg/types.ts'
import { ALLOW_ALL, checkPolicy } from './policy.ts'
import type { PolicyNode, SimPolicy } from './policy.ts'

export interface SimUser {
  readonly id: UserId
  readonly login: string
  readonly displayName: string
}

export interface SimNode {
  readonly id: number
  readonly user: SimUser
  readonly machineKey: MachinePublicKey
  /** Bare addresses: v4, v6. */
  readonly ips: readonly [string, string]
  readonly createdMs: number
  readonly ephemeral: boolean
  /** Label under the tailnet's domain. */
  name: string
  nodeKey: string
  discoKey: string | undefined
  hostinfo: Hostinfo
  endpoints: readonly string[]
  tags: readonly string[]
  approvedRoutes: readonly string[]
  /** Wall time; undefined never expires. */
  expiryMs: number | undefined
  lastSeenMs: number
  online: boolean
  /** An admin has yet to let it in. */
  waits?: boolean
}

export interface AuthKey {
  readonly key: string
  readonly user: SimUser
  readonly reusable: boolean
  readonly ephemeral: boolean
  readonly tags: readonly string[]
  readonly expiryMs: number | undefined
  used: boolean
}

export interface AuthKeyOptions {
  readonly login: string
  readonly reusable?: boolean
  readonly ephemeral?: boolean
  readonly tags?: readonly string[]
  /** Counted from now. */
  readonly expiryMs?: number
}

/** What lets a node in, or in again. */
export interface Admission {
  readonly machineKey: MachinePublicKey
  readonly nodeKey: string
  readonly user: SimUser
  readonly hostinfo: Hostinfo
  readonly tags?: readonly string[]
  readonly ephemeral?: boolean
  readonly expiryMs?: number | undefined
}

/** What a map request says of its sender. */
export interface NodeFacts {
  readonly hostinfo: Hostinfo | null | undefined
  readonly discoKey: string | undefined
  readonly endpoints: readonly string[] | null | undefined
}

export interface TailnetOptions {
  readonly domain?: string
  readonly policy?: SimPolicy
  readonly derpMap?: DerpMap
  /** Routes are approved as they are advertised. */
  readonly approveRoutes?: boolean
}

/** Owner of tagged nodes, as Headscale names it. */
export const TAGGED_DEVICES: SimUser = { id: 2147455555, login: 'tagged-devices', displayName: 'Tagged Devices' }

const LABEL_MAX = 63

export class Tailnet {
  readonly domain: string
  readonly nodes = new Map<number, SimNode>()
  readonly users = new Map<UserId, SimUser>()
  readonly authKeys = new Map<string, AuthKey>()
  policy: SimPolicy
  derpMap: DerpMap
  sshPolicy: SshPolicy | undefined
  /** Laid over the DNS settings that the domain implies. */
  dnsExtra: DnsConfig = {}
  onChange: () => void = () => {}
  readonly #clock: Clock
  readonly #random: Random
  readonly #approveRoutes: boolean
  #lastNodeId = 0
  #lastUserId = 0

  constructor(env: { clock: Clock; random: Random }, options: TailnetOptions) {
    this.#clock = env.clock
    this.#random = env.random
    this.#approveRoutes = options.approveRoutes ?? false
    this.domain = options.domain ?? 'sim.internal'
    this.policy = options.policy ?? ALLOW_ALL
    checkPolicy(this.policy)
    this.derpMap = options.derpMap ?? { Regions: {} }
  }

  /** The user of that login name, made when there is none. */
  user(login: string, displayName = login): SimUser {
    for (const user of this.users.values()) if (user.login === login) return user
    const user = { id: ++this.#lastUserId, login, displayName }
    this.users.set(user.id, user)
    return user
  }

  /** A new auth key's text. */
  createAuthKey(options: AuthKeyOptions): string {
    const key = `hskey-auth-${this.token(6)}-${this.token(32)}`
    this.authKeys.set(key, {
      key,
      user: options.tags?.length ? TAGGED_DEVICES : this.user(options.login),
      reusable: options.reusable ?? false,
      ephemeral: options.ephemeral ?? false,
      tags: options.tags ?? [],
      expiryMs: options.expiryMs === undefined ? undefined : this.#clock.wallMs() + options.expiryMs,
      used: false,
    })
    return key
  }

  /** Lower-case hex of that many random bytes. */
  token(bytes: number): string {
    return toHex(this.#random.bytes(bytes))
  }

  nodeByKey(nodeKey: string): SimNode | undefined {
    for (const node of this.nodes.values()) if (node.nodeKey === nodeKey) return node
    return undefined
  }

  /** The node of that name, for tests that know it is there. */
  nodeNamed(name: string): SimNode {
    for (const node of this.nodes.values()) if (node.name === name) return node
    throw new Error(`no node named ${name}; there are: ${[...this.nodes.values()].map((node) => node.name).join(', ') || 'none'}`)
  }

  isExpired(node: SimNode): boolean {
    return node.expiryMs !== undefined && node.expiryMs <= this.#clock.wallMs()
  }

  /** Adds the node, or lets it in again under its new node key. */
  admit(entry: Admission): SimNode {
    for (const node of this.nodes.values()) {
      if (node.machineKey !== entry.machineKey || node.user !== entry.user) continue
      node.nodeKey = entry.nodeKey
      node.expiryMs = entry.expiryMs
      node.tags = entry.tags ?? node.tags
      this.#takeHostinfo(node, entry.hostinfo)
      this.onChange()
      return node
    }
    const id = ++this.#lastNodeId
    const node: SimNode = {
      id,
      user: entry.user,
      machineKey: entry.machineKey,
      ips: [`100.64.${id >> 8}.${id & 255}`, `fd7a:115c:a1e0::${id.toString(16)}`],
      createdMs: this.#clock.wallMs(),
      ephemeral: entry.ephemeral ?? false,
      name: this.#freeName(entry.hostinfo.Hostname ?? 'node', id),
      nodeKey: entry.nodeKey,
      discoKey: undefined,
      hostinfo: entry.hostinfo,
      endpoints: [],
      tags: entry.tags ?? [],
      approvedRoutes: [],
      expiryMs: entry.expiryMs,
      lastSeenMs: this.#clock.wallMs(),
      online: false,
    }
    this.nodes.set(id, node)
    this.#takeHostinfo(node, entry.hostinfo)
    this.onChange()
    return node
  }

  /** Takes what a map request says of its sender. An absent NetInfo keeps the old one, as on Headscale. */
  update(node: SimNode, facts: NodeFacts): void {
    const hostinfo = facts.hostinfo ?? {}
    const kept = node.hostinfo.NetInfo
    this.#takeHostinfo(node, hostinfo.NetInfo === undefined && kept ? { ...hostinfo, NetInfo: kept } : hostinfo)
    node.discoKey = facts.discoKey
    if (facts.endpoints) node.endpoints = facts.endpoints
    this.onChange()
  }

  #takeHostinfo(node: SimNode, hostinfo: Hostinfo): void {
    const renamed = (hostinfo.Hostname ?? '') !== (node.hostinfo.Hostname ?? '')
    node.hostinfo = hostinfo
    if (renamed) node.name = this.#freeName(hostinfo.Hostname ?? 'node', node.id)
    if (this.#approveRoutes) node.approvedRoutes = hostinfo.RoutableIPs ?? []
  }

  setOnline(node: SimNode, online: boolean): void {
    if (node.online === online) return
    node.online = online
    node.lastSeenMs = this.#clock.wallMs()
    if (!online && node.ephemeral) this.nodes.delete(node.id)
    this.onChange()
  }

  rename(node: SimNode, name: string): void {
    node.name = this.#freeName(name, node.id)
    this.onChange()
  }

  /** The routes that an administrator lets this node serve. */
  approve(node: SimNode, routes: readonly string[]): void {
    node.approvedRoutes = routes
    this.onChange()
  }

  tag(node: SimNode, tags: readonly string[]): void {
    node.tags = tags
    this.onChange()
  }

  /** Ends the node key's life, now or after `inMs`. */
  expire(node: SimNode, inMs = 0): void {
    node.expiryMs = this.#clock.wallMs() + inMs
    this.onChange()
    if (inMs > 0) this.#clock.after(inMs + 1, () => this.onChange())
  }

  /** Lets the node in, or makes it wait for an admin. */
  letIn(node: SimNode, isIn: boolean): void {
    node.waits = !isIn
    this.onChange()
  }

  remove(node: SimNode): void {
    this.nodes.delete(node.id)
    this.onChange()
  }

  setPolicy(policy: SimPolicy): void {
    checkPolicy(policy)
    this.policy = policy
    this.onChange()
  }

  setDerpMap(map: DerpMap): void {
    this.derpMap = map
    this.onChange()
  }

  setDnsExtra(dns: DnsConfig): void {
    this.dnsExtra = dns
    this.onChange()
  }

  policyNode(node: SimNode): PolicyNode {
    const login = node.tags.length > 0 ? undefined : node.user.login
    return { name: node.name, login, tags: node.tags, ips: node.ips, routes: node.approvedRoutes }
  }

  #freeName(hostname: string, ownId: number): string {
    const label = hostname.toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, LABEL_MAX - 4) || 'node'
    const taken = new Set([...this.nodes.values()].filter((node) => node.id !== ownId).map((node) => node.name))
    for (let n = 1; ; n++) {
      const name = n === 1 ? label : `${label}-${n}`
      if (!taken.has(name)) return name
    }
  }
}
