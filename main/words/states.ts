/**
 * The language of states: the exact words for engine, sign-in, connection, path and exit node. These words and no others appear in window and tray.
 */
import type { AppState } from '../localapi/app-state.ts'
import type { ExitNodesPage } from '../localapi/exit-nodes.ts'
import type { MachinePage } from '../localapi/machine.ts'
import type { PathRow, PeerStatus, Status } from '../localapi/types.ts'
import { ageOf, ageParts, capital, decimal, safeText } from './format.ts'
import { isWord, t, type WordId } from './words.ts'

export type PathKind = 'direct' | 'peer-relay' | 'relay' | 'trying' | 'idle' | 'blocked' | 'unknown' | 'offline' | 'self'

export interface PathWords {
  readonly kind: PathKind
  /** "Direct, same network", "Relayed, fra", "Idle"… */
  readonly words: string
  readonly latencyMs: number | undefined
  /** Of a direct path, what kind. */
  readonly direct?: 'lan' | 'ipv6'
  /** The relay or the device that passes it on. */
  readonly via?: string
}

/** Facts older than this are not shown as the present. */
export const STALE_MS = 30_000

/** The path of one device in words. `row` is what the engine said of its path, if anything. */
export function pathWords(peer: PeerStatus, row: PathRow | undefined, engineRunning: boolean): PathWords {
  if (!engineRunning) return { kind: 'unknown', words: t('path.unknown'), latencyMs: undefined }
  const latencyMs = row?.latencyMs
  const idle = !peer.Active && row?.active !== true
  if (row && !idle) {
    if (row.kind === 'direct') return { kind: 'direct', latencyMs, ...directWords(row.addr) }
    if (row.kind === 'peer-relay') return { kind: 'peer-relay', latencyMs, ...throughWords(row.via) }
    if (row.kind === 'both') return { kind: 'trying', words: t('path.trying'), latencyMs }
    if (row.kind === 'relay') return { kind: 'relay', latencyMs, ...relayWords(safeText(row.regionCode ?? String(row.region ?? ''), 20)) }
  }
  if (!peer.Online) return { kind: 'offline', words: t('path.offline'), latencyMs: undefined }
  return { kind: 'idle', words: t('path.idle'), latencyMs: undefined }
}

/** A kind of path, when it stands alone. */
export function pathKindWords(kind: string): string {
  const id = `pathKind.${kind}`
  return isWord(id) ? t(id) : t('pathKind.unknown')
}

