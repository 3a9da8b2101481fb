/**
 * Which device is reached where: its node as the map has it now, IPv4 before IPv6.
 */
import type { Clock } from '../../../base/env.ts'
import { parseAddrPort } from '../../../base/ip.ts'
import { peerByStableId } from '../../../core/netmap/find-node.ts'
import { whyOf } from '../../../core/taildrop/whys.ts'
import { peerApiUrls } from '../../../core/plan/peer-api-port.ts'
import type { Node } from '../../../core/tailcfg/types.ts'
import type { TransferWhy } from '../../../../localapi/transfers.ts'
import type { TaildropNetwork } from '../ports.ts'
import { PeerLink } from './link.ts'

export type FoundLink = { readonly kind: 'link'; readonly link: PeerLink } | { readonly kind: 'none'; readonly why: TransferWhy; readonly isAway: boolean }

export class PeerLinks {
  readonly #clock: Clock
  readonly #network: TaildropNetwork
  readonly #links = new Map<string, PeerLink>()

  constructor(clock: Clock, network: TaildropNetwork) {
    this.#clock = clock
    this.#network = network
  }

  /** The way to a device by its stable ID, or why there is none now. */
  to(peer: string): FoundLink {
    const map = this.#network.netMap()
    if (!map) return { kind: 'none', why: whyOf('not-connected'), isAway: true }
    const node = peerByStableId(map, peer)
    if (!node) return { kind: 'none', why: whyOf('peer-away', 'the device is not in this network'), isAway: true }
    const place = placeOf(node, map.self)
    if (!place) return { kind: 'none', why: whyOf('peer-no-files'), isAway: true }
    return { kind: 'link', link: this.#linkTo(peer, place) }
  }

  /** Ends what is idle. */
  close(): void {
    for (const link of this.#links.values()) link.retire()
    this.#links.clear()
  }

  #linkTo(peer: string, place: { ip: string; port: number }): PeerLink {
    const was = this.#links.get(peer)
    if (was?.place.ip === place.ip && was.place.port === place.port) return was
    was?.retire()
    const link = new PeerLink(this.#clock, (ip, port, timeoutMs) => this.#network.dial(ip, port, timeoutMs), place)
    this.#links.set(peer, link)
    return link
  }
}

function placeOf(node: Node, self: Node): { ip: string; port: number } | undefined {
  const places = (peerApiUrls(node, self) ?? []).flatMap((url) => parseAddrPort(url.slice('http://'.length)) ?? [])
  return places.find(({ ip }) => !ip.includes(':')) ?? places[0]
}
