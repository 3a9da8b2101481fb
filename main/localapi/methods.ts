/**
 * The table of LocalAPI endpoints: one row each. The server's exhaustive handlers and every client are derived from it.
 *
 *   path  after /localapi/v0/; a trailing slash means "and everything below"
 *   may   read | write: what the caller must be allowed; open: no check, as the stock daemon does it
 */
import type {
  JournalPage,
  LoginProfile,
  MaskedPrefs,
  PathsPage,
  PingResult,
  Prefs,
  SessionPage,
  StartOptions,
  Status,
  WarningText,
  WhoIsResponse,
} from './types.ts'
import type { DerpMap, DnsConfig, Node, UserProfile } from '../engine/core/tailcfg/types.ts'

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
export type Permission = 'read' | 'write' | 'open'

/** One endpoint; `In` and `Out` are the JSON bodies and exist for the compiler alone. */
export interface Method<In, Out> {
  readonly path: string
  readonly methods: readonly HttpMethod[]
  readonly may: Permission
  readonly body?: In
  readonly result?: Out
}

function row<In, Out>(path: string, methods: readonly HttpMethod[], may: Permission): Method<In, Out> {
  return { path, methods, may }
}

export const METHODS = {
  status: row<void, Status>('status', ['GET'], 'read'),
  prefs: row<void, Prefs>('prefs', ['GET', 'HEAD'], 'read'),
  editPrefs: row<MaskedPrefs, Prefs>('prefs', ['PATCH'], 'write'),
  checkPrefs: row<Partial<Prefs>, { readonly Error?: string }>('check-prefs', ['POST'], 'write'),
  start: row<StartOptions, void>('start', ['POST'], 'write'),
  loginInteractive: row<void, void>('login-interactive', ['POST'], 'write'),
  logout: row<void, void>('logout', ['POST'], 'write'),
  resetAuth: row<void, void>('reset-auth', ['POST'], 'write'),
  profiles: row<void, LoginProfile | readonly LoginProfile[]>('profiles/', ['GET', 'PUT', 'POST', 'DELETE'], 'write'),
  watchBus: row<void, void>('watch-ipn-bus', ['GET'], 'read'),
  whois: row<void, WhoIsResponse>('whois', ['GET'], 'read'),
  ping: row<void, PingResult>('ping', ['POST'], 'open'),
  peerById: row<void, Node>('peer-by-id', ['GET'], 'read'),
  userProfile: row<void, UserProfile>('user-profile', ['GET'], 'read'),
  derpMap: row<void, DerpMap>('derpmap', ['GET'], 'open'),
  dnsConfig: row<void, DnsConfig>('dns-config', ['GET'], 'read'),
  certDomains: row<void, readonly string[] | null>('cert-domains', ['GET'], 'read'),
  metrics: row<void, string>('metrics', ['GET'], 'write'),
  userMetrics: row<void, string>('usermetrics', ['GET'], 'open'),
  uploadClientMetrics: row<readonly unknown[], void>('upload-client-metrics', ['POST'], 'open'),
  services: row<void, unknown>('services', ['GET'], 'open'),
  serveConfig: row<void, unknown>('serve-config', ['GET'], 'read'),
  suggestExitNode: row<void, { readonly ID: string; readonly Name: string }>('suggest-exit-node', ['GET', 'POST'], 'open'),
  checkIpForwarding: row<void, WarningText>('check-ip-forwarding', ['GET'], 'read'),
  checkUdpGroForwarding: row<void, WarningText>('check-udp-gro-forwarding', ['GET'], 'read'),
  checkSoMark: row<void, { readonly UseSOMark: boolean }>('check-so-mark-in-use', ['GET'], 'read'),
  debug: row<void, unknown>('debug', ['POST'], 'write'),
  journal: row<void, JournalPage>('bowline/journal', ['GET'], 'write'),
  netcheck: row<void, unknown>('bowline/netcheck', ['GET', 'POST'], 'read'),
  paths: row<void, PathsPage>('bowline/paths', ['GET'], 'read'),
  netMap: row<void, unknown>('bowline/netmap', ['GET'], 'read'),
  session: row<void, SessionPage>('bowline/session', ['GET'], 'read'),
} as const

export type MethodName = keyof typeof METHODS
export type BodyOf<N extends MethodName> = (typeof METHODS)[N] extends Method<infer In, unknown> ? In : never
export type ResultOf<N extends MethodName> = (typeof METHODS)[N] extends Method<unknown, infer Out> ? Out : never

/** Where the API starts in a URL. */
export const API_PREFIX = '/localapi/v0/'
/** The only Host that the server takes. */
export const API_HOST = 'local-tailscaled.sock'

export type RouteMatch =
  | { readonly kind: 'found'; readonly name: MethodName; readonly rest: string }
  | { readonly kind: 'wrong-method' }
  | { readonly kind: 'unknown' }

/** Which row answers a request; `rest` is the path below a row that ends in a slash, still escaped. */
export function findMethod(path: string, method: string): RouteMatch {
  if (!path.startsWith(API_PREFIX)) return { kind: 'unknown' }
  const suffix = path.slice(API_PREFIX.length)
  let known = false
  for (const name of Object.keys(METHODS) as MethodName[]) {
    const candidate: Method<unknown, unknown> = METHODS[name]
    const below = candidate.path.endsWith('/') && suffix.startsWith(candidate.path)
    if (candidate.path !== suffix && !below) continue
    known = true
    if (candidate.methods.some((allowed) => allowed === method)) return { kind: 'found', name, rest: suffix.slice(candidate.path.length) }
  }
  return { kind: known ? 'wrong-method' : 'unknown' }
}
