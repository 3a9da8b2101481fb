/**
 * The table of LocalAPI endpoints: one row each, the stock daemon's whole list and our own. The server's exhaustive
 * handlers and every client are derived from it.
 *
 *   path     after /localapi/v0/; a trailing slash means "and everything below"
 *   may      read | write: what the caller must be allowed; open: no check, as the stock daemon does it
 *   denied   what a caller without that right is told, word for word as the stock daemon
 *   instead  what another HTTP method is answered with
 *   lacks    the feature without which there is no answer: `absent` ones are answered as by a daemon built without them,
 *            the others with a sentence of their own (server/lacking.ts)
 *
 * Source: tailscale ipn/localapi, feature/*; asked of a real 1.102.5 (test/interop/localapi-answers.test.ts).
 */
import type {
  ExitNodeSuggestion,
  JournalPage,
  LoginProfile,
  MaskedPrefs,
  PathPage,
  PathsPage, PeerRelaySessions,
  PingResult,
  Prefs,
  SessionPage,
  StartOptions,
  Status,
  TrustAddition,
  TrustedCertificate,
  TrustPage,
  WarningText,
  WhoIsResponse,
} from './types.ts'
import type { ExitNodeAction, ExitNodesPage } from './exit-nodes.ts'
import type { BlockedPage } from './blocked.ts'
import type { Extras } from './extras.ts'
import type { DnsLookupPage, DnsPage } from './dns-page.ts'
import type { ForwardAddition, ForwardRow, ForwardsPage, OpenedForward, OpenRequest, ProxiesPage } from './forwards.ts'
import type { PolicySnapshot } from './policy.ts'
import type { MachineAction, MachinePage, PreviewPage, TrialAnswer, TrialPage, TrialRequest, WantedChange } from './machine.ts'
import type { JoinRequest, JoinResult, PreflightPage, PreflightRequest } from './preflight.ts'
import type { ReachPage } from './reach.ts'
import type { RoutesPage } from './routes.ts'
import type { AdoptPage, AdoptRequest, HandOverAction, HandOverPage } from './service.ts'
import type { StoragePage } from './storage.ts'
import type { FileTarget, SpoolResult, TransferAction, TransferResult, TransfersPage, TransferTargetsPage } from './transfers.ts'
import type { NetcheckJson } from '../engine/core/netcheck/report.ts'
import type { ClientVersion, DerpMap, DnsConfig, DnsResolver, FilterRule, Node, UserProfile } from '../engine/core/tailcfg/types.ts'

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
export type Permission = 'read' | 'write' | 'open'

/** Features that this engine does not have. Those below `absent` may come; the others never will, or not in this form. */
export type Lacked = 'absent' | 'cert' | 'tailnet-lock' | 'serve' | 'drive' | 'update' | 'expiry' | 'stacks' | 'id-token'

/** One endpoint; `In` and `Out` are the JSON bodies and exist for the compiler alone. */
export interface Method<In, Out> {
  readonly path: string
  readonly methods: readonly HttpMethod[]
  readonly may: Permission
  readonly denied: string
  readonly instead: { readonly status: number; readonly text: string }
  readonly lacks?: Lacked
  readonly body?: In
  readonly result?: Out
}

interface Words {
  readonly denied?: string
  readonly instead?: readonly [status: number, text: string]
}

function row<In, Out>(path: string, methods: readonly HttpMethod[], may: Permission, words: Words = {}): Method<In, Out> {
  const [status, text] = words.instead ?? [405, methods.length === 1 ? `only ${methods[0]!} allowed` : 'unsupported method']
  return { path, methods, may, denied: words.denied ?? 'access denied', instead: { status, text } }
}

function lacking(path: string, methods: readonly HttpMethod[], may: Permission, lacks: Lacked): Method<void, void> & { readonly lacks: Lacked } {
  return { ...row<void, void>(path, methods, may), lacks }
}

/** Where the stock daemon never looks at the method. */
const ANY: readonly HttpMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const usePost: Words = { instead: [405, 'use POST'] }

