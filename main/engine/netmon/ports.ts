/**
 * What the network monitor needs from outside, in its own words.
 */

/** One address of one interface of this machine. */
export interface InterfaceAddress {
  readonly name: string
  readonly ip: string
  /** Loopback and the like. */
  readonly internal: boolean
}

export interface NetmonFacts {
  /** The machine's network changed, or the machine woke up. `major`: an address that was in use is gone or new. */
  onChange(change: { readonly why: string; readonly major: boolean }): void
}

/** The system's link events; each call means "something changed, look again". */
export interface LinkEvents {
  start(onEvent: () => void): () => void
}
