/**
 * The merge rules of peers: whole lists, upserts, removals and patches, in the order that control means them.
 *
 *   Peers (not empty) replaces all and makes every other peer change of the message void
 *   PeersRemoved, PeersChanged (whole nodes), PeerSeenChange, OnlineChange, then PeersChangedPatch (present fields only)
 *
 * Changes for unknown IDs are ignored. A node that holds the same as before keeps its identity and counts as unchanged.
 */
import { formatTime, timeMs } from '../tailcfg/time.ts'
import type { MapResponse, Node, NodeId, PeerChange } from '../tailcfg/types.ts'
import { IdTable } from './id-table.ts'
import { keep, sameJson } from './same.ts'

type Peers = ReadonlyMap<NodeId, Node>

/** The peers after the message. `previous` is what the stream has said so far; `known` lends identities. `nowMs` is control's wall time. */
export function mergePeers(previous: IdTable<Node>, message: MapResponse, known: Peers, nowMs: number): IdTable<Node> {
  if (message.Peers && message.Peers.length > 0) {
    return IdTable.of(message.Peers.map((peer) => [peer.ID, keep(known.get(peer.ID) ?? peer, peer)] as const))
  }
  const changed = new Map<NodeId, Node>()
  const removed = new Set(message.PeersRemoved ?? [])
  for (const peer of message.PeersChanged ?? []) {
    removed.delete(peer.ID)
    changed.set(peer.ID, keep(known.get(peer.ID) ?? peer, peer))
  }
  const edit = (id: NodeId, change: (peer: Node) => Node): void => {
    const peer = removed.has(id) ? undefined : (changed.get(id) ?? previous.get(id))
    if (!peer) return
    const next = change(peer)
    if (next !== peer) changed.set(id, keep(known.get(id) ?? next, next))
  }
  for (const [id, seen] of Object.entries(message.PeerSeenChange ?? {})) edit(Number(id), (peer) => withSeen(peer, seen, nowMs))
  for (const [id, online] of Object.entries(message.OnlineChange ?? {})) {
    edit(Number(id), (peer) => patched(peer, { NodeID: peer.ID, Online: online }, nowMs))
  }
  for (const change of message.PeersChangedPatch ?? []) edit(change.NodeID, (peer) => patched(peer, change, nowMs))
  return changed.size === 0 && removed.size === 0 ? previous : previous.with(changed, removed)
}

function withSeen(peer: Node, seen: boolean, nowMs: number): Node {
  const { LastSeen: _, ...rest } = peer
  return Object.freeze(seen ? { ...rest, LastSeen: formatTime(nowMs) } : rest)
}

/** The peer with the patch's present fields; the same object when they change nothing. */
function patched(peer: Node, change: PeerChange, nowMs: number): Node {
  const next: Record<string, unknown> = { ...peer }
  const set = (field: keyof Node, value: unknown): void => {
    if (value !== undefined && value !== null) next[field] = value
  }
  set('HomeDERP', change.DERPRegion === 0 ? undefined : change.DERPRegion)
  set('Cap', change.Cap === 0 ? undefined : change.Cap)
  set('CapMap', change.CapMap)
  set('Endpoints', change.Endpoints)
  set('Key', change.Key)
  set('DiscoKey', change.DiscoKey)
  set('Online', change.Online)
  set('LastSeen', change.LastSeen)
  set('KeyExpiry', change.KeyExpiry)
  if (typeof change.DiscoKey === 'string' && /:0{64}$/.test(change.DiscoKey)) delete next['DiscoKey']
  if (typeof change.KeyExpiry === 'string' && timeMs(change.KeyExpiry) === undefined) delete next['KeyExpiry']
  // Headscale says only Online:false when a peer goes; when it was last seen is then our business.
  if (change.Online === false && peer.Online === true && !change.LastSeen) next['LastSeen'] = formatTime(nowMs)
  return sameJson(peer, next) ? peer : (Object.freeze(next) as unknown as Node)
}