export const METHODS = {
  /** ?versions=true: with the versions of devices, and not indented. */
  status: row<void, Status>('status', ANY, 'read', { denied: 'status access denied' }),
  prefs: row<void, Prefs>('prefs', ['GET', 'HEAD'], 'read', { denied: 'prefs access denied' }),
  reloadConfig: row<void, { readonly Reloaded: boolean; readonly Err: string }>('reload-config', ['POST'], 'write', usePost),
  editPrefs: row<MaskedPrefs, Prefs>('prefs', ['PATCH'], 'write', { denied: 'prefs write access denied' }),
  checkPrefs: row<Partial<Prefs>, { readonly Error?: string }>('check-prefs', ['POST'], 'write', { denied: 'checkprefs access denied', instead: [405, 'unsupported method'] }),
  start: row<StartOptions, void>('start', ['POST'], 'write', { instead: [400, 'want POST'] }),
  loginInteractive: row<void, void>('login-interactive', ['POST'], 'write', { denied: 'login access denied', instead: [400, 'want POST'] }),
  logout: row<void, void>('logout', ['POST'], 'write', { denied: 'logout access denied', instead: [400, 'want POST'] }),
  resetAuth: row<void, void>('reset-auth', ['POST'], 'write', { denied: 'reset-auth modify access denied', ...usePost }),
  profiles: row<void, LoginProfile | readonly LoginProfile[]>('profiles/', ANY, 'write', { denied: 'profiles access denied' }),
  watchBus: row<void, void>('watch-ipn-bus', ANY, 'read', { denied: 'watch ipn bus access denied' }),
  whois: row<void, WhoIsResponse>('whois', ANY, 'read', { denied: 'whois access denied' }),
  ping: row<void, PingResult>('ping', ['POST'], 'open', { instead: [400, 'want POST'] }),
  peerById: row<void, Node>('peer-by-id', ANY, 'read', { denied: 'peer-by-id access denied' }),
  userProfile: row<void, UserProfile>('user-profile', ANY, 'read', { denied: 'user-profile access denied' }),
  derpMap: row<void, DerpMap>('derpmap', ['GET'], 'open', { instead: [400, 'want GET'] }),
  dnsConfig: row<void, DnsConfig>('dns-config', ANY, 'read', { denied: 'dns-config access denied' }),
  dnsOsConfig: row<void, void>('dns-osconfig', ['GET'], 'write', { denied: 'dns-osconfig dump access denied' }),
  dnsQuery: row<void, { readonly Bytes: string; readonly Resolvers: readonly DnsResolver[] }>('dns-query', ['GET'], 'write', { denied: 'dns-query access denied' }),
  certDomains: row<void, readonly string[] | null>('cert-domains', ANY, 'read', { denied: 'cert-domains access denied' }),
  metrics: row<void, string>('metrics', ANY, 'write', { denied: 'metric access denied' }),
  userMetrics: row<void, string>('usermetrics', ANY, 'open'),
  uploadClientMetrics: row<readonly unknown[], void>('upload-client-metrics', ['POST'], 'open', { instead: [405, 'unsupported method'] }),
  bugReport: row<void, string>('bugreport', ['POST'], 'read', { denied: 'bugreport access denied' }),
  services: row<void, unknown>('services', ['GET'], 'open'),
  serveConfig: row<void, unknown>('serve-config', ['GET'], 'read', { denied: 'serve config denied', instead: [405, 'method not allowed'] }),
  suggestExitNode: row<void, ExitNodeSuggestion>('suggest-exit-node', ['GET', 'POST'], 'open', { instead: [405, 'want POST'] }),
  useExitNode: row<void, Prefs>('set-use-exit-node-enabled', ['POST'], 'write', usePost),
  checkIpForwarding: row<void, WarningText>('check-ip-forwarding', ANY, 'read', { denied: 'IP forwarding check access denied' }),
  checkUdpGroForwarding: row<void, WarningText>('check-udp-gro-forwarding', ANY, 'read', { denied: 'UDP GRO forwarding check access denied' }),
  setUdpGroForwarding: row<void, WarningText>('set-udp-gro-forwarding', ANY, 'write', { denied: 'UDP GRO forwarding set access denied' }),
  checkSoMark: row<void, { readonly UseSOMark: boolean }>('check-so-mark-in-use', ANY, 'read', { denied: 'SO_MARK check access denied' }),
  /** Upgraded requests never come here; the stock daemon lets everybody dial, we only who may write. */
  dial: row<void, void>('dial', ['POST'], 'write', { denied: 'dial access denied', instead: [405, 'POST required'] }),
  disconnectControl: row<void, void>('disconnect-control', ['POST'], 'write', usePost),
  shutdown: row<void, void>('shutdown', ['POST'], 'write', { denied: 'shutdown access denied' }),
  appConnectorRoutes: row<void, Readonly<Record<string, unknown>>>('appc-route-info', ['GET'], 'open'),
  guiVisible: row<unknown, void>('set-gui-visible', ['POST'], 'open', usePost),
  policy: row<void, PolicySnapshot>('policy/', ['GET', 'POST'], 'read', { denied: 'policy access denied' }),
  lockStatus: row<void, unknown>('tka/status', ['GET'], 'read', { denied: 'lock status access denied', instead: [405, 'use GET'] }),
  updateCheck: row<void, ClientVersion>('update/check', ['GET'], 'open'),
  debug: row<void, unknown>('debug', ['POST'], 'write', { denied: 'debug access denied', instead: [405, 'POST required'] }),
  debugLogging: row<void, { readonly Error: string }>('component-debug-logging', ANY, 'write', { denied: 'debug access denied' }),
  debugFilterMatches: row<void, readonly unknown[]>('debug-packet-filter-matches', ANY, 'write', { denied: 'debug access denied' }),
  debugRelaySessions: row<void, PeerRelaySessions>('debug-peer-relay-sessions', ['GET'], 'write', { denied: 'debug access denied' }),
  debugRotateDiscoKey: row<void, string>('debug-rotate-disco-key', ['POST'], 'write', { denied: 'debug access denied' }),
  debugFilterRules: row<void, readonly FilterRule[] | null>('debug-packet-filter-rules', ANY, 'write', { denied: 'debug access denied' }),
  debugOptionalFeatures: row<void, { readonly Features: Readonly<Record<string, boolean>> }>('debug-optional-features', ANY, 'open'),
  debugLog: row<unknown, void>('debug-log', ['POST'], 'read', { denied: 'debug-log access denied' }),
  filePut: row<void, void>('file-put/', ['PUT', 'POST'], 'write', { denied: 'file access denied', instead: [400, 'want PUT to put file'] }),
  fileTargets: row<void, readonly FileTarget[]>('file-targets', ['GET'], 'read', { instead: [400, 'want GET to list targets'] }),
  files: row<void, readonly { readonly Name: string; readonly Size: number }[] | null>('files/', ANY, 'write', { denied: 'file access denied' }),
  pprof: row<void, void>('pprof', ANY, 'write', { denied: 'profile access denied' }),

  cert: lacking('cert/', ANY, 'write', 'cert'),
  tailnetLock: lacking('tka/', ANY, 'write', 'tailnet-lock'),
  setServeConfig: lacking('serve-config', ['POST'], 'write', 'serve'),
  queryFeature: lacking('query-feature', ['POST'], 'read', 'serve'),
  drive: lacking('drive/', ANY, 'write', 'drive'),
  update: lacking('update/', ANY, 'write', 'update'),
  setExpirySooner: lacking('set-expiry-sooner', ['POST'], 'write', 'expiry'),
  goroutines: lacking('goroutines', ANY, 'write', 'stacks'),
  idToken: lacking('id-token', ANY, 'write', 'id-token'),
  setDns: lacking('set-dns', ['POST'], 'write', 'absent'),
  serviceClients: lacking('prefs/service-clients', ['GET', 'POST'], 'read', 'absent'),
  pins: lacking('pins', ['GET', 'POST'], 'read', 'absent'),
  routeCheck: lacking('routecheck', ['POST'], 'open', 'absent'),
  logTap: lacking('logtap', ['GET'], 'write', 'absent'),
  pushDeviceToken: lacking('set-push-device-token', ['POST'], 'write', 'absent'),
  pushMessage: lacking('handle-push-message', ['POST'], 'write', 'absent'),
  deviceAttributes: lacking('alpha-set-device-attrs', ['PATCH'], 'write', 'absent'),
  debugBusEvents: lacking('debug-bus-events', ['GET'], 'write', 'absent'),
  debugBusGraph: lacking('debug-bus-graph', ['GET'], 'open', 'absent'),
  debugBusQueues: lacking('debug-bus-queues', ['GET'], 'open', 'absent'),
  debugCapture: lacking('debug-capture', ['POST'], 'write', 'absent'),
  debugDerpRegion: lacking('debug-derp-region', ['POST'], 'write', 'absent'),
  debugDialTypes: lacking('debug-dial-types', ['POST'], 'write', 'absent'),
  debugEndpointChanges: lacking('debug-peer-endpoint-changes', ['GET'], 'read', 'absent'),
  /** Lines of text while a port is asked of the router on trial. */
  debugPortMap: row<void, string>('debug-portmap', ANY, 'write', { denied: 'debug access denied' }),
  setStateStore: lacking('dev-set-state-store', ['POST'], 'write', 'absent'),
  conn25: lacking('conn25/state', ['GET'], 'read', 'absent'),

  journal: row<void, JournalPage>('bowline/journal', ['GET'], 'write'),
  /** ?full=false: of home and the nearest relays alone. */
  netcheck: row<void, NetcheckJson>('bowline/netcheck', ['GET', 'POST'], 'read'),
  path: row<void, PathPage>('bowline/path', ['GET'], 'read'),
  /** ?active=true: of peers with packets lately, or that are being looked for. */
  paths: row<void, PathsPage>('bowline/paths', ['GET'], 'read'),
  extras: row<void, Extras>('bowline/extras', ['GET'], 'read'),
  /** Some of the fields; forwards have rows of their own. */
  editExtras: row<Partial<Omit<Extras, 'Forwards'>>, Extras>('bowline/extras', ['PATCH'], 'write'),
  blocked: row<void, BlockedPage>('bowline/blocked', ['GET'], 'read'),
  /** Networks behind devices; what is used of them is changed with prefs (RouteAll) and extras (SkippedRoutes). */
  routes: row<void, RoutesPage>('bowline/routes', ['GET'], 'read'),
  /** Opens a connection to the place, which others would notice. */
  reach: row<void, ReachPage>('bowline/reach', ['GET'], 'write'),
  dnsPage: row<void, DnsPage>('bowline/dns', ['GET'], 'read'),
  /** `name` and `type`; asks every candidate. */
  dnsLookup: row<void, DnsLookupPage>('bowline/dns-lookup', ['GET'], 'write'),
  exitNodes: row<void, ExitNodesPage>('bowline/exit-nodes', ['GET'], 'read'),
  exitNodeAction: row<ExitNodeAction, ExitNodesPage>('bowline/exit-nodes', ['POST'], 'write'),
  forwards: row<void, ForwardsPage>('bowline/forwards', ['GET'], 'read'),
  addForward: row<ForwardAddition, ForwardRow>('bowline/forwards', ['PUT', 'POST'], 'write'),
  /** ?id=f1, a port, or all; answers what went. */
  removeForward: row<void, ForwardsPage>('bowline/forwards', ['DELETE'], 'write'),
  /** A port of this computer that leads to a place of the network for a while. */
  openForward: row<OpenRequest, OpenedForward>('bowline/open', ['POST'], 'write'),
  proxies: row<void, ProxiesPage>('bowline/proxies', ['GET'], 'read'),
  /** Answers when packets to `ip` go directly, or after `timeout` ms. */
  waitDirect: row<void, { readonly direct: boolean }>('bowline/wait-direct', ['GET'], 'read'),
  netMap: row<void, unknown>('bowline/netmap', ['GET'], 'read'),
  session: row<void, SessionPage>('bowline/session', ['GET'], 'read'),
  /** Whether a server can be joined from here: the page of a run, by `run` and `after`. */
  preflight: row<void, PreflightPage>('bowline/preflight', ['GET'], 'read'),
  beginPreflight: row<PreflightRequest, PreflightPage>('bowline/preflight', ['POST'], 'write'),
  join: row<JoinRequest, JoinResult>('bowline/join', ['POST'], 'write'),
  /** Who may only read gets none of it: names of files are nobody else's business. */
  transfers: row<void, TransfersPage>('bowline/transfers', ['GET'], 'write'),
  transferAction: row<TransferAction, TransferResult>('bowline/transfers', ['POST'], 'write'),
  /** The content of one thing to send, from callers whose files the engine does not read by path. */
  spool: row<void, SpoolResult>('bowline/spool', ['PUT'], 'write'),
  /** Every device, usable or why not. */
  transferTargets: row<void, TransferTargetsPage>('bowline/transfer-targets', ['GET'], 'read'),
  /** How much of this computer is on the network. */
  machine: row<void, MachinePage>('bowline/machine', ['GET'], 'read'),
  machineAction: row<MachineAction, MachinePage>('bowline/machine', ['POST'], 'write'),
  /** What a change would take away; nothing is changed. */
  preview: row<WantedChange, PreviewPage>('bowline/preview', ['POST'], 'read'),
  trial: row<void, TrialPage>('bowline/trial', ['GET'], 'read'),
  /** Begins a trial (TrialRequest), or says what becomes of the one that runs (TrialAnswer). */
  answerTrial: row<TrialRequest | TrialAnswer, TrialPage>('bowline/trial', ['POST'], 'write'),
  /** Gives all accounts to another engine of this computer: a person's to the service, or back. */
  handOver: row<HandOverAction, HandOverPage>('bowline/hand-over', ['POST'], 'write'),
  handOverPage: row<void, HandOverPage>('bowline/hand-over', ['GET'], 'read'),
  /** From engine to engine. */
  adopt: row<AdoptRequest, AdoptPage>('bowline/adopt', ['POST'], 'write'),
  /** What became of the offer `id`; one that never came is refused from here on. Without it: whether one would be tried. */
  adoptPage: row<void, AdoptPage>('bowline/adopt', ['GET'], 'write'),
  storage: row<void, StoragePage>('bowline/storage', ['GET'], 'write'),
  trust: row<void, TrustPage>('bowline/trust', ['GET'], 'read'),
  addTrust: row<TrustAddition, TrustPage>('bowline/trust', ['PUT'], 'write'),
  removeTrust: row<void, TrustedCertificate>('bowline/trust', ['DELETE'], 'write'),
} as const

