/**
 * Which way a peer's packets go. Pushed whole into the data plane by magicsock; never asked per packet.
 */
import type { AddrPort } from '../../base/ip.ts'
import { formatAddrPort } from '../../base/ip.ts'
import type { NodePublicKey } from '../../base/keys.ts'
import type { MachineEvidence } from './reason/evidence.ts'

/** A UDP address that may lie behind a peer relay: `vni` is then its session there (1…2^24−1). */
export interface UdpAddr extends AddrPort {
  readonly vni?: number
}

/**
 * `peer-relay`: a node of the network forwards, in a session that is proven. `both` while a UDP address is known but its
 * trust has run out or is not yet proven. `relay` is a relay of the map (DERP).
 */
export type Path =
  | { readonly kind: 'none' }
  | { readonly kind: 'direct'; readonly addr: AddrPort }
  | { readonly kind: 'peer-relay'; readonly addr: AddrPort; readonly vni: number }
  | { readonly kind: 'relay'; readonly region: number }
  | { readonly kind: 'both'; readonly addr: AddrPort; readonly vni?: number; readonly region: number }

/** "ip:port", and ":vni:N" behind it for an address behind a peer relay: the text that status and pings show. */
export function formatUdpAddr(addr: UdpAddr): string {
  return addr.vni === undefined ? formatAddrPort(addr) : `${formatAddrPort(addr)}:vni:${addr.vni}`
}

export function samePath(a: Path, b: Path): boolean {
  const text = (p: Path): string => `${p.kind} ${'addr' in p ? formatUdpAddr('vni' in p && p.vni !== undefined ? { ...p.addr, vni: p.vni } : p.addr) : ''} ${'region' in p ? p.region : ''}`
  return text(a) === text(b)
}

/** What a person sees of a peer's path. */
export interface PathView {
  readonly peer: NodePublicKey
  readonly path: Path
  /** Last measured round trip, disco over that path. */
  readonly latencyMs: number | undefined
  /** Wall time since when the path is of this kind. */
  readonly sinceMs: number
  /** What the reason for the path is judged from (core/path/reason). */
  readonly evidence: MachineEvidence
}

/** What a person sees of one address at which a peer may be. */
export interface CandidateView {
  readonly addr: UdpAddr
  /** Where it was learnt: 'map', 'call-me-maybe', 'ping', 'peer-relay'. */
  readonly sources: readonly string[]
  readonly lastPingAgoMs: number | undefined
  readonly lastPongAgoMs: number | undefined
  /** Since the peer's last ping to us from there. */
  readonly pingedUsAgoMs: number | undefined
  readonly latencyMs: number | undefined
  /** Pings since the last pong. */
  readonly unanswered: number
  readonly isBest: boolean
  /** Size of packets that is proven to pass: 'full-size' is our largest datagram, 'small' means that large ones get lost. */
  readonly carries: 'unknown' | 'small' | 'full-size'
}
