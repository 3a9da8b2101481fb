/**
 * Settings as flags of `up`, `login`, `set` and `get`: one row each, from the flag's text to the prefs and back.
 *
 * A value that is not allowed gets a sentence with the flag, the value, and what is allowed. `inert` says what this engine
 * does not do with a setting that it keeps all the same, so that other programs see what they set.
 *
 * Source of the names: tailscale 1.102.5, `set --help` and `up --help`.
 */
import { DEFAULT_ROUTES, hasDefaultRoutes, isIp4, networkOf, parseAddrPort, parseIp, parsePrefix } from '../engine/base/ip.ts'
import type { Prefs, Status } from '../localapi/types.ts'
import { usageError } from './exit.ts'
import type { Flag, FlagSpec, Parsed } from './flags.ts'
import { findExitNode } from './verbs/find-device.ts'

/** What a flag's value is read against. */
export interface Present {
  readonly prefs: Prefs
  /** With the other devices, for their names. */
  readonly status: Status
}

interface PrefFlag {
  readonly flag: Flag
  /** Which verbs take it; all of them otherwise. */
  readonly only?: 'set' | 'up'
  /** Changed prefs for the flag's text. Throws a usage error. */
  read(text: string, now: Present): Partial<Prefs>
  /** The flag's text for prefs; "" and "false" are the empty ones. */
  show(prefs: Prefs): string
  /** The text in fresh prefs, when it is not empty. */
  readonly fresh?: string
  readonly inert?: string
}

const isOn = (text: string): boolean => /^(true|1|t|yes|on)$/i.test(text)

type BoolField = { [K in keyof Prefs]-?: Prefs[K] extends boolean ? K : never }[keyof Prefs]

function bool(field: BoolField, help: string, more: Partial<PrefFlag> = {}): PrefFlag {
  return { flag: { kind: 'bool', help }, read: (text) => ({ [field]: isOn(text) }), show: (prefs) => String(prefs[field]), ...more }
}

/** A switch whose pref says the opposite. */
function inverse(field: 'NoSNAT' | 'NoStatefulFiltering', help: string, more: Partial<PrefFlag>): PrefFlag {
  return { flag: { kind: 'bool', help }, read: (text) => ({ [field]: !isOn(text) }), show: (prefs) => String(prefs[field] !== true), ...more }
}

const NETFILTER: readonly string[] = ['off', 'nodivert', 'on']
const NO_TUN = 'it matters only to a whole-computer (TUN) engine, which is not there yet'

const list = (text: string): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '')
const quoted = (text: string): string => JSON.stringify(text)