function directWords(addr: string | undefined): { words: string; direct?: 'lan' | 'ipv6' } {
  if (addr === undefined) return { words: t('path.direct') }
  if (/^\[?(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|127\.|::1|f[cd]|fe80)/.test(addr)) return { words: t('path.direct.lan'), direct: 'lan' }
  return addr.startsWith('[') ? { words: t('path.direct.ipv6'), direct: 'ipv6' } : { words: t('path.direct') }
}

function throughWords(via: string | undefined): { words: string; via?: string } {
  if (via === undefined) return { words: t('path.through.some') }
  const device = safeText(via, 40)
  return { words: t('path.through', { device }), via: device }
}

function relayWords(where: string): { words: string; via?: string } {
  return where === '' ? { words: t('path.relay') } : { words: t('path.relay.where', { relay: where }), via: where }
}

export interface Headline {
  readonly words: string
  readonly tone: 'connected' | 'exit-node' | 'connecting' | 'disconnected' | 'attention' | 'error'
  /** One more sentence, when there is something to say. */
  readonly more?: string
}

/** The one line that sums up: the first of engine, sign-in, connection, exit node that is not as wished. */
export function headline(app: AppState, status: Status | undefined, exit?: ExitNodesPage, machine?: Pick<MachinePage, 'State'>): Headline {
  if (app.engine !== 'running' && app.code === 'access-denied') return { words: t('engine.otherUser'), tone: 'error' }
  if (app.engine === 'keeps-stopping') return { words: t('engine.keepsStopping'), tone: 'error', ...(app.message === undefined ? {} : { more: app.message }) }
  if (app.engine === 'stopped') return { words: t('engine.stopped'), tone: 'error', more: t('engine.stopped.more') }
  if (app.engine === 'starting' || !status) return { words: t('engine.starting'), tone: 'connecting' }
  if (machine?.State === 'holding') return { words: t('connection.blocked'), tone: 'attention', more: t('machine.holding') }
  switch (status.BackendState) {
    case 'NeedsLogin':
      if (status.Self.Expired === true && status.AuthURL === '') return { words: t('signIn.ended'), tone: 'attention' }
      return status.AuthURL === '' ? { words: t('signIn.out'), tone: 'attention' } : { words: t('signIn.browser'), tone: 'attention' }
    case 'NeedsMachineAuth':
      return { words: t('signIn.approval'), tone: 'attention' }
    case 'Starting':
      return { words: t('connection.reaching'), tone: 'connecting' }
    case 'Running':
      if (exit?.Egress.Kind === 'blocked') return { words: t('connection.blocked'), tone: 'attention' }
      return { words: t('connection.connected'), tone: exit?.Egress.Kind === 'exit' ? 'exit-node' : 'connected' }
    case 'Stopped':
      return { words: t('connection.disconnected'), tone: 'disconnected' }
    case 'InUseOtherUser':
      return { words: t('engine.otherUser'), tone: 'error' }
    case 'NoState':
      return { words: t('engine.starting'), tone: 'connecting' }
  }
}

/** What a screen reader says of a row: one whole sentence with its age. */
export function spokenRow(name: string, path: PathWords, heardMs: number | undefined): string {
  const said = { name, via: path.via ?? '', heard: spokenHeard(heardMs), roundTrip: spokenRoundTrip(path.latencyMs) }
  return t(spokenId(path), said).trimEnd().replaceAll('  ', ' ')
}

function spokenId({ kind, direct, via }: PathWords): WordId {
  if (kind === 'direct') return direct === undefined ? 'spoken.direct' : `spoken.direct.${direct}`
  if (kind === 'peer-relay') return 'spoken.through'
  if (kind === 'relay') return via === undefined ? 'spoken.relay.some' : 'spoken.relay'
  return kind === 'blocked' ? 'spoken.unknown' : `spoken.${kind}`
}

function spokenRoundTrip(ms: number | undefined): string {
  return ms === undefined ? '' : t('spoken.roundTrip', { ms: ms < 10 ? decimal(ms) : String(Math.round(ms)) })
}

function spokenHeard(ms: number | undefined): string {
  const parts = ageParts(ms)
  return parts ? t(`spoken.heard.${parts.unit}`, { n: parts.n }) : ''
}

/** When a packet last came from the device: for path finding or as a handshake, else what the server saw. */
export function heardMs(peer: PeerStatus, row: PathRow | undefined, nowMs: number): number | undefined {
  const ages = [ageOf(row?.heard, nowMs), ageOf(peer.LastHandshake, nowMs)].filter((age) => age !== undefined)
  return ages.length > 0 ? Math.min(...ages) : (peer.Online ? undefined : ageOf(peer.LastSeen, nowMs))
}

const CANNOT: Readonly<Record<string, 'offline' | 'dead' | 'both' | 'approved' | 'offered'>> = {
  'offline, says the server': 'offline', 'does not answer': 'dead', 'offline, says the server, and does not answer': 'both', 'not approved on the server': 'approved',
  'not offered as exit node any more': 'offered',
}

/** Why an exit node cannot be used, in the person's language where the engine's words are known; '' = it can. */
export function cannotWords(why: string): string {
  const known = Object.hasOwn(CANNOT, why) ? CANNOT[why] : undefined
  return known === undefined ? capital(safeText(why, 160)) : t(`exit.cannot.${known}`)
}

/** What the network is called: the name that the server gives it, or its domain where that name is a bare address. */
export function networkName(status: Status | undefined): string {
  const name = status?.CurrentTailnet?.Name ?? ''
  const bare = name === '' || /^[\d.]+$/.test(name) || name.includes(':')
  return safeText(bare ? status?.MagicDNSSuffix || name : name)
}
