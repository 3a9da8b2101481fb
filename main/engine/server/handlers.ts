/**
 * One handler an endpoint; the type makes sure that none of the method table is missing. A handler turns query and body
 * into a call of the backend and its answer into a reply; it decides nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { canonicalIp } from '../base/ip.ts'
import type { Backend } from '../backend/backend.ts'
import type { MachineDoors } from '../features/machine/doors.ts'
import type { TaildropDoors } from '../features/taildrop/doors.ts'
import type { TrialDoors } from '../features/trial/doors.ts'
import { toNetcheckJson } from '../core/netcheck/report.ts'
import type { ServedName } from '../../localapi/methods.ts'
import type { StoragePage } from '../../localapi/storage.ts'
import type { PingType, StartOptions } from '../../localapi/types.ts'
import { bugReport } from './bug-report.ts'
import { assertMayChoose } from './chosen-folder.ts'
import { debug } from './debug.ts'
import { dnsLookup, dnsQuery } from './dns-query.ts'
import { filePut } from './file-put.ts'
import { fileTargets } from './file-targets.ts'
import { files } from './files.ts'
import { journalPage } from './journal-page.ts'
import type { JournalReader } from './journal-page.ts'
import { adopt, adoptPage, handOver, handOverPage } from './moving.ts'
import { pathPage } from './path-page.ts'
import { beginPreflight, joinByLink, preflightPage } from './preflight.ts'
import { portMapTrial } from './port-map-trial.ts'
import type { TryPortMap } from './port-map-trial.ts'
import { profiles } from './profiles.ts'
import { reachPage } from './reach-page.ts'
import { empty, json, jsonIndented, text } from './reply.ts'
import type { Reply } from './reply.ts'
import { spoolPut } from './spool.ts'
import { addTrust, listTrust, removeTrust } from './trust.ts'
import type { Trust } from './trust.ts'
import { versionedPage } from './versioned-page.ts'
import { watchBus } from './watch-bus.ts'

export interface Call {
  readonly backend: Backend
  readonly journal: JournalReader
  readonly trust: Trust
  readonly storage: () => StoragePage
  readonly taildrop: TaildropDoors
  readonly machine: MachineDoors
  readonly trial: TrialDoors
  /** undefined: no router is asked for ports. */
  readonly tryPortMap: TryPortMap | undefined
  readonly clock: Clock
  /** Who asks: whether it may change things, and whether it may name places of this computer (it reads what the engine reads). */
  readonly caller: { readonly mayWrite: boolean; readonly mayNamePaths: boolean; /** undefined: the system does not tell. */ readonly uid: number | undefined; /** Its name for an operator's pref; '' for root, and who is not known. */ readonly user: string }
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** Path below a row that ends in a slash, escaped. */
  readonly rest: string
  /** Parsed JSON of the body; undefined without one. */
  readonly body: unknown
}

export type Handler = (call: Call) => Reply | Promise<Reply>

const noMap = (): Reply => text(503, 'no netmap')
const fine = (): Reply => json({ Warning: '' })

