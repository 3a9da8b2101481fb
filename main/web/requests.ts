/**
 * Answers the window's requests: shape-checked, turned into LocalAPI calls, errors as values. Shared by web host and app.
 *
 * The renderer is hostile until proven otherwise: every field is looked at, unknown names and types are refused with a code.
 */
import { LocalApiError, type LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import { checkPatch, type AppSettings, type AppSettingsPatch } from '../localapi/app-settings.ts'
import type { Answer, RequestName } from '../../preload/contract.ts'
import { address, isRecord, Refused, text, version } from './checks.ts'
import { DESKTOP_HANDLERS, type DesktopActions } from './desktop-requests.ts'
import { DIAGNOSE_HANDLERS } from './diagnose-requests.ts'
import { JOIN_HANDLERS } from './join-requests.ts'
import { MACHINE_HANDLERS } from './machine-requests.ts'
import { NETWORK_HANDLERS } from './network-requests.ts'
import { SERVICE_HANDLERS, type ServiceActions } from './service-requests.ts'
import { SETTINGS_HANDLERS } from './settings-requests.ts'
import { TRANSFER_HANDLERS, type FileActions } from './transfer-requests.ts'
import { triable, tryFirst } from './try-first.ts'

/** What the host itself must do, beside calling the engine. */
export interface HostActions {
  openExternal(url: string): Promise<void>
  editSettings(patch: AppSettingsPatch): AppSettings
  /** Whether risky changes are tried first; absent = yes. */
  readonly wantsTrial?: () => boolean
  /** Ends the engine and starts it anew. Rejects with 'not-supported' where the host did not start it. */
  restartEngine(): Promise<void>
  /** Ends the app, with its question. Rejects with 'not-supported' where there is none. */
  quit(): Promise<void>
  /** Of an app with windows, tray and notifications; absent in a browser. */
  readonly desktop?: DesktopActions
  readonly service?: ServiceActions
  /** For the window that asks; absent in a browser. */
  readonly files?: FileActions
}

/** What a host answers that cannot do what was asked. */
export function notSupported(message: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(message), { code: 'not-supported' }))
}

const PREF_TYPES: Readonly<Record<string, 'string' | 'boolean' | 'port'>> = {
  ControlURL: 'string', Hostname: 'string', WantRunning: 'boolean', RouteAll: 'boolean', ShieldsUp: 'boolean', CorpDNS: 'boolean',
  ExitNodeID: 'string', ExitNodeAllowLANAccess: 'boolean', ProfileName: 'string', RelayServerPort: 'port',
}
const PING_TYPES: readonly unknown[] = ['disco', 'TSMP', 'ICMP', 'peerapi']
/** People go from device to device: a request that is held back outlives their look by so much. */
const PATH_WAIT_SEC = 5

/** The engine gives profiles short names of its own making; nothing else becomes part of a path. */
const profilePath = (send: Record<string, unknown>): string => {
  const id = text(send['id'], 'id')
  if (!/^[0-9a-z-]{1,64}$/i.test(id) || id === 'current') throw new Refused('id must be that of a profile')
  return `${METHODS.profiles.path}${id}`
}

/** Only known settings, each marked as set, each of its type. */
function checkPrefs(value: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) {
    const name = key.endsWith('Set') ? key.slice(0, -3) : key
    const type = Object.hasOwn(PREF_TYPES, name) ? PREF_TYPES[name] : undefined
    if (type === undefined) throw new Refused(`no such setting: ${name.slice(0, 40)}`)
    if (!fits(key.endsWith('Set') ? 'boolean' : type, field)) throw new Refused(`${key} has the wrong type`)
    if (typeof field === 'string') text(field, key)
    out[key] = field
  }
  return out
}

/** A port that nobody wants is null; 0 is any. */
function fits(type: 'string' | 'boolean' | 'port', value: unknown): boolean {
  if (type !== 'port') return typeof value === type
  return value === null || (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535)
}

export type Handler = (client: LocalApiClient, host: HostActions, send: Record<string, unknown>) => Promise<unknown>

