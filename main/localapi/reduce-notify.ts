/**
 * The bus as a state: the first notify carries it whole, each later one changes it. Pure; what a notify does not speak of
 * keeps its identity, so that a view can compare with `===`.
 *
 * NoState without a map means that another profile takes over: nothing of the old one's network stays.
 * Watch with BUS_MASK. After a break, start again from EMPTY_BUS: the first message carries everything.
 */
import type { Node, UserProfile } from '../engine/core/tailcfg/types.ts'
import { STATE_NUMBER } from './types.ts'
import type { EngineStatus, HealthState, NetMapJson, Notify, PeerPatch, Prefs, StateName } from './types.ts'
import { WATCH } from './watch-mask.ts'

/** State, prefs, map and health at first; then peer changes as whole nodes and as patches. */
export const BUS_MASK = WATCH.initialState | WATCH.initialPrefs | WATCH.initialNetMap | WATCH.initialHealth | WATCH.healthActions | WATCH.peerChanges | WATCH.peerPatches

export interface BusState {
  readonly version: string
  readonly state: StateName
  readonly prefs: Prefs | undefined
  readonly self: Node | undefined
  readonly peers: ReadonlyMap<number, Node>
  readonly users: ReadonlyMap<number, UserProfile>
  /** The first message's map, for what does not change by peer: relays, names, rules. */
  readonly netMap: NetMapJson | undefined
  readonly health: HealthState
  readonly engine: EngineStatus | undefined
  /** The page to sign in, "" when none waits. */
  readonly browseToUrl: string
  /** The last failure that was told, "" when none or when it is over. */
  readonly error: string
}

export const EMPTY_BUS: BusState = {
  version: '',
  state: 'NoState',
  prefs: undefined,
  self: undefined,
  peers: new Map(),
  users: new Map(),
  netMap: undefined,
  health: { Warnings: null },
  engine: undefined,
  browseToUrl: '',
  error: '',
}

const NAMES = new Map(Object.entries(STATE_NUMBER).map(([name, number]) => [number, name as StateName]))

/** The state after a notify. */
export function reduceNotify(was: BusState, notify: Notify): BusState {
  const before = notify.State === STATE_NUMBER.NoState && !notify.NetMap ? { ...EMPTY_BUS, prefs: was.prefs, health: was.health } : was
  const state = notify.State === null ? before.state : (NAMES.get(notify.State) ?? before.state)
  const signedIn = notify.LoginFinished !== null || state === 'Running'
  return {
    version: notify.Version,
    state,
    prefs: notify.Prefs ?? before.prefs,
    self: notify.SelfChange ?? before.self,
    peers: peersAfter(before.peers, notify),
    users: usersAfter(before.users, notify),
    netMap: notify.NetMap ?? before.netMap,
    health: notify.Health ?? before.health,
    engine: notify.Engine ?? before.engine,
    browseToUrl: notify.BrowseToURL ?? (signedIn ? '' : before.browseToUrl),
    error: notify.ErrMessage ?? (signedIn ? '' : before.error),
  }
}

function peersAfter(before: ReadonlyMap<number, Node>, notify: Notify): ReadonlyMap<number, Node> {
  if (!notify.NetMap && !notify.PeersChanged && !notify.PeersRemoved && !notify.PeerChangedPatch) return before
  const after = new Map(notify.NetMap ? notify.NetMap.Peers.map((peer) => [peer.ID, peer]) : before)
  for (const peer of notify.PeersChanged ?? []) after.set(peer.ID, peer)
  for (const patch of notify.PeerChangedPatch ?? []) {
    const peer = after.get(patch.NodeID)
    if (peer) after.set(patch.NodeID, patched(peer, patch))
  }
  for (const id of notify.PeersRemoved ?? []) after.delete(id)
  return after
}

function patched(peer: Node, patch: PeerPatch): Node {
  return {
    ...peer,
    ...(patch.DERPRegion !== undefined ? { HomeDERP: patch.DERPRegion } : {}),
    ...(patch.Endpoints !== undefined ? { Endpoints: patch.Endpoints } : {}),
    ...(patch.Online !== undefined ? { Online: patch.Online } : {}),
    ...(patch.LastSeen !== undefined ? { LastSeen: patch.LastSeen } : {}),
  }
}

function usersAfter(before: ReadonlyMap<number, UserProfile>, notify: Notify): ReadonlyMap<number, UserProfile> {
  const said = { ...notify.NetMap?.UserProfiles, ...notify.UserProfiles }
  if (Object.keys(said).length === 0) return before
  const after = new Map(before)
  for (const [id, user] of Object.entries(said)) after.set(Number(id), user)
  return after
}
