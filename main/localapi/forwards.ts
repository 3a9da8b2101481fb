/**
 * bowline/forwards, bowline/open and bowline/proxies: how programs of this computer get into the network without admin rights.
 */
import type { Forward } from './extras.ts'

export interface ForwardRow extends Forward {
  /** `off`: this device is not connected. */
  readonly State: 'listening' | 'failed' | 'off'
  /** Why it failed; where it leads when that is not plain. */
  readonly Why?: string
  /** Not saved: made by bowline/open, gone when nobody has used it for a while or the engine ends. */
  readonly Temporary?: boolean
  /** The last connection that did not come about, and when (RFC 3339). */
  readonly LastError?: { readonly Text: string; readonly At: string }
  readonly Open: number
  readonly Total: number
}

export interface ForwardsPage {
  readonly Forwards: readonly ForwardRow[]
}

/** A forward to add. A Listen without an address is 127.0.0.1; port 0 takes the first free one, kept from then on. A To without a port has Listen's. */
export interface ForwardAddition {
  readonly Proto?: 'tcp' | 'udp'
  readonly Listen: string
  readonly To: string
}

/** A place of the network to open for a while, like "db:5432"; Scheme "http" or "https" gives a URL. */
export interface OpenRequest {
  readonly To: string
  readonly Scheme?: string
}

export interface OpenedForward {
  readonly ID: string
  /** Address and port of this computer that lead there. */
  readonly Listen: string
  readonly URL?: string
}

export interface ProxiesPage {
  /** `apps`: through proxies and forwards, without admin rights. */
  readonly Mode: 'apps' | 'whole-computer'
  /** What the mode means, and how to get the other one. */
  readonly Words: { readonly Mode: string; readonly Upgrade: string }
  /** Addresses like "127.0.0.1:1055"; absent: switched off. */
  readonly Socks5?: string
  readonly Http?: string
  readonly PacUrl?: string
  /** Why a proxy is not where it was before, or not there at all. */
  readonly Why?: string
}
