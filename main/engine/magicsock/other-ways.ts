/**
 * Round trips to relays where no UDP gets through: an HTTPS exchange and an ICMP echo a region, all at the same time.
 * Source: tailscale net/netcheck/netcheck.go (measureHTTPSLatency, measureAllICMPLatency) @ de9ec7e, read 2026-08.
 */
import { ascii } from '../base/bytes.ts'
import { EngineError } from '../base/errors.ts'
import { parseIp } from '../base/ip.ts'
import type { OtherLatency } from '../core/netcheck/run.ts'
import type { DerpMap, DerpRegion } from '../core/tailcfg/types.ts'
import type { NetcheckPorts } from './ports.ts'

const HTTPS_TIMEOUT_MS = 4000
const ICMP_TIMEOUT_MS = 1000
/** Of a longer map the home region and the first ones are asked. */
const MAX_REGIONS = 40

/** Tells each round trip as it comes; resolves, when all have ended, with whether the system lets us ask by ICMP. */
export async function tryOtherWays(ports: NetcheckPorts, map: DerpMap, home: number, onLatency: (found: OtherLatency) => void): Promise<boolean> {
  const regions = Object.values(map.Regions).filter((one) => one.Avoid !== true && one.NoMeasureNoHome !== true && hasRelay(one))
  const asked = regions.toSorted((a, b) => Number(b.RegionID === home) - Number(a.RegionID === home)).slice(0, MAX_REGIONS)
  const icmp = await Promise.all([...asked.map((one) => askIcmp(ports, one, onLatency)), ...asked.map((one) => askHttps(ports, one, onLatency))])
  return icmp.includes(true)
}

function hasRelay(region: DerpRegion): boolean {
  return (region.Nodes ?? []).some((node) => node.STUNOnly !== true)
}

async function askHttps({ httpsLatency }: NetcheckPorts, region: DerpRegion, onLatency: (found: OtherLatency) => void): Promise<boolean> {
  const found = await httpsLatency?.(region, HTTPS_TIMEOUT_MS).catch(() => undefined)
  if (found) onLatency({ region: region.RegionID, way: 'https', ...found })
  return false
}

/** True when the system let us ask. */
async function askIcmp({ icmpLatency }: NetcheckPorts, region: DerpRegion, onLatency: (found: OtherLatency) => void): Promise<boolean> {
  const [node] = region.Nodes ?? []
  // A relay that wants no STUN wants no measuring at all.
  if (!icmpLatency || !node || (node.STUNPort ?? 0) < 0 || parseIp(node.IPv4 ?? '')?.length !== 4) return false
  try {
    const ms = await icmpLatency(node.IPv4!, ascii(node.Name.slice(0, 64)), ICMP_TIMEOUT_MS)
    if (ms !== undefined) onLatency({ region: region.RegionID, way: 'icmp', family: 4, ms })
    return true
  } catch (error) {
    return !(error instanceof EngineError && error.code === 'not-supported')
  }
}
