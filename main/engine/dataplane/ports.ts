/**
 * What the data plane needs of the native add-on, and the words that it shares with those above it.
 */
import type { AddrPort } from '../base/ip.ts'
import type { NodePublicKey } from '../base/keys.ts'
import type { Socket } from 'node:net'

/** One packet thread; io/native.ts fits. Buffers given are borrowed until return. */
export interface Plane {
  port(): number
  drain(out: Uint8Array): number
  setPrivateKey(key: Uint8Array | undefined): void
  setTables(message: Uint8Array): void
  setEnginePorts(ports: readonly number[]): void
  /** Kinds: 0 none, 1 UDP, 2 relay, 3 both. `vni`: session on a peer relay at that address, 0 = none. */
  setPath(peer: Uint8Array, kind: number, ip: string, port: number, vni: number, region: number): void
  sendUdp(ip: string, port: number, datagram: Uint8Array): void
  relayFrames(region: number, frames: Uint8Array): void
  /** Kinds: 0 socks5, 1 http, 2 both. */
  listenProxy(kind: number, ip: string, port: number): AddrPort
  /** Kinds: 0 tunnel, 1 system, 2 no such host, 3 not allowed, 4 unreachable. */
  answerProxy(id: number, kind: number, addresses: readonly string[], port: number, message: string): void
  /** Instead of answerProxy: to the engine itself. */
  answerProxyEngine(id: number, ip: string, port: number): void
  closeProxy(ip: string, port: number): boolean
  setPac(pac: string | undefined): void
  /** Loopback addresses alone. */
  listenForward(id: number, udp: boolean, ip: string, port: number): AddrPort
  closeForward(id: number): boolean
  forwardCounts(): readonly ForwardCount[]
  answerDatagram(id: number, bytes: Uint8Array): void
  /** The answer comes as a record. */
  exchangeUdp(id: number, ip: string, port: number, datagram: Uint8Array, timeoutMs: number): void
  forgetDecisions(): void
  dial(id: number, ip: string, port: number, timeoutMs: number): void
  ping(id: number, icmp: boolean, ip: string, sizeBytes: number): void
  answerEcho(id: number, answered: boolean): void
  /** Packed, see stats.ts. */
  served(): Uint8Array
  stats(): Uint8Array
  counters(): Record<string, number>
  flowOwner(proto: number, ip: string, port: number): AddrPort | undefined
  rebind(ports: readonly number[]): number
  /** Sockets on which this node relays for others. */
  relayListen(port: number): number
  relayClose(): void
  /** Port 0 = that end is not bound. */
  relayBind(vni: number, ipA: string, portA: number, ipB: string, portB: number): void
  relayForget(vni: number): void
  relaySend(ip: string, port: number, datagram: Uint8Array): void
  /** Packed, see relay-counts.ts. */
  relaySessions(): Uint8Array
  /** Told to peers inside the tunnel. */
  setDiscoKey(key: Uint8Array | undefined): void
  openTun(name: string, mtu: number): TunDevice
  closeTun(): void
  setForwarding(bySystem: boolean): void
  /** undefined = no mark. */
  setMark(mark: number | undefined): void
  stop(): void
}

export interface Native {
  startPlane(
    options: { port: number; loopbackOnly: boolean; dontFragment: boolean; mtu: number; seed: number },
    wake: () => void,
  ): Plane
}

/** The tunnel's device of this computer. */
export interface TunDevice {
  readonly name: string
  readonly index: number
  /** Many TCP segments, many datagrams, go to and from the system in one piece. */
  readonly tcpOffload: boolean
  readonly udpOffload: boolean
}

export interface ProxyRequest {
  readonly id: number
  readonly via: 'socks5' | 'http'
  readonly host: string
  readonly port: number
}

/** What to do with a proxy request: addresses are tried in order, 300 ms apart. */
export type ProxyAnswer =
  | { readonly kind: 'tunnel'; readonly addresses: readonly string[]; readonly port: number }
  | { readonly kind: 'system'; readonly addresses: readonly string[]; readonly port: number }
  /** To the engine itself: TCP comes as `onInboundStream`, datagrams as `onEngineDatagram`. */
  | { readonly kind: 'engine'; readonly to: AddrPort }
  | { readonly kind: 'refuse'; readonly code: 'no-such-host' | 'not-allowed' | 'unreachable'; readonly message: string }

/** A connection, or the first datagram of a program, at a forward; answered as a ProxyRequest. */
export interface ForwardRequest {
  readonly id: number
  readonly forward: number
  readonly from: AddrPort
}

