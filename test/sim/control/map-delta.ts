/**
 * What one map stream has been told, and the least messages that bring it to the present. Pure.
 *
 *   'patch'      one message; a peer that differs in patchable fields alone goes as PeersChangedPatch
 *   'headscale'  as Headscale 0.29 does: whole nodes for everything, and an Online change as a patch and as a whole
 *                node, each in a message of its own
 */
import type {
  DerpMap,
  DnsConfig,
  FilterRule,
  MapResponse,
  Node,
  NodeId,
  PeerChange,
  SshPolicy,
  UserProfile,
} from '../../../main/engine/core/tailcfg/types.ts'
import { ZERO_TIME } from '../../../main/engine/core/tailcfg/types.ts'

export type DeltaStyle = 'patch' | 'headscale'

/** All that one node may know at a moment. */
export interface MapView {
  readonly self: Node
  readonly peers: readonly Node[]
  readonly filter: readonly FilterRule[]
  readonly dns: DnsConfig
  readonly derpMap: DerpMap
  readonly domain: string
  readonly profiles: readonly UserProfile[]
  readonly sshPolicy: SshPolicy | undefined
}

/** The first message of a stream. */
export function initialMessage(view: MapView): MapResponse {
  return {
    Node: view.self,
    DERPMap: view.derpMap,
    ...(view.peers.length > 0 && { Peers: view.peers }),
    DNSConfig: view.dns,
    Domain: view.domain,
    PacketFilters: { base: view.filter },
    UserProfiles: view.profiles,
    ...(view.sshPolicy && { SSHPolicy: view.sshPolicy }),
  }
}

/** The messages from one view to the next, in order; none when nothing differs. */
export function deltaMessages(before: MapView, after: MapView, style: DeltaStyle): MapResponse[] {
  const old = new Map(before.peers.map((peer) => [peer.ID, peer]))
  const changed: Node[] = []
  const patches: PeerChange[] = []
  for (const peer of after.peers) {
    const was = old.get(peer.ID)
    old.delete(peer.ID)
    if (was && same(was, peer)) continue
    const patch = was && patchOf(was, peer)
    if (style === 'headscale') {
      if (was && was.Online !== peer.Online) patches.push({ NodeID: peer.ID, Online: peer.Online ?? false })
      changed.push(peer)
    } else if (patch) patches.push(patch)
    else changed.push(peer)
  }
  const message: MapResponse = {
    ...(!same(before.self, after.self) && { Node: after.self }),
    ...(!same(before.derpMap, after.derpMap) && { DERPMap: after.derpMap }),
    ...(changed.length > 0 && { PeersChanged: changed }),
    ...(old.size > 0 && { PeersRemoved: [...old.keys()] }),
    ...(!same(before.dns, after.dns) && { DNSConfig: after.dns }),
    ...(!same(before.filter, after.filter) && { PacketFilters: { base: after.filter } }),
    ...profilesDelta(before.profiles, after.profiles),
    ...(!same(before.sshPolicy ?? null, after.sshPolicy ?? null) && { SSHPolicy: after.sshPolicy ?? { rules: null } }),
  }
  if (style === 'headscale' && patches.length > 0) return [{ PeersChangedPatch: patches }, message]
  const whole = patches.length > 0 ? { ...message, PeersChangedPatch: patches } : message
  return Object.keys(whole).length > 0 ? [whole] : []
}

function profilesDelta(before: readonly UserProfile[], after: readonly UserProfile[]): Pick<MapResponse, 'UserProfiles'> {
  const known = new Map(before.map((profile) => [profile.ID, profile]))
  const news = after.filter((profile) => !same(known.get(profile.ID) ?? null, profile))
  return news.length > 0 ? { UserProfiles: news } : {}
}

const PATCHABLE = new Set(['Key', 'DiscoKey', 'Endpoints', 'HomeDERP', 'Online', 'LastSeen', 'KeyExpiry'])

/** The patch that leads from one to the other, when patchable fields alone differ. */
function patchOf(was: Node, now: Node): PeerChange | undefined {
  const before = was as unknown as Record<string, unknown>
  const after = now as unknown as Record<string, unknown>
  const patch: { NodeID: NodeId; [field: string]: unknown } = { NodeID: now.ID }
  for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const value = after[field]
    if (same(before[field], value)) continue
    if (!PATCHABLE.has(field)) return undefined
    if (field === 'LastSeen' && value === undefined) continue
    if (value === undefined && field !== 'Endpoints' && field !== 'KeyExpiry') return undefined
    patch[field === 'HomeDERP' ? 'DERPRegion' : field] = value ?? (field === 'Endpoints' ? [] : ZERO_TIME)
  }
  return Object.keys(patch).length > 1 ? patch : undefined
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
