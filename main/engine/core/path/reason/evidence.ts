/**
 * What the reason for a path is judged from: the peer's path machine, the network map's word on the peer, and this
 * machine's own network. What nobody has looked at is undefined, which is not the same as "no".
 */
import type { AddrPort, Prefix } from '../../../base/ip.ts'
import type { NetcheckReport } from '../../netcheck/report.ts'
import type { NetInfo } from '../../tailcfg/types.ts'
import type { CandidateView, Path } from '../types.ts'

/** What the path machine has seen itself. */
export interface MachineEvidence {
  readonly path: Path
  readonly noDirect: NoDirect | undefined
  /** Round trip over the UDP path in use. */
  readonly latencyMs: number | undefined
  /** Every address known, those behind peer relays too. */
  readonly candidates: readonly CandidateView[]
  /** Of them, answered within the time that an answer counts. */
  readonly answered: number
  /** Pings in a row without a pong on the UDP path in use. */
  readonly misses: number
  /** Whether a direct path is being looked for or kept at present. */
  readonly isActive: boolean
  /** Why the last direct path was given up, until there is another. */
  readonly lostWhy: string | undefined
  /** The relay in question said that the peer is not there. */
  readonly isGone: boolean
}

/**
 * Why no direct path may be tried: the node has no key for it, it is switched off here, the node's sign-in has ended, it
 * speaks bare WireGuard at one fixed address, it can be reached in no way at all, or this device is not connected.
 */
export type NoDirect = 'no-disco-key' | 'switched-off' | 'expired' | 'fixed' | 'unreachable' | 'not-connected'

/** What the network map says of the peer. */
export interface PeerSide {
  /** undefined: the server does not say. */
  readonly online: boolean | undefined
  /** A handshake with it came through later than the server saw it last. */
  readonly heardSince: boolean
  readonly netInfo: NetInfo | undefined
  /** Addresses that the map lists for it. */
  readonly endpoints: readonly AddrPort[]
  /** Name of the device whose peer relay is in use. */
  readonly relayDevice?: string
}

/** What is known of this machine's own network. */
export interface OwnSide {
  /** undefined: not measured yet. */
  readonly report: OwnReport | undefined
  /** Networks that this machine has an address in; empty when not known. */
  readonly networks: readonly Prefix[]
  /** The path's relay, when it is one: whether the map has it, and whether the connection to it stands. */
  readonly relay: { readonly isInMap: boolean; readonly isConnected: boolean } | undefined
}

/** Of the netcheck's report what rules look at. */
export type OwnReport = Pick<
  NetcheckReport,
  'udp' | 'ipv4' | 'ipv6' | 'ipv4CanSend' | 'ipv6CanSend' | 'osHasIpv6' | 'mappingVariesByDestIp' | 'captivePortal' | 'upnp' | 'pmp' | 'pcp' | 'globalV4'
>

export interface PathEvidence {
  readonly machine: MachineEvidence
  /** Absent where only the machine is asked, for its own events. */
  readonly peer?: PeerSide
  readonly own?: OwnSide
}

export interface Fact {
  readonly label: string
  readonly value: string
}

/** Something that would help, and who has to do it. */
export interface Step {
  /** Which one, for words in another language. */
  readonly id: StepId
  readonly step: string
  readonly who: string
}

export type StepId =
  | 'peer-relay' | 'other-network' | 'port-mapping' | 'large-packets' | 'connect' | 'sign-in-there' | 'connect-there' | 'same-relays' | 'ping' | 'portal' | 'allow-udp'
  | 'other-network-there' | 'client-isolation' | 'firewall-there' | 'relays-by-udp' | 'port-mapping-there' | 'both-firewalls' | 'look-again' | 'second-relay' | 'update' | 'turn-on'

/** What a rule's sentence names beside the kind of path: numbers, or one of a few words of the rule's own. */
export type Args = Readonly<Record<string, string | number>>

export interface Reason {
  /** Begins with the kind of path and a colon. One sentence without its full stop; never an address in it. */
  readonly sentence: string
  /** Name of the rule that decided. */
  readonly rule: string
  /** With the rule's name enough to say the sentence in another language. */
  readonly args: Args
  readonly confidence: 'high' | 'likely' | 'unknown'
  /** What the rule rests on. */
  readonly evidence: readonly Fact[]
  /** Easiest first, at most three. */
  readonly steps: readonly Step[]
}

/** One rule: a reason when its evidence is there. */
export interface Rule {
  readonly name: string
  judge(e: PathEvidence): Finding | undefined
}

export interface Finding {
  readonly sentence: string
  readonly evidence: readonly Fact[]
  readonly args?: Args
  /** high unless said otherwise. */
  readonly confidence?: Reason['confidence']
  readonly steps?: readonly Step[]
}

/** Whether the router in front opens ports on request; undefined: nobody asked. */
export function opensPorts(one: { readonly upnp?: boolean | null | undefined; readonly pmp?: boolean | null | undefined; readonly pcp?: boolean | null | undefined }): boolean | undefined {
  const asked = [one.upnp, one.pmp, one.pcp].filter((found) => found !== undefined && found !== null)
  return asked.length === 0 ? undefined : asked.some((found) => found)
}
