/**
 * The merged network map: one frozen whole value. Peers that did not change keep their identity (`===`) from one map
 * to the next, so a reader can find what changed without comparing fields.
 */
import type { ClientVersion, DerpMap, DisplayMessage, DnsConfig, FilterRule, Node, NodeId, SshPolicy, UserId, UserProfile } from '../tailcfg/types.ts'

export interface NetMap {
  readonly self: Node
  /** By node ID; iteration order is by ID. */
  readonly peers: ReadonlyMap<NodeId, Node>
  readonly userProfiles: ReadonlyMap<UserId, UserProfile>
  readonly domain: string
  /** "" = none: we keep no such log, and show that the server names one. */
  readonly auditLogId: string
  readonly derpMap: DerpMap
  readonly dns: DnsConfig
  /** Named filters; the effective rules are their concatenation in sorted name order. No names: nothing may come in. */
  readonly packetFilters: ReadonlyMap<string, readonly FilterRule[]>
  readonly sshPolicy: SshPolicy | undefined
  readonly health: readonly string[]
  readonly displayMessages: ReadonlyMap<string, DisplayMessage>
  readonly clientVersion: ClientVersion | undefined
  readonly collectServices: boolean
  /** Server clock minus ours, in ms, when control last told its time; undefined before. */
  readonly clockSkewMs: number | undefined
}

/** What one control message changed, for those who need not look at everything. */
export interface NetMapDelta {
  readonly netMap: NetMap
  readonly upserted: readonly Node[]
  readonly removed: readonly Node[]
  readonly selfChanged: boolean
  readonly derpMapChanged: boolean
  readonly filterChanged: boolean
  readonly dnsChanged: boolean
}