/** In the order of help. */
export const PREF_FLAGS: Readonly<Record<string, PrefFlag>> = {
  hostname: {
    flag: { kind: 'text', help: "name of this device on the network; empty for the computer's own", value: 'NAME' },
    read: (text) => ({ Hostname: hostName(text) }),
    show: (prefs) => prefs.Hostname,
  },
  'accept-routes': bool('RouteAll', 'use networks behind other devices'),
  'accept-dns': bool('CorpDNS', "use the network's names", { fresh: 'true' }),
  'shields-up': bool('ShieldsUp', 'let nothing in'),
  'exit-node': {
    flag: { kind: 'text', help: 'device that all other traffic goes out of: a name, an address, auto:any, or empty for none', value: 'DEVICE', takes: 'exit-node' },
    read: exitNode,
    show: (prefs) => (prefs.AutoExitNode ? `auto:${prefs.AutoExitNode}` : prefs.ExitNodeIP || prefs.ExitNodeID),
  },
  'exit-node-allow-lan-access': bool('ExitNodeAllowLANAccess', 'reach the local network while an exit node is used'),
  'advertise-routes': {
    flag: { kind: 'text', help: 'networks behind this device to offer, with commas; empty for none', value: 'PREFIXES' },
    read: (text, { prefs }) => ({ AdvertiseRoutes: [...routes(text), ...(hasDefaultRoutes(prefs.AdvertiseRoutes) ? DEFAULT_ROUTES : [])] }),
    show: (prefs) => (prefs.AdvertiseRoutes ?? []).filter((route) => !DEFAULT_ROUTES.includes(route)).join(','),
  },
  'advertise-exit-node': {
    flag: { kind: 'bool', help: 'offer this device as exit node' },
    read: (text, { prefs }) => ({ AdvertiseRoutes: [...(prefs.AdvertiseRoutes ?? []).filter((route) => !DEFAULT_ROUTES.includes(route)), ...(isOn(text) ? DEFAULT_ROUTES : [])] }),
    show: (prefs) => String(hasDefaultRoutes(prefs.AdvertiseRoutes)),
  },
  'advertise-tags': {
    only: 'up',
    flag: { kind: 'text', help: 'tags to ask for at sign-in, with commas; empty for none', value: 'TAGS' },
    read: (text) => ({ AdvertiseTags: tags(text) }),
    show: (prefs) => (prefs.AdvertiseTags ?? []).join(','),
  },
  operator: {
    flag: { kind: 'text', help: 'user who may change the engine without being root', value: 'USER' },
    read: (text) => ({ OperatorUser: text }),
    show: (prefs) => prefs.OperatorUser ?? '',
  },
  nickname: {
    flag: { kind: 'text', help: 'name of this account for bowline switch', value: 'NAME' },
    read: (text) => ({ ProfileName: text }),
    show: (prefs) => prefs.ProfileName ?? '',
  },
  ssh: bool('RunSSH', 'run an SSH server (refused: not there yet)'),
  'report-posture': bool('PostureChecking', 'let the server ask about this computer', { inert: 'nothing about this computer is ever reported' }),
  'snat-subnet-routes': inverse('NoSNAT', 'hide senders behind this device for networks it offers', { fresh: 'true', inert: NO_TUN }),
  'stateful-filtering': inverse('NoStatefulFiltering', 'filter what is forwarded by its connections', { inert: NO_TUN }),
  'netfilter-mode': {
    flag: { kind: 'choice', help: "how the system's packet filter is set up", choices: ['on', 'nodivert', 'off'] },
    read: (text) => ({ NetfilterMode: NETFILTER.indexOf(text) }),
    show: (prefs) => NETFILTER[prefs.NetfilterMode] ?? String(prefs.NetfilterMode),
    fresh: 'on',
    inert: NO_TUN,
  },
  'advertise-connector': {
    flag: { kind: 'bool', help: 'offer this device as app connector' },
    read: (text) => ({ AppConnector: { Advertise: isOn(text) } }),
    show: (prefs) => String(prefs.AppConnector.Advertise),
    inert: 'app connectors are not there yet',
  },
  'auto-update': {
    only: 'set',
    flag: { kind: 'bool', help: 'update by itself' },
    read: (text, { prefs }) => ({ AutoUpdate: { ...prefs.AutoUpdate, Apply: isOn(text) } }),
    show: (prefs) => String(prefs.AutoUpdate.Apply === true),
    inert: 'this program does not update itself',
  },
  'update-check': {
    only: 'set',
    flag: { kind: 'bool', help: 'tell of newer versions' },
    read: (text, { prefs }) => ({ AutoUpdate: { ...prefs.AutoUpdate, Check: isOn(text) } }),
    show: (prefs) => String(prefs.AutoUpdate.Check),
    fresh: 'true',
    inert: 'this program looks for no newer version',
  },
  webclient: bool('RunWebClient', 'serve the window to other devices of the network', { only: 'set', inert: 'the window is served on this computer alone (bowline web)' }),
  'relay-server-port': {
    only: 'set',
    flag: { kind: 'text', help: 'UDP port of a relay for other devices; 0 = any, empty for no relay', value: 'PORT' },
    read: (text) => ({ RelayServerPort: relayPort(text) }),
    show: (prefs) => (prefs.RelayServerPort === undefined || prefs.RelayServerPort === null ? '' : String(prefs.RelayServerPort)),
  },
  'relay-server-static-endpoints': {
    only: 'set',
    flag: { kind: 'text', help: "that relay's addresses as others see them, with commas", value: 'ADDR:PORT' },
    read: (text) => ({ RelayServerStaticEndpoints: list(text).map((each) => endpoint(each)) }),
    show: (prefs) => (prefs.RelayServerStaticEndpoints ?? []).join(','),
  },
}

/** The flags for a verb; `set` has no first values. */
export function prefFlagSpec(verb: 'up' | 'set'): FlagSpec {
  const rows = Object.entries(PREF_FLAGS).filter(([, row]) => row.only === undefined || row.only === verb)
  return { ...Object.fromEntries(rows.map(([name, row]) => [name, row.inert === undefined ? row.flag : { ...row.flag, help: `${row.flag.help} (kept; no effect yet)` }])), 'accept-risk': { kind: 'text', help: '', hidden: true } }
}

