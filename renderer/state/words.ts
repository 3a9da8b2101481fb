/**
 * The language of states: the exact words for engine, sign-in, connection and path. These words and no others appear in the window.
 */
import type { AppState, ExitNodesPage, PathRow, PeerStatus, Status } from '../../preload/contract.ts'
import { age, ageOf, safeText } from './format.ts'

export type PathKind = 'direct' | 'peer-relay' | 'relay' | 'trying' | 'idle' | 'blocked' | 'unknown' | 'offline' | 'self'

export interface PathWords {
  readonly kind: PathKind
  /** "Direct, same network", "Relayed, fra", "Idle"… */
  readonly words: string
  readonly latencyMs: number | undefined
}

/** Facts older than this are not shown as the present. */
export const STALE_MS = 30_000

/** The path of one device in words. `row` is what the engine said of its path, if anything. */
export function pathWords(peer: PeerStatus, row: PathRow | undefined, engineRunning: boolean): PathWords {
  if (!engineRunning) return { kind: 'unknown', words: 'Path unknown', latencyMs: undefined }
  const latencyMs = row?.latencyMs
  const idle = !peer.Active && row?.active !== true
  if (row?.kind === 'direct' && !idle) return { kind: 'direct', words: directWords(row.addr), latencyMs }
  if (row?.kind === 'peer-relay' && !idle) return { kind: 'peer-relay', words: `Through ${safeText(row.via ?? 'a peer relay', 40)}`, latencyMs }
  if ((row?.kind === 'relay' || row?.kind === 'both') && !idle) {
    const where = safeText(row.regionCode ?? String(row.region ?? ''), 20)
    return row.kind === 'both' ? { kind: 'trying', words: 'Trying direct', latencyMs } : { kind: 'relay', words: where === '' ? 'Relayed' : `Relayed, ${where}`, latencyMs }
  }
  if (!peer.Online) return { kind: 'offline', words: 'Offline, says server', latencyMs: undefined }
  return { kind: 'idle', words: 'Idle', latencyMs: undefined }
}

/** A kind of path, when it stands alone. */
export function pathKindWords(kind: string): string {
  const words: Readonly<Record<string, string>> = { none: 'no path', direct: 'direct', 'peer-relay': 'through a device', relay: 'relayed', both: 'trying direct' }
  return words[kind] ?? 'unknown'
}

function directWords(addr: string | undefined): string {
  if (addr === undefined) return 'Direct'
  if (/^\[?(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|127\.|::1|f[cd]|fe80)/.test(addr)) return 'Direct, same network'
  return addr.startsWith('[') ? 'Direct, IPv6' : 'Direct'
}

export interface Headline {
  readonly words: string
  readonly tone: 'connected' | 'exit-node' | 'connecting' | 'disconnected' | 'attention' | 'error'
  /** One more sentence, when there is something to say. */
  readonly more?: string
}

/** The one line that sums up: the first of engine, sign-in, connection, exit node that is not as wished. */
export function headline(app: AppState, status: Status | undefined, exit?: ExitNodesPage): Headline {
  if (app.engine === 'keeps-stopping') return { words: 'Engine keeps stopping', tone: 'error', ...(app.message === undefined ? {} : { more: app.message }) }
  if (app.engine === 'stopped') return { words: 'Engine stopped', tone: 'error', more: 'Bowline starts it again by itself.' }
  if (app.engine === 'starting' || !status) return { words: 'Starting the engine', tone: 'connecting' }
  switch (status.BackendState) {
    case 'NeedsLogin':
      if (status.Self.Expired === true && status.AuthURL === '') return { words: 'Sign-in has ended', tone: 'attention' }
      return status.AuthURL === '' ? { words: 'Signed out', tone: 'attention' } : { words: 'Waiting for your browser', tone: 'attention' }
    case 'NeedsMachineAuth':
      return { words: 'Waiting for approval', tone: 'attention' }
    case 'Starting':
      return { words: 'Connecting: reaching the server', tone: 'connecting' }
    case 'Running':
      if (exit?.Egress.Kind === 'blocked') return { words: 'Internet blocked', tone: 'attention' }
      return { words: 'Connected', tone: exit?.Egress.Kind === 'exit' ? 'exit-node' : 'connected' }
    case 'Stopped':
      return { words: 'Disconnected', tone: 'disconnected' }
    case 'InUseOtherUser':
      return { words: 'Engine in use by another user', tone: 'error' }
    case 'NoState':
      return { words: 'Starting the engine', tone: 'connecting' }
  }
}

/** What a screen reader says of a row: one whole sentence with its age. */
export function spokenRow(name: string, path: PathWords, heardMs: number | undefined): string {
  const heard = heardMs === undefined ? '' : ` Heard ${heardMs < 1000 ? 'now' : `${spokenAge(heardMs)} ago`}.`
  const rtt = path.latencyMs === undefined ? '' : ` Round trip ${path.latencyMs < 10 ? path.latencyMs.toFixed(1) : Math.round(path.latencyMs)} milliseconds.`
  if (path.kind === 'idle') return `${name}. Idle, works when used.${heard}`
  if (path.kind === 'offline') return `${name}. The server says offline.${heard}`
  if (path.kind === 'self') return `${name}. This device.`
  return `${name}. ${path.words.replace('Relayed, ', 'Relayed through ').replace('Direct, same network', 'Direct on the same network')}.${rtt}${heard}`
}

function spokenAge(ms: number): string {
  return age(ms).replace(/ s$/, ' seconds').replace(/ min$/, ' minutes').replace(/ h$/, ' hours').replace(/^1 (second|minute|hour)s$/, '1 $1')
}

/** When a packet last came from the device: its handshake or what the server saw. */
export function heardMs(peer: PeerStatus, nowMs: number): number | undefined {
  const handshake = ageOf(peer.LastHandshake, nowMs)
  return handshake ?? (peer.Online ? undefined : ageOf(peer.LastSeen, nowMs))
}

/** What the network is called: the name that the server gives it, or its domain where that name is a bare address. */
export function networkName(status: Status | undefined): string {
  const name = status?.CurrentTailnet?.Name ?? ''
  const bare = name === '' || /^[\d.]+$/.test(name) || name.includes(':')
  return safeText(bare ? status?.MagicDNSSuffix || name : name)
}
