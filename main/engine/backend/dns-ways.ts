/**
 * Which way a resolver is reached (as any address is that a program asks a proxy for), and who may ask here.
 */
import { hasDefaultRoutes } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { mayAskNames } from '../core/dns/peer-access.ts'
import type { Way } from '../dns/ports.ts'
import { peerByIp } from '../core/netmap/find-node.ts'
import { carrierOf } from '../core/plan/carrier.ts'
import { egressNow } from './egress-now.ts'
import type { Model } from './model.ts'
import { contextOf } from './proxy.ts'
import { decideAddresses } from './proxy-names.ts'

/** The ways to resolvers, each found once under one and the same network: a walk over thousands of devices a question is too much. */
export class DnsWays {
  readonly #model: Model
  readonly #known = new Map<string, Way>()
  #foundBy: readonly unknown[] = []

  constructor(model: Model) {
    this.#model = model
  }

  /** By this computer's own network, through a device, or not at all; as it is at this moment. */
  to(at: AddrPort): Way {
    const { plan, netMap, saved, system, life } = this.#model
    const foundBy = [plan, netMap, saved.prefs, system, life]
    if (foundBy.some((one, i) => one !== this.#foundBy[i])) this.#known.clear()
    this.#foundBy = foundBy
    const key = `${at.ip} ${at.port}`
    let way = this.#known.get(key)
    if (!way) this.#known.set(key, (way = wayTo(this.#model, at)))
    return way
  }
}

function wayTo(model: Model, { ip, port }: AddrPort): Way {
  const answer = decideAddresses([ip], port, contextOf(model))
  if (answer.kind === 'tunnel') return { kind: 'tunnel', through: carrierName(model, ip) }
  return answer.kind === 'system' ? { kind: 'system' } : { kind: 'refused', why: answer.kind === 'refuse' ? answer.message : 'this device answers there itself' }
}

/** Whether the device at an address of the network may have names looked up here. */
export function mayAskNamesHere({ netMap, plan, saved }: Model, ip: string): boolean {
  const node = netMap && peerByIp(netMap, ip)
  const offersExit = hasDefaultRoutes(saved.prefs.AdvertiseRoutes)
  return node !== undefined && mayAskNames({ self: netMap!.self, node, ip, offersExit, filter: plan.dataplane.filter })
}

/** Why nothing may leave this computer; undefined: it may. */
export function blockedWhy(model: Model): string | undefined {
  const egress = egressNow(model)
  return egress.kind === 'blocked' ? egress.why : undefined
}

/** Name of the device whose longest network has the address; the exit node's for all that no network has. */
function carrierName({ plan }: Model, ip: string): string {
  const carrier = carrierOf(plan.dataplane.peers, ip)
  return plan.magicsock.peers.find(({ key }) => key === carrier)?.name ?? ''
}
