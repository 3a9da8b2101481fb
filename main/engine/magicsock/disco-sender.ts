/**
 * Sends disco: seals it for the peer, and puts it on its way over UDP, through a peer relay or over a relay of the map.
 */
import { toHex } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { keyBytes } from '../base/keys.ts'
import { DISCO_OVERHEAD_BYTES } from '../core/disco/envelope.ts'
import type { DiscoMessage, DiscoPing } from '../core/disco/message.ts'
import { encodeDisco, TX_ID_BYTES } from '../core/disco/message.ts'
import type { UdpAddr } from '../core/path/types.ts'
import { wrapGeneve } from '../core/udprelay/geneve.ts'
import type { DiscoChannel } from './disco-channel.ts'
import type { PeerEntry } from './peer-table.ts'
import type { Relay, Underlay } from './ports.ts'
import type { RelayMark } from './relay-client.ts'
import type { PingAnswer, SentPings } from './sent-pings.ts'

export interface DiscoSenderDeps {
  readonly env: Env
  readonly disco: DiscoChannel
  readonly sent: SentPings
  readonly underlay: Underlay
  readonly relay: Relay
  /** undefined while we are nobody: then nobody is pinged. */
  readonly nodeKey: () => NodePublicKey | undefined
}

export class DiscoSender {
  readonly #deps: DiscoSenderDeps

  constructor(deps: DiscoSenderDeps) {
    this.#deps = deps
  }

  /** A ping that a person waits for, on every way that the path takes now. */
  askPing(entry: PeerEntry, sizeBytes: number): void {
    const path = entry.path
    const vni = 'vni' in path ? path.vni : undefined
    if ('addr' in path) this.ping(entry, vni === undefined ? { kind: 'direct', addr: path.addr } : { kind: 'peer-relay', addr: path.addr, vni }, undefined, sizeBytes)
    if ('region' in path) this.ping(entry, { kind: 'relay', region: path.region }, undefined, sizeBytes)
  }

  /** A ping of so many bytes of UDP payload (0 = as small as it is); its pong is known by what is noted here. */
  ping(entry: PeerEntry, via: PingAnswer['via'], pingId: number | undefined, sizeBytes: number, mark?: RelayMark): void {
    const own = this.#deps.nodeKey()
    if (own === undefined) return
    const txId = this.#deps.env.random.bytes(TX_ID_BYTES)
    const bare: DiscoPing = { kind: 'ping', txId, nodeKey: keyBytes(own), paddingBytes: 0 }
    const paddingBytes = Math.max(0, sizeBytes - DISCO_OVERHEAD_BYTES - encodeDisco(bare).length)
    this.#deps.sent.note(toHex(txId), { entry, via, sentMs: this.#deps.env.clock.nowMs(), pingId, ...(mark ? { mark } : {}) })
    const message = { ...bare, paddingBytes }
    if (via.kind === 'relay') this.overRelay(entry, via.region, message)
    else {
      const sealed = entry.config.disco && this.#deps.disco.seal(entry.config.disco, message)
      if (sealed) this.toAddr(via.kind === 'peer-relay' ? { ...via.addr, vni: via.vni } : via.addr, sealed)
    }
  }

  /** Disco to an address, in the header that its peer relay wants where it lies behind one. */
  toAddr(to: UdpAddr, disco: Uint8Array): void {
    this.#deps.underlay.sendUdp(to, to.vni === undefined ? disco : wrapGeneve(to.vni, false, disco))
  }

  /** Disco over a relay region. */
  overRelay(entry: PeerEntry, region: number, message: DiscoMessage): void {
    const sealed = entry.config.disco && this.#deps.disco.seal(entry.config.disco, message)
    if (sealed) this.#deps.relay.send(region, entry.config.key, sealed)
  }
}
