/**
 * What of a map change watchers are told: whole nodes, removed IDs, and narrow patches for those who asked for them.
 * Pure. A patch holds only Online, LastSeen, home relay and endpoints; any other difference needs the whole node.
 */
import type { Node } from '../core/tailcfg/types.ts'
import type { NetMap, NetMapDelta } from '../core/netmap/types.ts'
import { magicDnsSuffix } from '../core/plan/names.ts'
import type { Notify, PeerPatch } from '../../localapi/types.ts'
import { nodeJson } from './node-json.ts'

/** The parts of a Notify that carry a map change; `patches` for watchers that take them. */
export function changesOf(delta: NetMapDelta, before: NetMap | undefined): { whole: Partial<Notify>; patched: Partial<Notify> | undefined } {
  const { netMap } = delta
  const suffix = magicDnsSuffix(netMap.self)
  const users: Record<string, unknown> = {}
  for (const node of delta.upserted) {
    const user = netMap.userProfiles.get(node.User)
    if (user) users[String(node.User)] = user
  }
  const self: Partial<Notify> = delta.selfChanged || !before ? { SelfChange: nodeJson(netMap.self, suffix) } : {}
  const rest: Partial<Notify> = {
    ...(delta.removed.length > 0 ? { PeersRemoved: delta.removed.map((node) => node.ID) } : {}),
    ...(Object.keys(users).length > 0 ? { UserProfiles: users as NonNullable<Notify['UserProfiles']> } : {}),
  }
  const patches: PeerPatch[] = []
  const others: Node[] = []
  for (const node of delta.upserted) {
    const patch = patchOf(before?.peers.get(node.ID), node)
    if (patch) patches.push(patch)
    else others.push(node)
  }
  const nodes = (list: readonly Node[]): Partial<Notify> => (list.length > 0 ? { PeersChanged: list.map((node) => nodeJson(node, suffix)) } : {})
  return {
    whole: { ...self, ...nodes(delta.upserted), ...rest },
    patched: patches.length > 0 ? { ...self, PeerChangedPatch: patches, ...nodes(others), ...rest } : undefined,
  }
}

/** A map as watchers are told of it who know none of it. */
export function wholeMap(netMap: NetMap): Partial<Notify> {
  const suffix = magicDnsSuffix(netMap.self)
  return {
    SelfChange: nodeJson(netMap.self, suffix),
    PeersChanged: [...netMap.peers.values()].map((node) => nodeJson(node, suffix)),
    UserProfiles: Object.fromEntries(netMap.userProfiles),
  }
}

const PATCHABLE: ReadonlySet<string> = new Set(['Online', 'LastSeen', 'HomeDERP', 'Endpoints'])

/** The patch from one node to the next, or undefined when a patch cannot say it. */
export function patchOf(before: Node | undefined, after: Node): PeerPatch | undefined {
  if (!before) return undefined
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Node>
  for (const field of fields) {
    if (PATCHABLE.has(field) || before[field] === after[field]) continue
    if (JSON.stringify(before[field]) !== JSON.stringify(after[field])) return undefined
  }
  return {
    NodeID: after.ID,
    ...(before.HomeDERP !== after.HomeDERP && after.HomeDERP !== undefined ? { DERPRegion: after.HomeDERP } : {}),
    ...(JSON.stringify(before.Endpoints) !== JSON.stringify(after.Endpoints) && after.Endpoints ? { Endpoints: after.Endpoints } : {}),
    ...(before.Online !== after.Online && typeof after.Online === 'boolean' ? { Online: after.Online } : {}),
    ...(before.LastSeen !== after.LastSeen && typeof after.LastSeen === 'string' ? { LastSeen: after.LastSeen } : {}),
  }
}