export const HANDLERS: Readonly<Record<ServedName, Handler>> = {
  status: ({ backend, query }) => {
    const ofOurs = goBool(query.get('versions'), false)
    return (ofOurs ? json : jsonIndented)(backend.views.status(goBool(query.get('peers'), true), ofOurs))
  },
  prefs: ({ backend }) => jsonIndented(backend.views.prefs()),
  editPrefs,
  reloadConfig: async ({ backend }) => {
    try {
      return json({ Reloaded: await backend.config.reload(), Err: '' })
    } catch (error) {
      return json({ Reloaded: false, Err: errorText(error) })
    }
  },
  checkPrefs: ({ backend, body }) => {
    const reason = backend.checkPrefs(body)
    return json(reason === undefined ? {} : { Error: reason })
  },
  start: async ({ backend, machine, body }) => {
    backend.startWith(startOptions(body))
    await machine.guarded()
    return empty(204)
  },
  loginInteractive: ({ backend }) => {
    backend.loginInteractive()
    return empty(204)
  },
  logout: async ({ backend }) => {
    await backend.logout()
    return empty(204)
  },
  resetAuth: ({ backend }) => {
    backend.resetAuth()
    return empty(204)
  },
  profiles,
  watchBus,
  whois,
  ping,
  peerById: ({ backend, query }) => byId(query, (id) => backend.views.peerById(id), 'no peer with that NodeID'),
  userProfile: ({ backend, query }) => byId(query, (id) => backend.views.userProfile(id), 'no user with that UserID'),
  derpMap: ({ backend }) => jsonIndented(backend.views.derpMap()),
  dnsConfig: ({ backend }) => {
    const config = backend.views.dnsConfig()
    return config ? jsonIndented(config) : noMap()
  },
  dnsOsConfig: () => text(500, 'getting OS base config is not supported'),
  dnsQuery,
  certDomains: ({ backend }) => json(backend.views.dnsConfig()?.CertDomains?.toSorted() ?? null),
  metrics: ({ backend }) => text(200, backend.views.metrics()),
  userMetrics: ({ backend }) => text(200, backend.views.userMetrics()),
  uploadClientMetrics: ({ body }) => (Array.isArray(body) ? json({}) : text(400, 'invalid JSON body')),
  bugReport,
  services: ({ backend }) => (backend.views.derpMap() ? json({}) : noMap()),
  serveConfig: () => ({ kind: 'json', status: 200, value: null, indent: false, headers: { Etag: '"none"' } }),
  suggestExitNode: ({ backend }) => {
    const suggestion = backend.views.suggestExitNode()
    return suggestion ? json(suggestion) : json({ error: 'no preferred DERP, try again later' }, 500)
  },
  useExitNode,
  checkIpForwarding: ({ machine }) => json({ Warning: machine.page().Problems.find(({ Code }) => Code.startsWith('forwarding'))?.Text ?? '' }),
  checkUdpGroForwarding: fine,
  setUdpGroForwarding: () => json({ Warning: 'UDP GRO forwarding cannot be enabled in userspace mode' }),
  checkSoMark: () => json({ UseSOMark: true }),
  // Upgrades do not come here.
  dial: () => text(400, 'bad ts-dial upgrade'),
  disconnectControl: ({ backend }) => {
    backend.disconnectControl()
    return empty(200)
  },
  // There is no policy that could permit it, as on any machine that nobody manages.
  shutdown: () => text(403, 'shutdown access denied by policy'),
  appConnectorRoutes: () => json({}),
  guiVisible: ({ body }) => (isObject(body) ? empty(200) : text(400, 'invalid JSON body')),
  policy,
  lockStatus: ({ backend }) => jsonIndented(backend.views.lockStatus()),
  updateCheck: ({ backend }) => ({ kind: 'json', status: 200, value: backend.views.clientVersion() ?? { RunningLatest: true }, indent: false, headers: { 'Content-Type': 'text/plain; charset=utf-8' } }),
  debug,
  debugLogging: ({ query }) => json({ Error: `unknown component ${JSON.stringify(query.get('component') ?? '')}` }),
  debugFilterMatches: ({ backend }) => filterPart(backend.views.netMap()?.PacketFilter),
  debugFilterRules: ({ backend }) => filterPart(backend.views.netMap()?.PacketFilterRules),
  debugRelaySessions: ({ backend }) => json(backend.views.peerRelaySessions()),
  debugRotateDiscoKey: ({ backend }) => {
    backend.rotateDiscoKey()
    return text(200, 'done')
  },
  debugOptionalFeatures: () => json({ Features: {} }),
  debugLog: () => text(501, 'feature not included in this build'),
  pprof: () => text(503, 'not implemented on this platform'),
  journal: journalPage,
  netcheck: async ({ backend, query }) => json(toNetcheckJson(await backend.network.netcheck(goBool(query.get('full'), true)))),
  path: pathPage,
  paths: ({ backend, query }) => json(backend.views.pathViews.all(goBool(query.get('active'), false))),
  extras: ({ backend }) => json(backend.extras),
  editExtras: ({ backend, caller, body }) => {
    assertMayChoose(caller, body, backend.extras.Taildrop.Folder)
    return json(backend.editExtras(body))
  },
  blocked: ({ backend }) => json(backend.blocked.page()),
  routes: ({ backend }) => json(backend.routes.page()),
  reach: reachPage,
  dnsPage: ({ backend }) => json(backend.dnsPages.page()),
  dnsLookup,
  exitNodes: (call) => versionedPage(call.backend.exitNodes, call),
  exitNodeAction: ({ backend, body }) => json(backend.exitNodes.act(body)),
  forwards: ({ backend }) => json(backend.forwards.page()),
  addForward: ({ backend, body }) => json(backend.forwards.add(body)),
  removeForward: ({ backend, query }) => json(backend.forwards.remove(query.get('id') ?? '')),
  openForward,
  proxies: ({ backend, machine }) => json(backend.proxies.page(machine.page().State === 'on')),
  waitDirect,
  netMap: ({ backend }) => {
    const map = backend.views.netMap()
    return map ? jsonIndented(map) : noMap()
  },
  session: (call) => versionedPage(call.backend.session, call),
  debugPortMap: portMapTrial,
  preflight: preflightPage,
  beginPreflight,
  join: joinByLink,
  filePut,
  fileTargets,
  files,
  transfers: ({ taildrop }) => json(taildrop.transfers.page()),
  transferAction: async ({ taildrop, caller, body }) => json(await taildrop.transfers.act(body, caller.mayNamePaths)),
  spool: spoolPut,
  transferTargets: ({ taildrop }) => json(taildrop.targets.page()),
  machine: async ({ machine }) => json(await machine.look()),
  preview: async ({ trial, caller, body }) => json(await trial.previews.page(body, caller.mayWrite)),
  trial: ({ trial }) => json(trial.trials.page()),
  answerTrial: async ({ trial, body }) => json(await trial.trials.act(body)),
  machineAction: async ({ machine, body }) => json(await machine.act(body)),
  handOver,
  handOverPage,
  adopt,
  adoptPage,
  storage: ({ storage }) => json(storage()),
  trust: listTrust,
  addTrust,
  removeTrust,
}

