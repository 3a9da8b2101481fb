/**
 * The words for states, the same in every door of Bowline, and numbers as people read them.
 */
import type { PathsPage, PeerStatus, StateName } from '../localapi/types.ts'

export const STATE_WORDS: Readonly<Record<StateName, string>> = {
  NoState: 'Starting the engine',
  InUseOtherUser: 'Engine in use by another user',
  NeedsLogin: 'Signed out',
  NeedsMachineAuth: 'Waiting for approval',
  Stopped: 'Disconnected',
  Starting: 'Connecting',
  Running: 'Connected',
}

type PathRow = PathsPage['paths'][number]

/** How packets go to a peer: the path when there is evidence, else what the server says. */
export function pathWords(peer: PeerStatus, path: PathRow | undefined): string {
  const latency = path?.latencyMs !== undefined ? `, ${milliseconds(path.latencyMs)}` : ''
  if (path?.kind === 'direct') return `Direct ${path.addr ?? ''}${latency}`
  if (path?.kind === 'relay') return `Relayed, ${path.regionCode ?? path.region}${latency}`
  if (path?.kind === 'both') return `Trying direct, relayed by ${path.regionCode ?? path.region}`
  if (peer.CurAddr !== '') return `Direct ${peer.CurAddr}`
  if (peer.Active && peer.Relay !== '') return `Relayed, ${peer.Relay}`
  return peer.Online ? 'Idle' : 'Offline, says server'
}

/** "0.6 ms", "38 ms", "1.2 s". */
export function milliseconds(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** Rows in columns, two spaces apart, no trailing blanks. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, printable(cell).length)
  return rows.map((row) => row.map((cell, i) => printable(cell).padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}

/** Names come from other people's machines: what could steer a terminal is replaced. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}
