/**
 * One node of the map → what the data plane and path finding hold of it.
 *
 *   own       its addresses in the network's range; they are its whatever is accepted
 *   exits     the default routes, of the chosen exit node alone
 *   offer     every other prefix: networks behind it, which the book of routes judges (routes.ts)
 *
 * A prefix that is not a Tailscale address is a route even when it is a single one, and so are the service addresses
 * 100.100.100.100 and fd7a:115c:a1e0::53 and our own, which no peer gets. A node with neither disco key nor home relay cannot
 * be reached and has no place, unless it speaks bare WireGuard at a fixed address. A node for which we would have to take
 * another address (masquerading) has none either: our packets would carry the wrong one.
 *
 * Source: control facts §9.2 and §4.9, dataplane facts §9.1.
 */
import { DEFAULT_ROUTES, formatIp, hostPrefix, isTailscaleBytes, parseAddrPort, parseIp, readBits, SERVICE_IPS } from '../../base/ip.ts'
import type { AddrPort } from '../../base/ip.ts'
import { isZeroKey, parseDiscoKey, parseNodeKey } from '../../base/keys.ts'
import { ZERO_TIME } from '../tailcfg/types.ts'
import type { Node } from '../tailcfg/types.ts'
import { addressesOf, shortName } from './names.ts'
import { RELAY_CAPVER } from './peer-relays.ts'
import type { RouteOffer } from './routes.ts'
import type { DataplanePeer, MagicsockPeer } from './types.ts'

/** All beside the node that its plan depends on. */
export interface PeerContext {
  /** Stable ID, "" = none. */
  readonly exitNodeId: string
  readonly selfAddresses: readonly string[]
  /** Of the network's names. */
  readonly suffix: string
}

export interface PeerPlan {
  /** Own addresses and exits alone, before it is settled who owns a prefix that several claim. */
  readonly dataplane: DataplanePeer
  readonly magicsock: MagicsockPeer
  readonly usable: boolean
  /** Networks behind it; absent: none. */
  readonly offer: RouteOffer | undefined
  /** Wall time; Infinity = never. */
  readonly expiresAtMs: number
}

const SERVICE_PREFIXES: ReadonlySet<string> = new Set(SERVICE_IPS.map(hostPrefix))

/** The plan of a node; its parts are those of `before` where they are equal. */
export function planPeer(node: Node, context: PeerContext, before: PeerPlan | undefined): PeerPlan {
  const key = parseNodeKey(node.Key)
  const disco = node.DiscoKey !== undefined && !isZeroKey(node.DiscoKey) ? parseDiscoKey(node.DiscoKey) : undefined
  const homeDerp = node.HomeDERP ?? 0
  const endpoints = (node.Endpoints ?? []).map(parseAddrPort).filter((at): at is AddrPort => at !== undefined)
  const isBare = node.IsWireGuardOnly === true
  const isReachable = isBare ? endpoints.length > 0 : disco !== undefined || homeDerp !== 0
  const { sources, networks } = prefixesOf(node, context)
  const dataplane: DataplanePeer = { key: key!, allowedSources: sources, routes: sources, jailed: node.IsJailed === true, ...(isBare ? { bare: true } : {}) }
  const magicsock: MagicsockPeer = {
    id: node.ID, key: key!, disco: isBare ? undefined : disco, endpoints, homeDerp: isBare ? 0 : homeDerp, ip: addressesOf(node)[0] ?? '',
    name: shortName(node, context.suffix), expired: false,
    ...(isBare ? { wireGuardOnly: true } : {}),
    ...(!isBare && (node.Cap ?? 0) >= RELAY_CAPVER ? { canPeerRelay: true } : {}),
  }
  const trouble = node.Expired === true ? SIGNED_OUT : key === undefined || isZeroKey(key) || !isReachable ? 'cannot be reached' : isMasqueraded(node) ? 'knows this device by another address' : undefined
  return {
    usable: trouble === undefined,
    expiresAtMs: expiryOf(node),
    offer: offerOf(node, networks, magicsock.name, trouble, before?.offer),
    dataplane: before && sameDataplane(before.dataplane, dataplane) ? before.dataplane : dataplane,
    magicsock: before && sameMagicsock(before.magicsock, magicsock) ? before.magicsock : magicsock,
  }
}

/** Whether the node knows us by another address than our own. */
function isMasqueraded(node: Node): boolean {
  return Boolean(node.SelfNodeV4MasqAddrForThisPeer) || Boolean(node.SelfNodeV6MasqAddrForThisPeer)
}

/** Wall time at which a node's key ends; Infinity when it never does. */
export function expiryOf(node: Node): number {
  if (node.KeyExpiry === undefined || node.KeyExpiry === ZERO_TIME) return Infinity
  const at = Date.parse(node.KeyExpiry)
  return Number.isNaN(at) ? Infinity : at
}