async function editPrefs({ backend, machine, body }: Call): Promise<Reply> {
  try {
    const prefs = backend.editPrefs(body)
    // Whoever hears that an exit node is chosen may rely on it.
    await machine.guarded()
    return jsonIndented(prefs)
  } catch (error) {
    // The official command reads the reason from this very shape.
    if (error instanceof EngineError && error.code === 'bad-prefs') return json({ Error: error.message }, 400)
    if (error instanceof EngineError && error.code === 'managed-by-policy') return json({ Error: error.message, code: error.code }, 400)
    throw error
  }
}

function startOptions(body: unknown): StartOptions {
  if (body === undefined || body === null) return {}
  if (typeof body !== 'object' || Array.isArray(body)) throw new EngineError('bad-argument', 'start wants a JSON object')
  const { UpdatePrefs, AuthKey } = body as Record<string, unknown>
  if (AuthKey !== undefined && typeof AuthKey !== 'string') throw new EngineError('bad-argument', 'AuthKey must be a text')
  return {
    ...(UpdatePrefs !== undefined ? { UpdatePrefs: UpdatePrefs as NonNullable<StartOptions['UpdatePrefs']> } : {}),
    ...(AuthKey !== undefined ? { AuthKey } : {}),
  }
}

function whois({ backend, query }: Call): Reply {
  const addr = query.get('addr') ?? ''
  if (addr === '') return text(400, "missing 'addr' parameter")
  const proto = query.get('proto') ?? ''
  const dst = query.get('dst_ip') ?? undefined
  if (addr.startsWith('nodekey:') && !/^nodekey:[0-9a-f]{64}$/.test(addr)) return text(400, "invalid nodekey in 'addr' parameter")
  if (dst !== undefined && canonicalIp(dst) === undefined) return text(400, 'invalid dst_ip')
  const found = backend.views.whoIs(addr, proto === 'tcp' || proto === 'udp' ? proto : '', dst)
  if (found === 'bad-address') return text(400, "invalid 'addr' parameter")
  if (!found) return text(404, 'no match for IP:port')
  // Rules for services of the network reach none of ours.
  const service = query.get('svc_name') ?? ''
  if (service !== '' && !/^svc:[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(service)) return text(400, 'invalid svc_name')
  return jsonIndented(service === '' ? found : { ...found, CapMap: null })
}

const PING_TYPES: readonly string[] = ['disco', 'TSMP', 'ICMP', 'peerapi']
/** What a datagram of the outer IPv4 can carry, as the stock daemon limits it. */
const MAX_PING_BYTES = 65_467

async function ping({ backend, query }: Call): Promise<Reply> {
  const ip = query.get('ip') ?? ''
  if (ip === '') return text(400, "missing 'ip' parameter")
  const address = canonicalIp(ip)
  if (address === undefined) return text(400, 'invalid IP')
  const type = query.get('type') ?? ''
  if (type === '') return text(400, "missing 'type' parameter")
  if (!PING_TYPES.includes(type)) return text(400, 'unknown ping type')
  const sizeText = query.get('size') ?? '0'
  if (!/^\d{1,6}$/.test(sizeText)) return text(400, "invalid 'size' parameter")
  const size = Number(sizeText)
  if (size !== 0 && type !== 'disco') return text(400, "'size' parameter is only supported with disco pings")
  if (size > MAX_PING_BYTES) return text(400, `maximum value for 'size' is ${MAX_PING_BYTES}`)
  return json(await backend.ping(address, type as PingType, size))
}

async function openForward({ backend, body }: Call): Promise<Reply> {
  const { To, Scheme = '' } = isObject(body) ? body : {}
  if (typeof To !== 'string' || typeof Scheme !== 'string' || !/^[a-z][a-z0-9+.-]{0,30}$|^$/.test(Scheme)) return text(400, 'To names a place, like "db:5432"; Scheme, if any, is that of a URL')
  return json(await backend.forwards.open(To, Scheme))
}

/** Longer waits ask again. */
const MAX_WAIT_MS = 5_000

async function waitDirect({ backend, query }: Call): Promise<Reply> {
  const address = canonicalIp(query.get('ip') ?? '')
  if (address === undefined) return text(400, 'invalid IP')
  const timeoutMs = Number(query.get('timeout') ?? MAX_WAIT_MS)
  if (!(timeoutMs >= 0)) return text(400, "invalid 'timeout' parameter")
  const direct = await backend.waitDirect(address, Math.min(timeoutMs, MAX_WAIT_MS))
  return direct === undefined ? text(404, 'no matching peer') : json({ direct })
}

function byId(query: URLSearchParams, find: (id: number) => unknown, missing: string): Reply {
  const id = Number(query.get('id') ?? '')
  if (!Number.isSafeInteger(id) || id <= 0) return text(400, "invalid 'id' parameter")
  const found = find(id)
  return found === undefined ? text(404, missing) : jsonIndented(found)
}

function filterPart(part: unknown): Reply {
  return part === undefined ? text(404, 'no netmap') : jsonIndented(part)
}

function useExitNode({ backend, query }: Call): Reply {
  const enabled = query.get('enabled') ?? ''
  if (!GO_BOOL.test(enabled)) return text(400, "invalid 'enabled' parameter")
  return jsonIndented(backend.useExitNode(goBool(enabled, false)))
}

/** What is laid down for the whole computer; narrower scopes inherit it and add nothing. POST reads it again. */
function policy({ backend, request, rest }: Call): Reply {
  const scope = { '': 'Device', device: 'Device', profile: 'Profile', user: 'User' }[rest.toLowerCase()]
  if (scope === undefined) return text(400, `${JSON.stringify(rest)} is not a valid scope`)
  if (request.method === 'POST') backend.policy.reload('somebody asked for it')
  return jsonIndented({ ...backend.policy.snapshot, Summary: { Scope: scope } })
}

const GO_BOOL = /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/

/** A truth value as the stock daemon reads it; anything else is the default. */
function goBool(value: string | null, otherwise: boolean): boolean {
  return value !== null && GO_BOOL.test(value) ? /^[1tT]/.test(value) : otherwise
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