export interface ForwardCount {
  readonly id: number
  readonly open: number
  readonly total: number
}

/** A datagram of a program of this computer for the engine; `answerDatagram(id, …)` within 10 s, once. */
export interface EngineDatagram {
  readonly id: number
  readonly from: AddrPort
  readonly to: AddrPort
  readonly bytes: Uint8Array
}

/** TCP accepted on a port of the engine's own, or of a program of this computer for the engine; the socket is the callee's. */
export interface InboundStream {
  readonly socket: Socket
  readonly from: AddrPort
  readonly to: AddrPort
}

/** A flow that a filter refused; addresses as its opener sent them. */
export interface FlowReject {
  /** `inbound`: ours refused a peer's. `outbound`: the peer refused ours. */
  readonly direction: 'inbound' | 'outbound'
  readonly peer: NodePublicKey
  /** IP protocol number. */
  readonly proto: number
  readonly from: AddrPort
  readonly to: AddrPort
  /** `not-ours`: for an address that this device takes nothing for. `foreign-source`: from an address that the peer does not own. */
  readonly reason: 'acl' | 'shields-up' | 'forwarding-off' | 'host-firewall' | 'not-ours' | 'foreign-source' | 'other'
  /** Packets refused alike since this was last told. */
  readonly count: number
}

export interface PeerStats {
  /** WireGuard messages on the wire. */
  readonly rxBytes: number
  readonly txBytes: number
  readonly rxPackets: number
  readonly txPackets: number
  /** Wall time. */
  readonly lastHandshakeMs: number | undefined
  readonly dropped: Readonly<Record<string, number>>
}

/** Open flows of one source to one destination that is not this machine. */
export interface ServedFlows {
  readonly from: string
  readonly to: string
  readonly tcp: number
  readonly udp: number
}

export type ActivityKind = 'sending' | 'receiving' | 'idle'

/** What the data plane tells. Bytes are the callee's. */
export interface DataplaneFacts {
  /** A disco or STUN datagram of our UDP sockets. */
  onUnclaimed(from: AddrPort, bytes: Uint8Array): void
  /** Whole DERP SendPacket frames, ready for the relay's stream. */
  onRelayFrames(region: number, frames: Uint8Array): void
  /** Edges only: first packet out after rest, first in, none for 45 s. */
  onPeerActivity(peer: NodePublicKey, kind: ActivityKind): void
  /** A WireGuard session was made. */
  onHandshake(peer: NodePublicKey): void
  /** A valid handshake of a key that we do not know, at most once a second a key. */
  onUnknownPeer(key: NodePublicKey): void
  /** Authenticated data came in over UDP; at most every 2 s a peer and address. */
  onDirectProof?(peer: NodePublicKey, from: AddrPort): void
  /** Data of a session that we do not have, from an address to which no peer's packets go; at most 50 a second. */
  onStray?(from: AddrPort): void
  onSendError(to: AddrPort, code: 'unreachable' | 'permission' | 'other' | 'broken'): void
  onProxyRequest(request: ProxyRequest): void
  onInboundStream(stream: InboundStream): void
  onForwardRequest?(request: ForwardRequest): void
  /** A connection that was allowed did not come about: "refused", "unreachable", "timed-out", "no-address", "blocked", "limit" or "cancelled". */
  onForwardFailed?(forward: number, code: string): void
  onEngineDatagram?(datagram: EngineDatagram): void
  onRejected(reject: FlowReject): void
  /** A connection through the tunnel had neither answer nor refusal in time. */
  onUnanswered?(to: AddrPort): void
  /** A control message or STUN answer for the relay that this node is. */
  onRelayControl?(from: AddrPort, bytes: Uint8Array): void
  /** A peer's echo request to another machine, which the packet thread may not send itself; answer with answerEcho within 5 s. */
  onEchoWanted?(id: number, to: string): void
  onTsmpDiscoKey(peer: NodePublicKey, discoRaw32: Uint8Array): void
  /** The tunnel's device vanished or is of no use any more; told once. */
  onTunGone?(why: string): void
  /** A program of this computer sent to where nobody takes packets: no peer, or an exit node that is away. At most five a second. */
  onNoRoute?(flow: { readonly proto: number; readonly from: AddrPort; readonly to: AddrPort }): void
  /** The packet thread is dead: the engine must restart. */
  onFailed(code: string, message: string): void
}
