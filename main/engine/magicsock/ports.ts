/**
 * What path finding needs from below, and whom it tells.
 */
import type { AddrPort } from '../base/ip.ts'
import type { DiscoPublicKey, NodePublicKey } from '../base/keys.ts'
import type { DerpMap, DerpRegion, EndpointType, NetInfo } from '../core/tailcfg/types.ts'
import type { Path, PathView } from '../core/path/types.ts'

/** The UDP sockets that carry WireGuard; bytes are borrowed until return. */
export interface Underlay {
  sendUdp(to: AddrPort, bytes: Uint8Array): void
}

/** The relay connections; bytes are owned by the callee. */
export interface Relay {
  send(region: number, to: NodePublicKey, bytes: Uint8Array): void
  /** 0 = none. */
  setHome(region: number): void
  /** Region where the peer was heard last. */
  routeOf(peer: NodePublicKey): number | undefined
  /** When anything came from the region's relay last, monotonic; keeps a home that answers no STUN. */
  heardAtMs?(region: number): number | undefined
  /** Connections have to prove that they live. */
  handleNetworkChange?(why: string): void
}

/** The data plane's path table. */
export interface Paths {
  setPath(peer: NodePublicKey, path: Path): void
  /** Ours, told to peers inside the tunnel. */
  setDiscoKey?(key: DiscoPublicKey): void
}

/** The router's help to be reached from outside. */
export interface PortMapping {
  /** The UDP port that peers should reach; 0 = none, and what the router gave goes back. */
  setPort(port: number): void
  /** Our addresses are being looked for. */
  want(why: string): void
  /** What the router offers at this moment; undefined = there is none to ask. */
  probe(why: string): Promise<PortMapServices | undefined>
  /** As it was found last; undefined = not known. */
  services(): PortMapServices | undefined
  /** Why there is a mapping or none, as the end of a sentence. */
  readonly why: string
}

export interface PortMapServices {
  readonly upnp: boolean
  readonly pmp: boolean
  readonly pcp: boolean
}

/** The sockets on which this node relays for others; the packet thread forwards between the bound ends of a session. */
export interface RelaySockets {
  /** The port that it became; throws EngineError. */
  relayListen(port: number): number
  relayClose(): void
  relayBind(vni: number, a: AddrPort | undefined, b: AddrPort | undefined): void
  relayForget(vni: number): void
  relaySend(to: AddrPort, bytes: Uint8Array): void
  relaySessions(): ReadonlyMap<number, readonly [RelayEndCount, RelayEndCount]>
}

export interface RelayEndCount {
  /** Infinity = never heard. */
  readonly idleMs: number
  readonly packets: number
  readonly bytes: number
}

export interface LocalInterface {
  readonly name: string
  readonly ip: string
  /** Bits of its network; absent where the system does not tell. */
  readonly prefix?: number
  /** Loopback. */
  readonly internal: boolean
}

/** Addresses of a relay's host name; absent: only relays with addresses in the map are measured. */
export type Resolve = (host: string) => Promise<readonly string[]>

/** What a look at the network asks beside STUN; a part that is absent is not asked. */
export interface NetcheckPorts {
  /** Whether a portal answers plain web requests in place of the relays; undefined: nobody answered, or nobody may be asked. */
  readonly portal?: (map: DerpMap, home: number) => Promise<boolean | undefined>
  /** Round trip of an HTTPS exchange with the first relay of the region that can be reached, after TLS. Rejects. */
  readonly httpsLatency?: (region: DerpRegion, timeoutMs: number) => Promise<{ readonly ms: number; readonly family: 4 | 6 }>
  /** Round trips of ICMP echoes over IPv4, in order; undefined: no answer in time. Rejects where the system lets nobody ask. */
  readonly icmpLatencies?: (echoes: readonly { readonly ip: string; readonly payload: Uint8Array }[], timeoutMs: number) => Promise<readonly (number | undefined)[]>
  /** Whether this system can open IPv6 sockets at all; absent: whether an interface has an address. */
  readonly osHasIpv6?: () => Promise<boolean>
}

export interface Endpoint {
  /** "ip:port" or "[ip]:port". */
  readonly addr: string
  readonly type: EndpointType
}

export interface MagicsockFacts {
  /** The whole list, whenever it changed. */
  onEndpoints(all: readonly Endpoint[]): void
  onNetInfo(info: NetInfo): void
  onPath(view: PathView): void
  /** 0 = none. */
  onHome(region: number): void
}
