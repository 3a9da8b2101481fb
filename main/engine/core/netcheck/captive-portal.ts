/**
 * Whether a portal holds back plain web requests until somebody signs in: whom to ask, and what the answer means. Pure.
 *
 *   GET http://RELAY/generate_204?t=SECONDS    X-Tailscale-Challenge: ts_RELAY
 *   → 204, X-Tailscale-Response: response ts_RELAY     from a relay; anything else is somebody in between
 *
 * Only machines that the network's map names are asked, and the makers of the stock client only by those who use their
 * server. Source: tailscale net/captivedetection/{endpoints,captivedetection}.go @ de9ec7e, read 2026-08.
 */
import { parseIp } from '../../base/ip.ts'
import type { DerpMap } from '../tailcfg/types.ts'

export const PORTAL_TIMEOUT_MS = 3000
const MAX_TARGETS = 5
const STOCK_SERVER = /(^|\.)tailscale\.com$/
const STOCK_HOSTS: readonly string[] = ['controlplane.tailscale.com', 'login.tailscale.com']

export interface PortalTarget {
  readonly url: string
  /** What the header asks to be repeated; undefined: only the status counts. */
  readonly challenge: string | undefined
}

export interface PortalAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** Up to five web addresses to ask, the home region's relays first; `serverHost` is the control server's. */
export function portalTargets(map: DerpMap, home: number, serverHost: string): PortalTarget[] {
  const regions = Object.values(map.Regions).filter((one) => one.Avoid !== true && one.NoMeasureNoHome !== true)
  const ordered = regions.toSorted((a, b) => Number(b.RegionID === home) - Number(a.RegionID === home))
  const relays = ordered.flatMap((one) => one.Nodes ?? []).filter((node) => node.CanPort80 === true && parseIp(node.IPv4 ?? '')?.length === 4)
  const targets = relays.map(({ IPv4 = '' }): PortalTarget => ({ url: `http://${IPv4}/generate_204`, challenge: `ts_${IPv4}` }))
  if (STOCK_SERVER.test(serverHost)) for (const host of STOCK_HOSTS) targets.push({ url: `http://${host}/generate_204`, challenge: undefined })
  return targets.slice(0, MAX_TARGETS)
}

/** Whether somebody other than the target has answered. */
export function isFromPortal({ challenge }: PortalTarget, { status, headers }: PortalAnswer): boolean {
  if (status !== 204) return true
  return challenge !== undefined && headers['x-tailscale-response'] !== `response ${challenge}`
}
