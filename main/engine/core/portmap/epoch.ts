/**
 * Whether a router started anew between two of its answers, and so forgot what it had mapped. Pure.
 *
 * Routers count seconds since they started. The count must have grown as our clock did, give or take 2 s and a sixteenth
 * for clocks that run unevenly.
 * Source: RFC 6887 §8.5 (RFC 6886 §3.6 has the same idea with wider bounds).
 */

export interface EpochSeen {
  readonly epochSec: number
  readonly atMs: number
}

export function isRestarted(before: EpochSeen, now: EpochSeen): boolean {
  if (now.epochSec < before.epochSec - 1) return true
  const oursSec = (now.atMs - before.atMs) / 1000
  const theirsSec = now.epochSec - before.epochSec
  return oursSec + 2 < theirsSec - theirsSec / 16 || theirsSec + 2 < oursSec - oursSec / 16
}
