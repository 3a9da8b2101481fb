/**
 * The STUN addresses of a relay map: literals as they stand, names as DNS tells them.
 *
 *   STUNTestIP         instead of everything else
 *   IPv4, IPv6         an address = ask it; "" = the host's, by DNS; anything else ("none") = not in this family
 *
 * Names are waited for shortly where other relays can be asked, a little longer where none can; what comes later is known
 * to the next look. At most MAX_NAMES names are asked for at once.
 * Source: tailscale net/netcheck/netcheck.go (nodeAddrPort) @ de9ec7e, read 2026-08.
 */
import type { Clock } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { isIp4, isLinkLocalIp, isLoopbackIp, isTailscaleIp, parseIp } from '../base/ip.ts'
import type { ProbeTarget } from '../core/netcheck/plan.ts'
import { stunPort } from '../core/netcheck/plan.ts'
import type { DerpMap, DerpNode } from '../core/tailcfg/types.ts'
import type { LocalInterface, Resolve } from './ports.ts'

const WAIT_WITH_LITERALS_MS = 200
const WAIT_WITHOUT_MS = 1000
const NAME_GOOD_MS = 5 * 60_000
const MAX_NAMES = 128

export interface Families {
  readonly hasV4: boolean
  readonly hasV6: boolean
}

export class NetcheckTargets {
  readonly #clock: Clock
  readonly #resolve: Resolve | undefined
  readonly #names = new Map<string, { readonly ips: readonly string[]; readonly atMs: number }>()

  constructor(clock: Clock, resolve: Resolve | undefined) {
    this.#clock = clock
    this.#resolve = resolve
  }

  /** What can be asked in each region and family that this machine has; loopback always. */
  async of(map: DerpMap, families: Families): Promise<ProbeTarget[]> {
    const literals = targetsOf(map, families, () => [])
    await this.#ask(map, families, literals.length > 0 ? WAIT_WITH_LITERALS_MS : WAIT_WITHOUT_MS)
    return targetsOf(map, families, (host) => this.#names.get(host)?.ips ?? [])
  }

  async #ask(map: DerpMap, families: Families, waitMs: number): Promise<void> {
    const resolve = this.#resolve
    const nowMs = this.#clock.nowMs()
    const wanted = [...namesOf(map, families)].filter((host) => nowMs - (this.#names.get(host)?.atMs ?? Number.NEGATIVE_INFINITY) >= NAME_GOOD_MS)
    if (!resolve || wanted.length === 0) return
    const asked = wanted.slice(0, MAX_NAMES).map(async (host) => {
      const ips = await resolve(host).catch(() => [])
      if (ips.length === 0) return
      this.#names.delete(host)
      this.#names.set(host, { ips: ips.filter((ip) => parseIp(ip) !== undefined), atMs: nowMs })
      if (this.#names.size > 2 * MAX_NAMES) this.#names.delete(this.#names.keys().next().value!)
    })
    let cancel = (): void => {}
    const late = new Promise<void>((done) => (cancel = this.#clock.after(waitMs, done)))
    await Promise.race([Promise.all(asked), late])
    cancel()
  }
}

/** Which families have an address that reaches beyond this link; IPv4 counts when there is nothing at all. */
export function familiesOf(interfaces: readonly LocalInterface[]): Families {
  const outside = interfaces.map((one) => one.ip).filter((ip) => parseIp(ip) !== undefined && !isLoopbackIp(ip) && !isLinkLocalIp(ip) && !isTailscaleIp(ip))
  const hasV6 = outside.some((ip) => !isIp4(ip))
  return { hasV4: outside.some(isIp4) || !hasV6, hasV6 }
}

function targetsOf(map: DerpMap, families: Families, named: (host: string) => readonly string[]): ProbeTarget[] {
  return Object.values(map.Regions).flatMap((region) =>
    ([4, 6] as const).flatMap((family): ProbeTarget[] => {
      const addrs = (region.Nodes ?? []).flatMap((node) => addressesOf(node, family, named))
      const isUsable = family === 4 ? families.hasV4 : families.hasV6
      const usable = isUsable ? addrs : addrs.filter((one) => isLoopbackIp(one.ip))
      return usable.length > 0 ? [{ region: region.RegionID, family, addrs: usable }] : []
    }),
  )
}

function addressesOf(node: DerpNode, family: 4 | 6, named: (host: string) => readonly string[]): AddrPort[] {
  const port = stunPort(node.STUNPort)
  if (port === undefined) return []
  return ipsOf(node, family, named).filter((ip) => isOf(ip, family)).map((ip) => ({ ip, port }))
}

function ipsOf(node: DerpNode, family: 4 | 6, named: (host: string) => readonly string[]): readonly string[] {
  if (node.STUNTestIP) return [node.STUNTestIP]
  const field = family === 4 ? node.IPv4 : node.IPv6
  if (field !== undefined && field !== '') return [field]
  return parseIp(node.HostName) === undefined ? named(node.HostName) : [node.HostName]
}

function isOf(ip: string, family: 4 | 6): boolean {
  return parseIp(ip) !== undefined && isIp4(ip) === (family === 4)
}

/** Hosts that DNS has to be asked for, in the map's order. */
function namesOf(map: DerpMap, families: Families): Set<string> {
  const names = new Set<string>()
  for (const node of Object.values(map.Regions).flatMap((region) => region.Nodes ?? [])) {
    if (node.STUNTestIP || stunPort(node.STUNPort) === undefined || parseIp(node.HostName) !== undefined) continue
    if ((families.hasV4 && (node.IPv4 ?? '') === '') || (families.hasV6 && (node.IPv6 ?? '') === '')) names.add(node.HostName)
  }
  return names
}

/** Whether a relay is on this machine. */
export function hasLoopbackRelay(map: DerpMap): boolean {
  return Object.values(map.Regions).some((region) =>
    (region.Nodes ?? []).some((node) => [node.HostName, node.IPv4, node.IPv6].some((text) => text !== undefined && (text === 'localhost' || isLoopbackIp(text)))),
  )
}
