/**
 * Round trips to relays where no UDP gets through: an HTTPS exchange and an ICMP echo a region, all at the same time.
 * Source: tailscale net/netcheck/netcheck.go (measureHTTPSLatency, measureAllICMPLatency) @ de9ec7e, read 2026-08.
 */
import { ascii } from '../base/bytes.ts'
import { parseIp } from '../base/ip.ts'
import type { OtherLatency } from '../core/netcheck/run.ts'
import type { DerpMap, DerpRegion } from '../core/tailcfg/types.ts'
import type { NetcheckPorts } from './ports.ts'

const HTTPS_TIMEOUT_MS = 4000
const ICMP_TIMEOUT_MS = 1000
/** Of a relay's name, which tells its answer from others. */
const MAX_PAYLOAD = 64
/** Of a longer map the home region and the first ones are asked. */
const MAX_REGIONS = 40

/** Tells each round trip as it comes; resolves, when all have ended, with whether the system lets us ask by ICMP. */
export async function tryOtherWays(ports: NetcheckPorts, map: DerpMap, home: number, onLatency: (found: OtherLatency) => void): Promise<boolean> {
  const regions = Object.values(map.Regions).filter((one) => one.Avoid !== true && one.NoMeasureNoHome !== true && hasRelay(one))
  const asked = regions.toSorted((a, b) => Number(b.RegionID === home) - Number(a.RegionID === home)).slice(0, MAX_REGIONS)
  const [icmpPossible] = await Promise.all([askIcmp(ports, asked, onLatency), ...asked.map((one) => askHttps(ports, one, onLatency))])
  return icmpPossible
}

function hasRelay(region: DerpRegion): boolean {
  return (region.Nodes ?? []).some((node) => node.STUNOnly !== true)
}

async function askHttps({ httpsLatency }: NetcheckPorts, region: DerpRegion, onLatency: (found: OtherLatency) => void): Promise<void> {
  const found = await httpsLatency?.(region, HTTPS_TIMEOUT_MS).catch(() => undefined)
  if (found) onLatency({ region: region.RegionID, way: 'https', ...found })
}

/** True when the system let us ask. */
async function askIcmp({ icmpLatencies }: NetcheckPorts, regions: readonly DerpRegion[], onLatency: (found: OtherLatency) => void): Promise<boolean> {
  const asked = regions.flatMap((region) => {
    const [node] = region.Nodes ?? []
    // A relay that wants no STUN wants no measuring at all.
    if (!node || (node.STUNPort ?? 0) < 0 || parseIp(node.IPv4 ?? '')?.length !== 4) return []
    return [{ region: region.RegionID, ip: node.IPv4!, payload: ascii(node.Name.slice(0, MAX_PAYLOAD)) }]
  })
  if (!icmpLatencies || asked.length === 0) return false
  const found = await icmpLatencies(asked, ICMP_TIMEOUT_MS).catch(() => undefined)
  for (const [index, { region }] of asked.entries()) {
    const ms = found?.[index]
    if (ms !== undefined) onLatency({ region, way: 'icmp', family: 4, ms })
  }
  return found !== undefined
}
