/**
 * What the relay client needs from below, and whom it tells.
 */
import type { Duplex } from 'node:stream'
import type { NodePublicKey } from '../base/keys.ts'

export interface DialOptions {
  readonly tls: boolean
  /** Name for SNI and for the certificate; absent for address literals: the certificate is checked against the host. */
  readonly servername?: string
  /** For connecting and the TLS handshake together. */
  readonly timeoutMs: number
  /** For connecting alone. */
  readonly connectTimeoutMs?: number
  /** Tried instead of asking DNS for the host, or, with a family, before what DNS tells of it. */
  readonly addresses?: readonly string[]
  /** Only this family, when the host is asked of DNS. */
  readonly family?: 4 | 6
  /**
   * How the certificate is checked. `roots` (the default): chain and name. `{ name }`: the chain, and this name in place
   * of the servername. `caller`: not at all; the caller looks at `getPeerX509Certificate()` itself.
   */
  readonly verify?: 'roots' | 'caller' | { readonly name: string }
}

/** A connected stream, TLS done. Rejects when it cannot. */
export type Dial = (host: string, port: number, options: DialOptions) => Promise<Duplex>

export type RegionState = 'connecting' | 'connected' | 'lost'

export interface DerpFacts {
  /** A disco packet; borrowed until return. */
  onDisco(region: number, from: NodePublicKey, bytes: Uint8Array): void
  /** Whole RecvPacket frames without disco; borrowed until return. */
  onFrames(region: number, frames: Uint8Array): void
  /** reason 0 = left the relay, 1 = was not there. */
  onPeerGone(region: number, peer: NodePublicKey, reason: number): void
  onState(region: number, state: RegionState, why: string): void
  /** What the relay says of our connection changed; see DerpRegions.health. */
  onHealth?(region: number): void
}
