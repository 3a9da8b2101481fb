/**
 * bowline/forwards and bowline/proxies: how programs of this computer get into the network without admin rights.
 */
import type { Forward } from './extras.ts'

export interface ForwardRow extends Forward {
  /** `off`: this device is not connected. */
  readonly State: 'listening' | 'failed' | 'off'
  /** Why it failed; where it leads when that is not plain. */
  readonly Why?: string
  readonly Open: number
  readonly Total: number
}

export interface ForwardsPage {
  readonly Forwards: readonly ForwardRow[]
}

/** A forward to add. A Listen without an address is 127.0.0.1; port 0 takes the first free one, kept from then on. */
export interface ForwardAddition {
  readonly Proto?: 'tcp' | 'udp'
  readonly Listen: string
  readonly To: string
}

export interface ProxiesPage {
  /** `apps`: through proxies and forwards, without admin rights. */
  readonly Mode: 'apps' | 'whole-computer'
  /** What the mode means, and how to get the other one. */
  readonly Words: { readonly Mode: string; readonly Upgrade: string }
  readonly Socks5?: string
  readonly Http?: string
  readonly PacUrl?: string
}
