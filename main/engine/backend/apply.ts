/**
 * Gives the parts what they should be. Order: keys, then the data plane (its filter before its peers), then relays, then
 * path finding, which starts to use the others at once. Taking away goes the same way: an empty plan.
 */
import type { NodePublicKey, PrivateKey } from '../base/keys.ts'
import type { Knobs } from '../core/netmap/knobs.ts'
import type { DerpMap } from '../core/tailcfg/types.ts'
import { peerApiPort } from '../core/plan/peer-api-port.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { DataplanePort, DerpPort, DnsResolverPort, MagicsockPort } from './ports.ts'

export interface ApplyDeps {
  readonly dataplane: DataplanePort
  readonly derp: DerpPort
  readonly dns: DnsResolverPort
  readonly magicsock: MagicsockPort
  readonly setRandomPort: (on: boolean) => void
  readonly setPortMapping: (ways: Knobs['portMapping']) => void
}

export interface Wanted {
  readonly plan: Plan
  /** undefined = nothing may flow. */
  readonly privateKey: PrivateKey | undefined
  readonly publicKey: NodePublicKey | undefined
  readonly plainHttp: boolean
  readonly knobs: Knobs
}

export class Applier {
  readonly #deps: ApplyDeps
  #last: Wanted | undefined
  #port = 0

  constructor(deps: ApplyDeps) {
    this.#deps = deps
  }

  /** Gives each part its slice; what is the same object as last time is not given again. */
  apply(wanted: Wanted): void {
    const { dataplane, derp, magicsock } = this.#deps
    const last = this.#last
    this.#last = wanted
    const port = peerApiPort(wanted.plan.dataplane.selfAddresses)
    const newKey = wanted.publicKey !== last?.publicKey
    if (newKey) dataplane.setPrivateKey(wanted.privateKey)
    if (newKey || wanted.plan.dataplane !== last?.plan.dataplane) dataplane.setConfig(wanted.plan.dataplane)
    if (port !== this.#port) dataplane.setPeerApiPort((this.#port = port))
    if (wanted.plan.dns !== last?.plan.dns) this.#deps.dns.setConfig(wanted.plan.dns)
    if (wanted.plainHttp !== last?.plainHttp) derp.setPlainHttp(wanted.plainHttp)
    if (newKey) derp.setPrivateKey(wanted.privateKey)
    const map = wanted.plan.magicsock.derpMap
    if (map !== last?.plan.magicsock.derpMap) derp.setMap(map)
    if (wanted.knobs.randomPort !== (last?.knobs.randomPort ?? false)) this.#deps.setRandomPort(wanted.knobs.randomPort)
    if (wanted.knobs.portMapping !== (last?.knobs.portMapping ?? 'all')) this.#deps.setPortMapping(wanted.knobs.portMapping)
    if (newKey) magicsock.setNodeKey(wanted.publicKey)
    if (newKey || wanted.plan.magicsock !== last?.plan.magicsock) magicsock.setConfig(wanted.plan.magicsock)
    if (wanted.privateKey === undefined) derp.setHome(0)
  }
}

/** Whether relays are to be spoken to in plain HTTP: the server is plain and a relay is embedded in it. */
export function relaysArePlain(controlUrl: string, map: DerpMap): boolean {
  const match = /^http:\/\/([^/:]+|\[[^\]]+\])(?::(\d+))?/.exec(controlUrl)
  if (!match) return false
  const host = match[1]!.replace(/^\[|\]$/g, '')
  const port = Number(match[2] ?? 80)
  return Object.values(map.Regions).some((region) => (region.Nodes ?? []).some((node) => node.HostName === host && (node.DERPPort ?? 443) === port))
}
