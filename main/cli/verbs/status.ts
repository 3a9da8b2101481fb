/**
 * bowline status: are we connected, who is there, which way packets go, what is wrong and what to do about it.
 */
import type { ExitNodesPage } from '../../localapi/exit-nodes.ts'
import type { MachinePage } from '../../localapi/machine.ts'
import type { RoutesPage } from '../../localapi/routes.ts'
import type { PathsPage, PeerStatus, SessionPage, Status, Warning } from '../../localapi/types.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import { EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { problemText } from '../next-action.ts'
import { printable, styled, table, widthOf, wrap } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson, printJsonLine } from '../verb.ts'
import { age, pathWords, STATE_WORDS } from '../words.ts'
import { noWords } from '../words-given.ts'
import { exitHint } from './exit-node.ts'
import { nameOf } from './find-device.ts'
import { machineHint } from './machine.ts'
import { routesHint } from './routes.ts'
import { serveWindow } from './web.ts'

export const status: Verb = {
  name: 'status',
  group: 'Look',
  summary: 'show the connection, the devices, and what is wrong',
  usage: '[--watch] [--active] [--json]',
  help:
    'Shows whether this device is connected, a line for each device (name, address, owner, system, which way packets go to it), and what is wrong with the one next thing to do.\n' +
    'Ends with 0 when connected, 5 when not, 7 when somebody has to sign in; with --json or --watch always with 0.',
  examples: [
    ['bowline status --watch', 'follow changes until Ctrl-C'],
    ['bowline status --json --peers=false', 'this device alone, for programs'],
  ],
  json: "the official command's status, with the session's page added as \"Session\" and which engine it is of as \"Engine\"; with --watch one a line, whenever it changes",
  flags: {
    watch: { kind: 'bool', help: 'show every change, until Ctrl-C' },
    active: { kind: 'bool', help: 'only devices with traffic' },
    peers: { kind: 'bool', help: 'list the other devices', initial: 'true' },
    self: { kind: 'bool', help: 'say who this device is', initial: 'true' },
    header: { kind: 'bool', help: 'name the columns' },
    web: { kind: 'bool', help: 'show the window in a browser instead, read only (as bowline web --readonly)' },
    listen: { kind: 'text', help: 'with --web: where to serve it, on this computer', value: '[127.0.0.1]:PORT' },
    browser: { kind: 'bool', help: 'with --web: open a browser', initial: 'true' },
  },
  async run(context: Context) {
    const { args, json, terminal } = context
    noWords('status', args)
    if (args.bool('web')) return await serveWindow(context, { port: portOf(args.text('listen')), open: args.bool('browser'), readOnly: true })
    if (args.bool('watch')) return await watch(context)
    const page = await look(context)
    if (json) {
      printJson(terminal, jsonOf(page, context))
      return EXIT.ok
    }
    terminal.out(statusText(page, shownOf(context)))
    return page.current.BackendState === 'Running' ? EXIT.ok : page.current.BackendState === 'NeedsLogin' ? EXIT.signIn : EXIT.notConnected
  },
}

/** How long status waits for the codes of what is wrong. */
const HEALTH_MS = 2_000

/** All that is shown, as it was at one moment. */
export interface Look {
  readonly current: Status
  readonly paths: PathsPage
  readonly session: SessionPage | undefined
  /** Networks behind devices. */
  readonly routes?: RoutesPage | undefined
  /** Where internet traffic goes. */
  readonly exit?: ExitNodesPage | undefined
  /** How much of this computer is on the network. */
  readonly machine?: MachinePage | undefined
  /** What is wrong, by code; the status has the same as texts. */
  readonly warnings: Readonly<Record<string, Warning>>
  readonly nowMs: number
}

export interface Shown {
  readonly activeOnly: boolean
  readonly self: boolean
  readonly header: boolean
  readonly columns: number | undefined
}

async function look({ api, args }: Context): Promise<Look> {
  const current = await api.call('status', { query: { peers: String(args.bool('peers')) } })
  const [paths, session, routes, exit, machine, warnings] = await Promise.all([
    api.call('paths').catch(() => ({ paths: [] })), api.call('session').catch(() => undefined), api.call('routes').catch(() => undefined), api.call('exitNodes').catch(() => undefined),
    api.call('machine').catch(() => undefined),
    warningsOf(api).catch(() => ({})),
  ])
  return { current, paths, session, routes, exit, machine, warnings, nowMs: Date.now() }
}

