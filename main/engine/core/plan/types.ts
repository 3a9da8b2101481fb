/**
 * What the engine should be, as one value for each part: made by core/plan from (netmap, prefs, facts of the system),
 * given out by backend/apply. Every list is in a stable order, so that equal wants are equal values.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { DiscoPublicKey, NodePublicKey } from '../../base/keys.ts'
import type { DerpMap, NodeId } from '../tailcfg/types.ts'
import type { PeerRelayRules } from './peer-relays.ts'

/** A peer as the data plane sees it. */
export interface DataplanePeer {
  readonly key: NodePublicKey
  /** Prefixes that the peer may use as inner source: its addresses, its routes when accepted, /0 as chosen exit node. */
  readonly allowedSources: readonly string[]
  /** Prefixes that we send to it; conflicts between peers are resolved before. */
  readonly routes: readonly string[]
  /** Only replies may come in. */
  readonly jailed: boolean
  /** It speaks WireGuard alone. */
  readonly bare?: boolean
}

/** One inbound rule, prefixes already normalised ("*" spelled out as 0.0.0.0/0 and ::/0, ranges as prefixes). */
export interface FilterMatch {
  /** IP protocol numbers. */
  readonly protos: readonly number[]
  readonly srcs: readonly string[]
  readonly dsts: readonly { readonly prefix: string; readonly first: number; readonly last: number }[]
}

export interface FilterTable {
  readonly matches: readonly FilterMatch[]
  /** Destinations that are ours: own addresses and advertised routes. Everything else is dropped first. */
  readonly localNets: readonly string[]
  /** Drop every new inbound flow (rejects say "shields up"). */
  readonly shieldsUp: boolean
}

export interface DataplaneConfig {
  /** Own tunnel addresses, host addresses without bits. */
  readonly selfAddresses: readonly string[]
  readonly peers: readonly DataplanePeer[]
  readonly filter: FilterTable
}

/** A peer as path finding sees it. */
export interface MagicsockPeer {
  readonly id: NodeId
  readonly key: NodePublicKey
  /** undefined: no direct path is possible (zero or absent key). */
  readonly disco: DiscoPublicKey | undefined
  readonly endpoints: readonly AddrPort[]
  /** 0 = none known. */
  readonly homeDerp: number
  /** First tunnel address, for events and texts. */
  readonly ip: string
  /** Short host name, for events and texts. */
  readonly name: string
  readonly expired: boolean
  /** Bare WireGuard at the first of its endpoints: it knows neither disco nor relays. */
  readonly wireGuardOnly?: boolean
  /** New enough for paths through peer relays. */
  readonly canPeerRelay?: boolean
}

/** What a person offers others: this node as their relay. */
export interface RelayServerWish {
  /** 0 = any. */
  readonly port: number
  /** Where it is reached beside what it finds out by itself. */
  readonly staticEndpoints: readonly AddrPort[]
}

export interface MagicsockConfig {
  readonly peers: readonly MagicsockPeer[]
  readonly derpMap: DerpMap
  /** Region at which others believe us to be at home; absent or 0 = none. A restart keeps it, so that they still find us. */
  readonly lastHome?: number
  /** Absent: no node relays for us, or may ask us to. */
  readonly peerRelays?: PeerRelayRules
  /** Absent: not offered. */
  readonly relayServer?: RelayServerWish | undefined
}
