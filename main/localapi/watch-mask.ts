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
  /** Ours: `Machine` and `Trial`, both at first. */
  machine: 1 << 29,
  /** Ours: `Transfers`, whole at first. Only for watchers that may write. */
  transfers: 1 << 30,
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
  WATCH.peerWireGuardState |
  WATCH.transfers |
  WATCH.machine

/** Streams of deltas that merging would break, with the stock daemon's names. */
const NOT_WITH_RATE_LIMIT: readonly (readonly [bit: number, name: string])[] = [
  [WATCH.peerChanges, 'ipn.NotifyPeerChanges'],
  [WATCH.noNetMap, 'ipn.NotifyNoNetMap'],
  [WATCH.initialStatus, 'ipn.NotifyInitialStatus'],
  [WATCH.peerPatches, 'ipn.NotifyPeerPatches'],
]

/** The mask of a query's text, unknown bits left away; undefined when it is no 64-bit number. Empty is 0. */
export function parseWatchMask(text: string): number | undefined {
  if (text === '') return 0
  if (!/^\d{1,20}$/.test(text)) return undefined
  const whole = BigInt(text)
  return whole >> 64n === 0n ? Number(whole & 0x7fff_ffffn) : undefined
}

/** Why a mask is refused, in the stock daemon's words, or undefined when it is good. */
export function checkWatchMask(mask: number): string | undefined {
  if ((mask & WATCH.inProcess) !== 0) return 'NotifyInProcessNoDisconnect is only valid for in-process IPN bus subscribers'
  const bad = (mask & WATCH.rateLimit) === 0 ? [] : NOT_WITH_RATE_LIMIT.filter(([bit]) => (mask & bit) !== 0).map(([, name]) => name)
  if (bad.length === 0) return undefined
  return `NotifyRateLimit is incompatible with new-style IPN bus subscription bits ${bad.length === 1 ? bad[0]! : `(${bad.join(' | ')})`}`
}
