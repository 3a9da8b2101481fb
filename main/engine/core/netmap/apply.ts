/**
 * Applies one checked MapResponse to the network map: frozen whole map in, frozen whole map and what changed out.
 *
 * Merging belongs to one stream: the first message of a stream (`fresh`) starts from nothing and must hold the own Node,
 * while identities, and what counts as changed, are still told against the last map that we had.
 */
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { timeMs } from '../tailcfg/time.ts'
import type { DnsConfig, MapResponse, Node, NodeId, UserId, UserProfile } from '../tailcfg/types.ts'
import { IdTable } from './id-table.ts'
import { mergeDerpMap, mergeDisplayMessages, mergeFilters, mergeProfiles, NO_DERP_MAP } from './merge.ts'
import { mergePeers } from './merge-peers.ts'
import { keep, sameJson } from './same.ts'
import type { NetMap, NetMapDelta } from './types.ts'

/** A server clock that differs by less is not worth a correction: the message itself was under way. */
const MIN_SKEW_MS = 60_000

const NO_DNS: DnsConfig = Object.freeze({})
const NOTHING: Omit<NetMap, 'self'> = Object.freeze({
  peers: IdTable.empty<Node>(),
  userProfiles: IdTable.empty<UserProfile>(),
  domain: '',
  auditLogId: '',
  derpMap: NO_DERP_MAP,
  dns: NO_DNS,
  packetFilters: new Map(),
  sshPolicy: undefined,
  health: Object.freeze([]),
  displayMessages: new Map(),
  clientVersion: undefined,
  collectServices: false,
  clockSkewMs: undefined,
})

/**
 * The map after the message. `wallMs` is our wall clock. `fresh`: first message of a new stream (implied without `previous`).
 * Refused ('bad-value') when a fresh stream's first message lacks the own Node.
 */
export function applyMapResponse(
  previous: NetMap | undefined, message: MapResponse, wallMs: number, fresh = previous === undefined,
): NetMapDelta | DecodeError {
  const base: Omit<NetMap, 'self'> = fresh || !previous ? NOTHING : previous
  const self = message.Node ?? (fresh ? undefined : previous?.self)
  if (!self) return decodeError('bad-value', 'the first map response lacks the own node')
  const last: Omit<NetMap, 'self'> = previous ?? NOTHING
  const clockSkewMs = skewOf(message, wallMs) ?? last.clockSkewMs
  const merged = mergePeers(asTable(base.peers), message, last.peers, wallMs + (clockSkewMs ?? 0))
  const profiles = mergeProfiles(asTable<UserProfile, UserId>(base.userProfiles), message.UserProfiles, last.userProfiles)
  const filters = mergeFilters(base.packetFilters, message)
  const whole: NetMap = {
    self: previous ? keep(previous.self, self) : self,
    peers: fresh || hasAllPeers(message) ? keepTable(last.peers, merged) : merged,
    userProfiles: fresh ? keepTable(last.userProfiles, profiles) : profiles,
    domain: message.Domain === undefined || message.Domain === '' ? base.domain : message.Domain,
    auditLogId: message.DomainDataPlaneAuditLogID || base.auditLogId,
    derpMap: keep(last.derpMap, mergeDerpMap(base.derpMap, message.DERPMap)),
    dns: message.DNSConfig ? keep(last.dns, message.DNSConfig) : base.dns,
    packetFilters: fresh ? keepFilters(last.packetFilters, filters) : filters,
    sshPolicy: message.SSHPolicy ? keep(last.sshPolicy, message.SSHPolicy) : base.sshPolicy,
    health: message.Health ? keep(last.health, message.Health) : base.health,
    displayMessages: mergeDisplayMessages(base.displayMessages, message.DisplayMessages),
    clientVersion: message.ClientVersion ? keep(last.clientVersion, message.ClientVersion) : base.clientVersion,
    collectServices: message.CollectServices ?? base.collectServices,
    clockSkewMs,
  }
  return deltaOf(previous, Object.freeze(whole))
}

/** Whether the delta says anything at all: many messages hold only the server's time. */
export function isEmptyDelta(delta: NetMapDelta, previous: NetMap | undefined): boolean {
  if (!previous || delta.upserted.length > 0 || delta.removed.length > 0) return false
  const { clockSkewMs, ...next } = delta.netMap
  // A clock that was set says so: what expires when is judged by it.
  if (Math.abs((clockSkewMs ?? 0) - (previous.clockSkewMs ?? 0)) >= MIN_SKEW_MS) return false
  const before = previous as unknown as Record<string, unknown>
  return Object.entries(next).every(([field, value]) => before[field] === value)
}

function skewOf(message: MapResponse, wallMs: number): number | undefined {
  const serverMs = timeMs(message.ControlTime)
  if (serverMs === undefined) return undefined
  return Math.abs(serverMs - wallMs) < MIN_SKEW_MS ? 0 : serverMs - wallMs
}

function asTable<V, K extends number = NodeId>(map: ReadonlyMap<K, V>): IdTable<V> {
  return map instanceof IdTable ? map : IdTable.of(map)
}

/** The last table when the next holds the very same values: a new stream mostly repeats what the old one said. */
function keepTable<V>(last: ReadonlyMap<number, V>, next: IdTable<V>): ReadonlyMap<number, V> {
  if (last === next || last.size !== next.size) return next
  for (const [key, value] of next) if (last.get(key) !== value) return next
  return last
}

function keepFilters(last: NetMap['packetFilters'], next: NetMap['packetFilters']): NetMap['packetFilters'] {
  const isSame = last.size === next.size && [...next].every(([name, rules]) => sameJson(last.get(name), rules))
  return isSame ? last : next
}

function hasAllPeers(message: MapResponse): boolean {
  return message.Peers !== undefined && message.Peers !== null && message.Peers.length > 0
}

/** What leads from one map to a later one, however many messages lie between. */
export function deltaOf(previous: NetMap | undefined, netMap: NetMap): NetMapDelta {
  const before = asTable<Node>(previous?.peers ?? IdTable.empty<Node>())
  const { set, removed } = asTable(netMap.peers).changesSince(before)
  return Object.freeze({
    netMap,
    upserted: Object.freeze(set.map(([, node]) => node)),
    removed: Object.freeze(removed.map((id) => before.get(id)!)),
    selfChanged: previous?.self !== netMap.self,
    derpMapChanged: previous?.derpMap !== netMap.derpMap,
    filterChanged: previous?.packetFilters !== netMap.packetFilters,
    dnsChanged: previous?.dns !== netMap.dns,
  })
}