/** Why a device whose sign-in has ended carries nothing. */
export const SIGNED_OUT = 'has to sign in again'

/** `sources`: own addresses, then exits. */
function prefixesOf(node: Node, { exitNodeId, selfAddresses }: PeerContext): { readonly sources: readonly string[]; readonly networks: readonly string[] } {
  const own: string[] = []
  for (const address of node.Addresses ?? []) {
    const read = readPrefix(address)
    if (read?.isOwn === true && !coversOwn(read.prefix, selfAddresses) && !own.includes(read.prefix)) own.push(read.prefix)
  }
  const exits: string[] = []
  const networks = new Set<string>()
  const isExitNode = exitNodeId !== '' && node.StableID === exitNodeId
  for (const text of node.UnsignedPeerAPIOnly === true ? [] : (node.AllowedIPs ?? [])) {
    // Most nodes repeat their addresses here, letter by letter.
    if (own.includes(text)) continue
    const prefix = readPrefix(text)?.prefix
    if (prefix === undefined || own.includes(prefix)) continue
    if (!DEFAULT_ROUTES.includes(prefix)) networks.add(prefix)
    else if (isExitNode && !exits.includes(prefix)) exits.push(prefix)
  }
  return { sources: [...own.sort(), ...exits.sort()], networks: networks.size === 0 ? NONE : [...networks].sort() }
}

const NONE: readonly string[] = []

/** What a node offers, undefined: nothing; the object of `before` where that says the same. */
function offerOf(node: Node, prefixes: readonly string[], name: string, trouble: string | undefined, before: RouteOffer | undefined): RouteOffer | undefined {
  const advertised = networksIn(node.Hostinfo?.RoutableIPs)
  if (prefixes.length === 0 && advertised.length === 0) return undefined
  const primary = networksIn(node.PrimaryRoutes)
  const online = node.Online !== false
  const isSame = before && before.stableId === node.StableID && before.name === name && before.online === online && before.trouble === trouble && sameItems(before.prefixes, prefixes) && sameItems(before.primary, primary) && sameItems(before.advertised, advertised)
  return isSame ? before : { id: node.ID, stableId: node.StableID, name, online, prefixes, primary, advertised, ...(trouble === undefined ? {} : { trouble }) }
}

/** Networks of a list, sorted: what is no prefix, and default routes, left out. */
function networksIn(list: readonly string[] | null | undefined): readonly string[] {
  if (!list || list.length === 0) return NONE
  const found = new Set(list.map(canonical).filter((prefix) => prefix !== undefined))
  for (const prefix of DEFAULT_ROUTES) found.delete(prefix)
  return found.size === 0 ? NONE : [...found].sort()
}

/** "ip/bits" in canonical text; undefined when it is none or has host bits. The same text where it is canonical. */
export function canonical(text: string): string | undefined {
  return readPrefix(text)?.prefix
}

/** `isOwn`: a single address of the network's own range; anything else that a node has is a route. */
function readPrefix(text: string): { readonly prefix: string; readonly isOwn: boolean } | undefined {
  const slash = text.indexOf('/')
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash))
  const bits = bytes && (slash < 0 ? bytes.length * 8 : readBits(text, slash + 1, bytes.length * 8))
  if (bytes === undefined || bits === undefined || hasHostBits(bytes, bits)) return undefined
  const said = `${formatIp(bytes)}/${bits}`
  const prefix = said === text ? text : said
  return { prefix, isOwn: bits === bytes.length * 8 && isTailscaleBytes(bytes) && !SERVICE_PREFIXES.has(prefix) }
}

function hasHostBits(bytes: Uint8Array, bits: number): boolean {
  for (let bit = bits; bit < bytes.length * 8; bit++) if ((bytes[bit >> 3]! & (128 >> (bit & 7))) !== 0) return true
  return false
}

function coversOwn(prefix: string, selfAddresses: readonly string[]): boolean {
  return selfAddresses.some((ip) => prefix === hostPrefix(ip))
}

function sameDataplane(a: DataplanePeer, b: DataplanePeer): boolean {
  return a.key === b.key && a.jailed === b.jailed && a.bare === b.bare && sameItems(a.allowedSources, b.allowedSources) && sameItems(a.routes, b.routes)
}

function sameMagicsock(a: MagicsockPeer, b: MagicsockPeer): boolean {
  return a.id === b.id && a.key === b.key && a.disco === b.disco && a.homeDerp === b.homeDerp && a.ip === b.ip && a.name === b.name
    && a.expired === b.expired && a.wireGuardOnly === b.wireGuardOnly && a.canPeerRelay === b.canPeerRelay
    && a.endpoints.length === b.endpoints.length && a.endpoints.every((at, i) => at.ip === b.endpoints[i]!.ip && at.port === b.endpoints[i]!.port)
}

export function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => item === b[i]))
}
