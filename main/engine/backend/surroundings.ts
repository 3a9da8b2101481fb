/**
 * What else is on this machine that a person should know of beside this network: other VPNs, and a network here that gives out the
 * range of its devices. As warnings, and as journal events when they change.
 */
import type { Env } from '../base/env.ts'
import { addressesOf } from '../core/plan/names.ts'
import { otherVpns, rangeNetwork } from '../core/plan/other-vpns.ts'
import type { OtherVpn } from '../core/plan/other-vpns.ts'
import type { Model } from './model.ts'
import type { Warnings } from './warnings.ts'

/** Warnings of the moment; none before there is a map. */
export function surroundingsWarnings({ system, netMap }: Model): Warnings {
  if (!netMap) return {}
  const own = addressesOf(netMap.self)
  const vpns = otherVpns(system, own)
  const range = rangeNetwork(system, own)
  return {
    ...(vpns.length > 0 ? { 'other-vpn': { vpns: namesOf(vpns), carries: namesOf(vpns.filter(({ carriesAll }) => carriesAll)), range: namesOf(vpns.filter(({ hasRange }) => hasRange)) } } : {}),
    ...(range ? { 'range-overlap': { network: range.text, interface: range.interface } } : {}),
  }
}

/** Writes down what came and went since the last call. */
export class Surroundings {
  readonly #env: Env
  readonly #model: Model
  #told = ''

  constructor(env: Env, model: Model) {
    this.#env = env
    this.#model = model
  }

  note(): void {
    const own = this.#model.netMap ? addressesOf(this.#model.netMap.self) : []
    const vpns = otherVpns(this.#model.system, own)
    const range = rangeNetwork(this.#model.system, own)
    const text = JSON.stringify([vpns, range])
    if (text === this.#told || (this.#told === '' && vpns.length === 0 && !range)) return
    this.#told = text
    const why = [
      vpns.length > 0 ? `other VPNs on this computer: ${namesOf(vpns)}` : 'no other VPN is on this computer',
      ...(range ? [`the network of ${range.interface} (${range.text}) gives out the range that devices have`] : []),
    ].join('; ')
    this.#env.journal.add({ part: 'routes', kind: 'surroundings', why, vpns, ...(range ? { range } : {}) })
    this.#env.log.info(`surroundings: ${vpns.length} other VPNs${range ? ', a network with addresses of the same range' : ''}`)
  }
}

/** "WireGuard (wg0), Tailscale (tailscale0)": three at most. */
function namesOf(vpns: readonly OtherVpn[]): string {
  const names = vpns.map(({ product, interface: name }) => `${product} (${name})`)
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}
