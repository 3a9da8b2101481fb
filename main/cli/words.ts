/**
 * The words for states, the same in every door of Bowline, and numbers as people read them.
 */
import type { PathRow, PeerStatus, StateName } from '../localapi/types.ts'

export const STATE_WORDS: Readonly<Record<StateName, string>> = {
  NoState: 'Starting the engine',
  InUseOtherUser: 'Engine in use by another user',
  NeedsLogin: 'Signed out',
  NeedsMachineAuth: 'Waiting for approval',
  Stopped: 'Disconnected',
  Starting: 'Connecting',
  Running: 'Connected',
}

/** How packets go to a peer: the path when there is evidence, else what the server says. */
export function pathWords(peer: PeerStatus, path: PathRow | undefined): string {
  const atRest = peer.Online ? 'Idle' : 'Offline, says server'
  if (path && !path.active && !peer.Active) return atRest
  const latency = path?.latencyMs !== undefined ? `, ${milliseconds(path.latencyMs)}` : ''
  if (path?.kind === 'direct') return `Direct ${path.addr ?? ''}${latency}`
  if (path?.kind === 'peer-relay') return `Through ${path.via ?? 'peer relay'} ${path.addr ?? ''}${latency}`
  if (path?.kind === 'relay') return `Relayed, ${path.regionCode ?? path.region}${latency}`
  if (path?.kind === 'both') return `Trying direct, relayed by ${path.regionCode ?? path.region}`
  if (peer.CurAddr !== '') return `Direct ${peer.CurAddr}`
  if (peer.Active && peer.Relay !== '') return `Relayed, ${peer.Relay}`
  return atRest
}

/** What a path is, in the words of every door, with what it goes through. */
export function pathKindWords(path: PathRow): string {
  const relay = path.regionCode ?? 'a relay'
  switch (path.kind) {
    case 'direct':
      return `Direct, ${path.addr ?? ''}`
    case 'peer-relay':
      return `Through ${path.via ?? 'a peer relay'}, ${path.addr ?? ''}`
    case 'relay':
      return `Relayed, ${relay}`
    case 'both':
      return `Trying ${path.addr ?? 'direct'}, relayed by ${relay}`
    case 'none':
      return 'None'
  }
}

/** "0.6 ms", "38 ms", "1.2 s". */
export function milliseconds(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** How long ago or ahead: "now", "4 s", "12 min", "3 h", "9 days". */
export function age(ms: number): string {
  const seconds = Math.abs(ms) / 1_000
  if (seconds < 1) return 'now'
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}