export type MethodName = keyof typeof METHODS
/** Rows that have a handler. */
export type ServedName = { [N in MethodName]: (typeof METHODS)[N] extends { readonly lacks: Lacked } ? never : N }[MethodName]
export type BodyOf<N extends MethodName> = (typeof METHODS)[N] extends Method<infer In, unknown> ? In : never
export type ResultOf<N extends MethodName> = (typeof METHODS)[N] extends Method<unknown, infer Out> ? Out : never

/** Where the API starts in a URL. */
export const API_PREFIX = '/localapi/v0/'
/** The only Host that the server takes. */
export const API_HOST = 'local-tailscaled.sock'

export type RouteMatch =
  | { readonly kind: 'found'; readonly name: MethodName; readonly rest: string }
  /** The path is known, the method is not; `name` is its row, or the first of several. */
  | { readonly kind: 'wrong-method'; readonly name: MethodName }
  | { readonly kind: 'unknown' }

/** Which row answers a request; `rest` is the path below a row that ends in a slash, still escaped. Whole paths go first. */
export function findMethod(path: string, method: string): RouteMatch {
  if (!path.startsWith(API_PREFIX)) return { kind: 'unknown' }
  const suffix = path.slice(API_PREFIX.length)
  const names = (ROWS_OF.get(suffix) ?? ROWS_OF.get(suffix.slice(0, suffix.indexOf('/') + 1))) ?? []
  for (const name of names) {
    const candidate: Method<unknown, unknown> = METHODS[name]
    if (candidate.methods.some((allowed) => allowed === method)) return { kind: 'found', name, rest: suffix.slice(candidate.path.length) }
  }
  return names.length > 0 ? { kind: 'wrong-method', name: names[0]! } : { kind: 'unknown' }
}

const ROWS_OF: ReadonlyMap<string, readonly MethodName[]> = rowsByPath()

function rowsByPath(): Map<string, MethodName[]> {
  const rows = new Map<string, MethodName[]>()
  for (const name of Object.keys(METHODS) as MethodName[]) {
    const { path } = METHODS[name]
    const same = rows.get(path)
    if (same) same.push(name)
    else rows.set(path, [name])
  }
  return rows
}
