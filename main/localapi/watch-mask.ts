/**
 * Bits of watch-ipn-bus's `mask`: what a watcher wants in its first message and afterwards.
 * Source: tailscale ipn/backend.go (NotifyWatchOpt), 1.102.5.
 */
export const WATCH = {
  engineUpdates: 1 << 0,
  initialState: 1 << 1,
  initialPrefs: 1 << 2,
  initialNetMap: 1 << 3,
  noPrivateKeys: 1 << 4,
  initialDriveShares: 1 << 5,
  initialOutgoingFiles: 1 << 6,
  initialHealth: 1 << 7,
  rateLimit: 1 << 8,
  healthActions: 1 << 9,
  initialSuggestedExitNode: 1 << 10,
  initialClientVersion: 1 << 11,
  peerChanges: 1 << 12,
  noNetMap: 1 << 13,
  initialStatus: 1 << 14,
  peerPatches: 1 << 15,
  inProcess: 1 << 16,
  sysPolicyChanges: 1 << 17,
  peerWireGuardState: 1 << 18,
} as const

/** Bits that make a first message; health alone does not (as the stock daemon does it). */
export const WATCH_INITIAL =
  WATCH.initialState |
  WATCH.initialPrefs |
  WATCH.initialNetMap |
  WATCH.initialStatus |
  WATCH.initialDriveShares |
  WATCH.initialSuggestedExitNode |
  WATCH.initialClientVersion |
  WATCH.sysPolicyChanges |
  WATCH.peerWireGuardState

/** Streams of deltas that merging would break. */
const NOT_WITH_RATE_LIMIT = WATCH.peerChanges | WATCH.noNetMap | WATCH.initialStatus | WATCH.peerPatches

/** Why a mask is refused, or undefined when it is good. */
export function checkWatchMask(mask: number): string | undefined {
  if (!Number.isSafeInteger(mask) || mask < 0) return 'bad mask'
  if ((mask & WATCH.inProcess) !== 0) return 'this bit is only for watchers inside the engine'
  if ((mask & WATCH.rateLimit) !== 0 && (mask & NOT_WITH_RATE_LIMIT) !== 0) return 'rate limit does not go with streams of peer changes'
  return undefined
}