async function warningsOf(api: Context['api']): Promise<Look['warnings']> {
  let found: Look['warnings'] = {}
  await api.watch(WATCH.initialState | WATCH.initialHealth, (notify) => {
    found = notify.Health?.Warnings ?? {}
    return true
  }, AbortSignal.timeout(HEALTH_MS))
  return found
}

const shownOf = ({ args, terminal }: Context): Shown => ({ activeOnly: args.bool('active'), self: args.bool('self'), header: args.bool('header'), columns: terminal.columns })

/** The stock shape; of another engine that has no session, without one. */
function jsonOf({ current, session }: Look, { api }: Context): Record<string, unknown> {
  return { ...current, ...(session ? { Session: session } : {}), Engine: { Socket: api.socketPath, Kind: api.kind } }
}

/** Shows each state that differs from the one before. */
async function watch(context: Context): Promise<ExitCode> {
  const { api, json, terminal } = context
  let shown = ''
  let again = false
  let busy: Promise<void> | undefined
  const show = async (): Promise<void> => {
    do {
      again = false
      const page = await look(context)
      const text = json ? JSON.stringify(comparable(page)) : statusText(page, shownOf(context))
      if (text === shown) continue
      shown = text
      if (json) printJsonLine(terminal, jsonOf(page, context))
      else if (terminal.page) terminal.page(`${text}\n${styled('faint', 'Ctrl-C ends')}\n`)
      else terminal.out(`${text}\n`)
    } while (again)
  }
  const failed = new AbortController()
  let failure: unknown
  const how = await api.watch(WATCH.initialState | WATCH.engineUpdates | WATCH.initialHealth, () => {
    // News that come while one is shown are shown together after it.
    again = true
    busy ??= show()
      .catch((error: unknown) => {
        failure = error
        failed.abort()
      })
      .finally(() => (busy = undefined))
  }, AbortSignal.any([terminal.interrupted, failed.signal]))
  await busy
  if (terminal.interrupted.aborted) return EXIT.ok
  if (failure !== undefined && how === 'aborted') throw failure instanceof Error ? failure : new Error('it failed')
  terminal.err('The engine ended.\n')
  return EXIT.noEngine
}

/** Without what counts up all the time. */
function comparable(page: Look): unknown {
  const still = ({ RxBytes: _rx, TxBytes: _tx, LastWrite: _write, LastHandshake: _handshake, ...rest }: PeerStatus): unknown => rest
  return { ...page.current, Session: page.session, Self: still(page.current.Self), Peer: Object.values(page.current.Peer ?? {}).map(still) }
}

function portOf(text: string): number {
  const match = /^(?:127\.0\.0\.1|localhost|\[::1\])?:?(\d{1,5})$/i.exec(text)
  if (text === '') return 0
  if (!match || Number(match[1]) > 65_535) throw usageError(`--listen takes a port of this computer, such as 127.0.0.1:8384, not ${JSON.stringify(text)}: the window is served to nobody else.`)
  return Number(match[1])
}

/** The whole text for a person. */
export function statusText(page: Look, shown: Shown): string {
  const { current, paths, session } = page
  const lines = [headline(current, session, shown.self)]
  if (current.BackendState === 'Running' || current.BackendState === 'Starting') {
    const byPeer = new Map(paths.paths.map((path) => [path.peer, path]))
    const peers = Object.values(current.Peer ?? {})
      .filter((peer) => !shown.activeOnly || peer.Active)
      .toSorted((a, b) => (a.DNSName < b.DNSName ? -1 : 1))
    const rows = peers.map((peer) => row(peer, current, pathWords(peer, byPeer.get(peer.PublicKey))))
    if (rows.length > 0) lines.push('', fitted(shown.header ? [['Device', 'Address', 'Owner', 'System', 'Path'], ...rows] : rows, shown.columns))
    else if (current.Peer !== null) lines.push('', shown.activeOnly ? 'No device has traffic.' : 'No other device is on this network yet.')
    const hints = [page.machine && machineHint(page.machine), page.exit && exitHint(page.exit), page.routes && routesHint(page.routes)].flatMap((hint) => hint ?? [])
    if (hints.length > 0) lines.push('', ...hints)
  }
  const problems = problemLines(page)
  if (problems.length > 0) lines.push('', ...problems.map((text) => `${styled('warning', '!')} ${wrap(printable(text), (shown.columns ?? 100) - 2, 2)}`))
  return `${lines.join('\n')}\n`
}