/** The prefs that the given flags change, later ones seeing what earlier ones did. Throws a usage error. */
export function readPrefFlags(args: Parsed, now: Present): Partial<Prefs> {
  let changed: Partial<Prefs> = {}
  for (const [name, row] of Object.entries(PREF_FLAGS)) {
    if (args.has(name)) changed = { ...changed, ...row.read(args.text(name), { ...now, prefs: { ...now.prefs, ...changed } }) }
  }
  return changed
}

/** Settings that are not as in fresh prefs, as flags. */
export function unusualFlags(prefs: Prefs): { name: string; flag: string }[] {
  return Object.entries(PREF_FLAGS).flatMap(([name, row]) => {
    const text = row.show(prefs)
    const fresh = row.fresh ?? (row.flag.kind === 'bool' ? 'false' : '')
    return text === fresh ? [] : [{ name, flag: flagText(name, text) }]
  })
}

/** A setting as it would be typed. */
export function flagText(name: string, text: string): string {
  if (PREF_FLAGS[name]?.flag.kind === 'bool') return text === 'true' ? `--${name}` : `--${name}=false`
  return `--${name}=${/^[\w@%+=:,./[\]-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`}`
}

/** What this engine does not do with the settings that were turned on, one sentence each. */
export function inertNotes(args: Parsed): string[] {
  return args.given.flatMap((name) => {
    const row = PREF_FLAGS[name]
    const on = row && (row.flag.kind === 'bool' ? args.bool(name) : args.text(name) !== '')
    return row?.inert !== undefined && on ? [`Note: --${name} is kept, but has no effect: ${row.inert}.`] : []
  })
}

function hostName(text: string): string {
  if (text === '' || (/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text))) return text
  throw usageError(`--hostname wants 1 to 63 letters, digits and hyphens, with a letter or digit at both ends, not ${quoted(text)}.`)
}

function routes(text: string): string[] {
  return list(text).map((route) => {
    const prefix = route.includes('/') ? parsePrefix(route) : undefined
    const example = parseIp(route) === undefined ? '192.168.1.0/24' : isIp4(route) ? `${route}/32` : `${route}/128`
    if (prefix === undefined) throw usageError(`--advertise-routes wants networks such as ${example}, not ${quoted(route)}.`)
    if (prefix.bits === 0) throw usageError(`--advertise-routes does not take ${route}; to offer the internet use --advertise-exit-node.`)
    const whole = networkOf(prefix.ip, prefix.bits)!
    if (whole !== `${prefix.ip}/${prefix.bits}`) throw usageError(`--advertise-routes wants whole networks: ${quoted(route)} lies in ${whole}.`)
    return whole
  })
}

function tags(text: string): string[] {
  return list(text).map((given) => {
    const tag = given.startsWith('tag:') ? given : `tag:${given}`
    if (!/^tag:[A-Za-z][A-Za-z0-9-]*$/.test(tag)) throw usageError(`--advertise-tags wants names of letters, digits and hyphens that begin with a letter, not ${quoted(given)}.`)
    return tag
  })
}

function relayPort(text: string): number | null {
  if (text === '') return null
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw usageError(`--relay-server-port wants a port from 0 to 65535, or nothing, not ${quoted(text)}.`)
}

function endpoint(text: string): string {
  if (parseAddrPort(text)) return text
  throw usageError(`--relay-server-static-endpoints wants addresses such as 192.0.2.1:40000 or [2001:db8::1]:40000, not ${quoted(text)}.`)
}

function exitNode(text: string, { status }: Present): Partial<Prefs> {
  if (text === '') return { ExitNodeIP: '', ExitNodeID: '', AutoExitNode: '' }
  if (text.startsWith('auto:')) {
    if (text !== 'auto:any') throw usageError(`--exit-node takes auto:any, a name or an address, not ${quoted(text)}.`)
    return { AutoExitNode: 'any', ExitNodeIP: '', ExitNodeID: '' }
  }
  return { ExitNodeIP: parseIp(text) === undefined ? findExitNode(status, text) : text, ExitNodeID: '', AutoExitNode: '' }
}