const HANDLERS: Readonly<Record<RequestName, Handler>> = {
  ...NETWORK_HANDLERS,
  ...SETTINGS_HANDLERS,
  ...SERVICE_HANDLERS,
  ...DESKTOP_HANDLERS,
  ...DIAGNOSE_HANDLERS,
  ...JOIN_HANDLERS,
  ...MACHINE_HANDLERS,
  ...TRANSFER_HANDLERS,
  status: (client) => client.json({ method: 'GET', path: `${METHODS.status.path}?versions=true` }),
  prefs: (client) => client.json({ method: 'GET', path: METHODS.prefs.path }),
  paths: (client, _host, send) => client.json({ method: 'GET', path: `${METHODS.paths.path}${send['active'] === true ? '?active=true' : ''}` }),
  path: (client, _host, send) => {
    const peer = text(send['peer'], 'peer')
    const after = version(send['after'], 'after')
    if (!/^nodekey:[0-9a-f]{64}$/.test(peer)) throw new Refused('peer must be a node key')
    return client.json({ method: 'GET', path: `${METHODS.path.path}?peer=${peer}${after === undefined ? '' : `&after=${after}&wait=${PATH_WAIT_SEC}`}` })
  },
  editPrefs: async (client, host, send) => {
    const body = checkPrefs(send)
    const change = triable(body)
    const make = (): Promise<unknown> => client.json({ method: 'PATCH', path: METHODS.editPrefs.path, body })
    if (!change) return make()
    await tryFirst(client, change, make, { wantsTrial: host.wantsTrial })
    return client.json({ method: 'GET', path: METHODS.prefs.path })
  },
  start: async (client, _host, send) => {
    const key = send['AuthKey'] === undefined ? undefined : text(send['AuthKey'], 'AuthKey')
    await client.json({ method: 'POST', path: METHODS.start.path, body: key === undefined ? {} : { AuthKey: key } })
    return null
  },
  loginInteractive: async (client) => {
    await client.json({ method: 'POST', path: METHODS.loginInteractive.path })
    return null
  },
  logout: async (client) => {
    await client.json({ method: 'POST', path: METHODS.logout.path })
    return null
  },
  ping: (client, _host, send) => {
    const ip = address(send['ip'], 'ip')
    if (!PING_TYPES.includes(send['type'])) throw new Refused('no such kind of ping')
    return client.json({ method: 'POST', path: `${METHODS.ping.path}?ip=${encodeURIComponent(ip)}&type=${String(send['type'])}` })
  },
  session: (client, _host, send) => {
    const after = version(send['after'], 'after')
    return client.json({ method: 'GET', path: `${METHODS.session.path}${after === undefined ? '' : `?after=${after}`}` })
  },
  profiles: async (client) => {
    const [all, current] = await Promise.all(['', 'current'].map((name) => client.json({ method: 'GET', path: `${METHODS.profiles.path}${name}` })))
    return { all, current }
  },
  addProfile: (client) => client.json({ method: 'PUT', path: METHODS.profiles.path }),
  switchProfile: (client, _host, send) => client.json({ method: 'POST', path: profilePath(send) }),
  removeProfile: (client, _host, send) => client.json({ method: 'DELETE', path: profilePath(send) }),
  openExternal: async (_client, host, send) => {
    await host.openExternal(text(send['url'], 'url'))
    return null
  },
  restartEngine: async (_client, host) => {
    await host.restartEngine()
    return null
  },
  quit: async (_client, host) => {
    await host.quit()
    return null
  },
  editSettings: async (_client, host, send) => {
    const patch = checkPatch(send)
    if ('fault' in patch) throw new Refused(String(patch.fault))
    return host.editSettings(patch)
  },
}

/** Requests that a read-only window may make; everything else, what is added later too, would change something. */
export const READS: ReadonlySet<string> = new Set<RequestName>(['status', 'prefs', 'paths', 'path', 'ping', 'openExternal', 'exitNodes', 'routes', 'blocked', 'dns', 'forwards', 'proxies', 'trust', 'storage', 'service', 'thisNetwork', 'transferTargets', 'taildropSettings'])
export const READ_ONLY: Answer<never> = { ok: false, code: 'read-only', message: 'This window is read only. To change something, use `bowline web` without --readonly.' }

/** Answers one request of the window; never throws. */
export function answerRequest(client: LocalApiClient, host: HostActions, name: unknown, send: unknown): Promise<Answer<unknown>> {
  return answered(() => {
    if (typeof name !== 'string' || !Object.hasOwn(HANDLERS, name)) throw new Refused('no such request')
    if (!isRecord(send)) throw new Refused('a request is an object')
    return HANDLERS[name as RequestName](client, host, send)
  })
}

/** What came of it as a value, also of a failure. */
export async function answered(run: () => Promise<unknown>): Promise<Answer<unknown>> {
  try {
    return { ok: true, value: (await run()) ?? null }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, code: 'bad-argument', message: error.message }
    if (error instanceof LocalApiError) return { ok: false, code: error.code, message: error.message }
    const code = (error as { code?: unknown }).code
    return { ok: false, code: typeof code === 'string' ? code : 'failed', message: error instanceof Error ? error.message : 'it failed' }
  }
}