/** Troubles that the session's own problem tells better, with what to do. */
const SESSION_CODES: readonly string[] = ['login-state', 'key-expired', 'not-in-map-poll', 'tls-connection-failed', 'clock-wrong', 'blockblame-mitm-detected', 'proxy-failed']

/** What is wrong, the session's own problem first and with what to do; then an end of the sign-in that comes near. */
function problemLines({ current, warnings, session, nowMs }: Look): string[] {
  const problem = session?.Problem
  const lines = problem ? [problemText(problem, nowMs)] : []
  const expiry = session?.KeyExpiry === undefined ? Number.NaN : Date.parse(session.KeyExpiry)
  const left = expiry - nowMs
  const soon = session?.KeyExpired !== true && left > 0 && left < SOON_MS
  if (soon) lines.push(`The sign-in ends in ${age(left)}. Renew it without losing the connection: bowline up --force-reauth`)
  // Stopped on purpose is no problem, and there is no other to tell then.
  if (current.BackendState === 'Stopped') return lines
  const told = (code: string): boolean => (problem !== undefined && SESSION_CODES.includes(code)) || (soon && code === 'key-expires-soon')
  const hidden = Object.values(warnings).filter((warning) => told(warning.WarnableCode)).map((warning) => warning.Text)
  return [...lines, ...current.Health.filter((text) => !hidden.some((other) => text.includes(other)))]
}

/** An end of the sign-in within this time is said. */
const SOON_MS = 7 * 86_400_000

function headline(current: Status, session: SessionPage | undefined, self: boolean): string {
  const word = styled('strong', STATE_WORDS[current.BackendState])
  switch (current.BackendState) {
    case 'Running': {
      const who = self ? ` as ${printable(nameOf(current.Self, current))} (${(current.TailscaleIPs ?? []).join(', ')})` : ''
      return `${word} to ${printable(current.MagicDNSSuffix || current.CurrentTailnet?.Name || 'the network')}${who}`
    }
    case 'NeedsLogin':
      if (current.AuthURL !== '') return `${styled('strong', 'Waiting for your browser')}. Open: ${printable(current.AuthURL)}`
      if (session?.KeyExpired === true) return styled('strong', 'Sign-in has ended')
      return session?.Problem ? word : `${word}. Sign in with: bowline up${session?.Server ? '' : ' --login-server URL'}`
    case 'Stopped':
      return `${word}. Connect with: bowline up`
    case 'NeedsMachineAuth':
      return `${word}: an administrator of the network has to approve this device.`
    case 'NoState':
    case 'Starting':
    case 'InUseOtherUser':
      return word
  }
}

function row(peer: PeerStatus, current: Status, path: string): string[] {
  const owner = peer.Tags && peer.Tags.length > 0 ? peer.Tags.join(',') : (current.User?.[String(peer.UserID)]?.LoginName ?? '-')
  const exit = peer.ExitNode ? '; exit node' : peer.ExitNodeOption ? '; offers exit node' : ''
  return [nameOf(peer, current), peer.TailscaleIPs?.[0] ?? '-', owner, peer.OS || '-', `${path}${exit}`]
}

/** The table, or on a narrow terminal name and address with the path below them. */
function fitted(rows: readonly string[][], columns: number | undefined): string {
  const whole = table(rows)
  if (columns === undefined || whole.split('\n').every((line) => widthOf(line) <= columns)) return whole
  const short = table(rows.map(([name, address, , , path]) => [name!, address!, path!]))
  if (short.split('\n').every((line) => widthOf(line) <= columns)) return short
  return rows.map(([name, address, , , path]) => `${printable(name!)}  ${address!}\n  ${printable(path!)}`).join('\n')
}
