/**
 * Both sides of peer relays in one place: paths of ours through nodes that relay (relay-client.ts), and the relay that this
 * node is for others (relay-server.ts).
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import type { DiscoPublicKey } from '../base/keys.ts'
import type { DiscoMessage } from '../core/disco/message.ts'
import type { UdpAddr } from '../core/path/types.ts'
import { NO_PEER_RELAYS } from '../core/plan/peer-relays.ts'
import type { MagicsockConfig } from '../core/plan/types.ts'
import type { DiscoChannel } from './disco-channel.ts'
import type { PeerEntry, PeerTable } from './peer-table.ts'
import type { LocalInterface, RelaySockets, Resolve, Underlay } from './ports.ts'
import type { RelayClientDeps } from './relay-client.ts'
import { RelayClient } from './relay-client.ts'
import type { RelaySessionView } from './relay-server.ts'
import { RelayServer } from './relay-server.ts'

export interface PeerRelayingDeps extends Pick<RelayClientDeps, 'sendPing' | 'onFound' | 'allowLoopback' | 'isOff'> {
  readonly env: Env
  readonly underlay: Underlay
  readonly peers: PeerTable
  readonly disco: DiscoChannel
  readonly sockets: RelaySockets | undefined
  readonly interfaces: () => readonly LocalInterface[]
  readonly resolve: Resolve | undefined
  readonly sendRelayed: (entry: PeerEntry, message: DiscoMessage) => void
}

export class PeerRelaying {
  readonly client: RelayClient
  readonly #server: RelayServer | undefined

  constructor(deps: PeerRelayingDeps) {
    const { env, sockets, interfaces, resolve, sendRelayed } = deps
    this.client = new RelayClient({ ...deps, sendUdp: (to, bytes) => deps.underlay.sendUdp(to, bytes) })
    this.#server = sockets && new RelayServer({ env, sockets, interfaces, resolve, reply: sendRelayed })
  }

  /** Answers whether peers' chances of a relay are others now. */
  setConfig({ relayServer, peerRelays = NO_PEER_RELAYS, derpMap }: MagicsockConfig): boolean {
    this.#server?.setWanted(relayServer, peerRelays, derpMap)
    return this.client.setRules(peerRelays)
  }

  /** The node is somebody in a network, or no longer. */
  setUp(isUp: boolean): void {
    this.#server?.setUp(isUp)
  }

  handleNetworkChange(): void {
    this.#server?.handleNetworkChange()
  }

  /** A message about relays came over DERP from the node whose disco key sealed it. False when it has no business there. */
  handleRelayed(entry: PeerEntry, message: DiscoMessage): boolean {
    if (message.kind === 'call-me-maybe-via') this.client.handleCall(entry, message.endpoint)
    else if (message.kind === 'allocate-relay-response') this.client.handleAllocated(entry, message)
    else if (message.kind === 'allocate-relay-request' && this.#server) this.#server.handleAllocate(entry, message)
    else return false
    return true
  }

  /** A control message of a relay that we shake hands with. */
  handleControl(from: AddrPort, vni: number, relayDisco: DiscoPublicKey, message: DiscoMessage): boolean {
    if (message.kind !== 'bind-relay-challenge') return false
    this.client.handleControl(from, vni, relayDisco, message)
    return true
  }

  /** A datagram from the sockets on which this node relays for others. */
  handleServerDatagram(from: AddrPort, bytes: Uint8Array): void {
    this.#server?.handleDatagram(from, bytes)
  }

  /** The relay for others that this node is: its port, undefined while it is none, and its sessions. */
  server(): { readonly port: number | undefined; readonly sessions: readonly RelaySessionView[] } {
    return { port: this.#server?.port, sessions: this.#server?.sessions() ?? [] }
  }

  /** First tunnel addresses of the nodes that may relay for us. */
  relays(): readonly string[] {
    return this.client.relays().map(({ config }) => config.ip)
  }

  counters(): Record<string, number> {
    return { ...this.client.counters, ...this.#server?.counts() }
  }

  stop(): void {
    this.client.reset()
    this.#server?.stop()
  }
}

/** An address behind a relay apart from the session there. */
export function splitUdpAddr({ vni, ...addr }: UdpAddr): { readonly kind: 'direct'; readonly addr: AddrPort } | { readonly kind: 'peer-relay'; readonly addr: AddrPort; readonly vni: number } {
  return vni === undefined ? { kind: 'direct', addr } : { kind: 'peer-relay', addr, vni }
}
