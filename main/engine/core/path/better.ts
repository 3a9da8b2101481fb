/**
 * Which of two proven addresses of a peer is the better path. Pure.
 *
 * Points: the faster one gets its advantage in percent, both get what their kind of address is worth. The present path
 * stays unless the other is ahead by a margin, and a small or a noisy advantage counts nothing: no flapping. A direct
 * address always beats one behind a peer relay.
 * Source: rule of tailscale wgengine/magicsock/endpoint.go (betterAddr) @ de9ec7e, read 2026-08; margins are ours.
 */
import { isIp4, isLinkLocalIp, isLoopbackIp, isPrivateIp } from '../../base/ip.ts'
import type { UdpAddr } from './types.ts'

const MARGIN_POINTS = 10
/** An advantage below this is noise. */
const MIN_GAIN_MS = 1
const MIN_GAIN_PERCENT = 20

export interface ProvenAddr {
  readonly addr: UdpAddr
  readonly latencyMs: number
}

/** Whether traffic should move from `current` to `other`. */
export function isBetterPath(other: ProvenAddr, current: ProvenAddr): boolean {
  if ((other.addr.vni === undefined) !== (current.addr.vni === undefined)) return other.addr.vni === undefined
  // Another port of the same place is the same way there: what differs is noise.
  if (other.addr.ip === current.addr.ip && other.addr.vni === current.addr.vni) return false
  const points = (mine: ProvenAddr, theirs: ProvenAddr): number => gainPoints(mine.latencyMs, theirs.latencyMs) + kindPoints(mine.addr.ip)
  return points(other, current) >= points(current, other) + MARGIN_POINTS
}

function gainPoints(mineMs: number, theirsMs: number): number {
  const gainMs = theirsMs - mineMs
  if (gainMs < MIN_GAIN_MS) return 0
  const percent = (gainMs / theirsMs) * 100
  return percent < MIN_GAIN_PERCENT ? 0 : percent
}

function kindPoints(ip: string): number {
  const place = isLoopbackIp(ip) ? 50 : isLinkLocalIp(ip) ? 30 : isPrivateIp(ip) ? 20 : 0
  return place + (isIp4(ip) ? 0 : 10)
}
