/**
 * What a settings file asks for, as an edit of prefs and a few things beside it. Pure. Names and meaning are the stock daemon's,
 * version "alpha0"; names are matched in any case, as a Go decoder does; a field that nobody knows is refused.
 *
 * Source: tailscale ipn/conf.go, ipn/conffile (1.102.5).
 */
import { EngineError } from '../base/errors.ts'
import { DEFAULT_ROUTES, parseAddrPort, parseIp } from '../base/ip.ts'
import type { MaskedPrefs } from '../../localapi/types.ts'

export interface ConfigField {
  readonly name: string
  readonly value: unknown
  readonly line: number
}

export interface Config {
  /** Nothing may be changed by others. */
  readonly isLocked: boolean
  /** As written: a key, or "file:PATH"; "" without one. */
  readonly authKey: string
  readonly mask: MaskedPrefs
  /** Addresses to tell peers of beside those that were found. */
  readonly staticEndpoints: readonly string[]
}

type Draft = Record<string, unknown>

/** Takes a value into the edit; a text is what the value must be. */
type Take = (mask: Draft, value: unknown) => string | undefined

const set = (mask: Draft, field: keyof MaskedPrefs, value: unknown): undefined => {
  mask[field] = value
  mask[`${field}Set`] = true
  return undefined
}

const bool = (field: keyof MaskedPrefs): Take => (mask, value) => (typeof value === 'boolean' ? set(mask, field, value) : 'true or false')
const text = (field: keyof MaskedPrefs): Take => (mask, value) => (typeof value === 'string' ? set(mask, field, value) : 'a text')
const texts = (field: keyof MaskedPrefs): Take => (mask, value) => (isTexts(value) ? set(mask, field, value) : 'a list of texts')
const object = (field: keyof MaskedPrefs): Take => (mask, value) => (isObject(value) ? set(mask, field, value) : 'an object')
const later = (what: string): Take => () => `left out: ${what} is not there yet`

const NETFILTER: Readonly<Record<string, number>> = { off: 0, nodivert: 1, on: 2 }

const FIELDS: Readonly<Record<string, Take>> = {
  version: (_mask, value) => (value === 'alpha0' ? undefined : '"alpha0"'),
  locked: (mask, value) => (typeof value === 'boolean' ? void (mask['locked'] = value) : 'true or false'),
  serverurl: text('ControlURL'),
  authkey: (mask, value) => {
    if (typeof value !== 'string') return 'a text'
    mask['authKey'] = value
    return value === '' ? undefined : set(mask, 'LoggedOut', false)
  },
  enabled: bool('WantRunning'),
  operatoruser: text('OperatorUser'),
  hostname: text('Hostname'),
  acceptdns: bool('CorpDNS'),
  acceptroutes: bool('RouteAll'),
  exitnode: (mask, value) => {
    if (typeof value !== 'string') return 'a text'
    return parseIp(value) ? set(mask, 'ExitNodeIP', value) : set(mask, 'ExitNodeID', value)
  },
  allowlanwhileusingexitnode: bool('ExitNodeAllowLANAccess'),
  advertiseroutes: texts('AdvertiseRoutes'),
  advertiseexitnode: (mask, value) => (typeof value === 'boolean' ? void (mask['advertiseExitNode'] = value) : 'true or false'),
  disablesnat: bool('NoSNAT'),
  advertiseservices: texts('AdvertiseServices'),
  appconnector: object('AppConnector'),
  netfiltermode: (mask, value) => (typeof value === 'string' && value in NETFILTER ? set(mask, 'NetfilterMode', NETFILTER[value]) : '"on", "off" or "nodivert"'),
  nostatefulfiltering: bool('NoStatefulFiltering'),
  posturechecking: bool('PostureChecking'),
  runsshserver: bool('RunSSH'),
  runwebclient: bool('RunWebClient'),
  shieldsup: bool('ShieldsUp'),
  remoteconfig: bool('RemoteConfig'),
  autoupdate: (mask, value) => {
    if (!isObject(value)) return 'an object'
    mask['AutoUpdate'] = value
    mask['AutoUpdateSet'] = { CheckSet: true, ApplySet: true }
    return undefined
  },
  serveconfigtemp: later('serve'),
  staticendpoints: (mask, value) => (isTexts(value) && value.every((item) => parseAddrPort(item)) ? void (mask['staticEndpoints'] = value) : 'a list of addresses with ports'),
  relayserverport: later('the peer relay'),
  relayserverstaticendpoints: later('the peer relay'),
}

/** What the fields of the file ask for. Throws EngineError('bad-config') with file, line and field. */
export function configOf(path: string, fields: readonly ConfigField[]): Config {
  const mask: Draft = {}
  const seen = new Set<string>()
  for (const { name, value, line } of fields) {
    const known = name.toLowerCase()
    const take = FIELDS[known]
    const wanted = !take ? 'a field that exists' : seen.has(known) ? 'there only once' : value === null ? undefined : take(mask, value)
    seen.add(known)
    if (wanted !== undefined) throw new EngineError('bad-config', `${path}, line ${line}: ${JSON.stringify(name.slice(0, 64))} must be ${wanted}`)
  }
  if (!seen.has('version')) throw new EngineError('bad-config', `${path}: the field "version" is missing; it must be "alpha0"`)
  const { locked, authKey, staticEndpoints, advertiseExitNode, ...prefs } = mask
  if (advertiseExitNode === true) set(prefs, 'AdvertiseRoutes', [...((prefs['AdvertiseRoutes'] as readonly string[] | undefined) ?? []), ...DEFAULT_ROUTES])
  if (prefs['WantRunningSet'] !== true) set(prefs, 'WantRunning', true)
  // The file says whole which services are advertised: those it leaves out are none.
  if (prefs['AdvertiseServicesSet'] !== true) set(prefs, 'AdvertiseServices', null)
  return {
    isLocked: locked !== false,
    authKey: typeof authKey === 'string' ? authKey : '',
    mask: prefs as MaskedPrefs,
    staticEndpoints: isTexts(staticEndpoints) ? staticEndpoints : [],
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
