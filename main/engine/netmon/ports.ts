/**
 * What the network monitor needs from outside, in its own words, and what it tells.
 */

/** One address of one interface of this machine. */
export interface InterfaceAddress {
  readonly name: string
  readonly ip: string
  /** Bits of the network; absent where the system does not tell. */
  readonly prefix?: number
  /** Loopback and the like. */
  readonly internal: boolean
  /** False: switched off, or without its cable or radio. */
  readonly up?: boolean
}

/** The way that packets to the world take, for one family. */
export interface DefaultRoute {
  readonly interface: string
  /** Absent: the world is on the link itself. */
  readonly gateway?: string
  /** The address that packets leave with, where the system tells it. */
  readonly source?: string
}

/** What networks this machine is on. */
export interface NetworkState {
  readonly interfaces: readonly InterfaceAddress[]
  /** Absent: there is none, or the system does not tell. */
  readonly defaultRoute4?: DefaultRoute
  readonly defaultRoute6?: DefaultRoute
  /** An address that reaches beyond this machine and its link. */
  readonly hasV4: boolean
  readonly hasV6: boolean
}

export type NetworkChangeKind = 'default-route' | 'address-gone' | 'address-added' | 'family-came' | 'family-gone' | 'wake'

export interface NetworkChange {
  readonly state: NetworkState
  /** One sentence for a person. */
  readonly why: string
  /** What was proven before (paths, connections, mappings) may hold no longer. */
  readonly major: boolean
  readonly kinds: readonly NetworkChangeKind[]
}

export interface NetmonFacts {
  /** The machine's network changed, or the machine woke up. */
  onChange(change: NetworkChange): void
  /** What is known of it differs from before in whatever way, such as the size of a network; before `onChange`, which may not follow. */
  onState?(state: NetworkState): void
}

/** 'change': something changed, look again. 'wake': the machine slept. */
export type LinkEvent = 'change' | 'wake'

/** The system's own events. */
export interface LinkEvents {
  start(onEvent: (event: LinkEvent) => void): () => void
}
