/**
 * Which settings are refused: those that are impossible in themselves, contradict each other, or name this device where
 * another one is meant. A reason says what, where and what to do; text that came from elsewhere is quoted cut short.
 *
 * Source: the checks of tailscale's ipnlocal and of its command line (1.102.5); test/vectors/localapi/check-prefs-*.json.
 */
import { hasDefaultRoutes, networkOf, parseIp, parsePrefix } from '../base/ip.ts'
import { addressesOf } from '../core/plan/names.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { Prefs } from '../../localapi/types.ts'

const MAX_TEXT = 4096
const MAX_ITEMS = 10_000
const MAX_URL = 2048
const NETFILTER_KINDS: readonly string[] = ['', 'auto', 'iptables', 'nftables']

/** What the settings are checked against. */
export interface PrefsContext {
  /** This device, once the server has told it. */
  readonly self?: Node | undefined
  /** Whether the computer has a user of this name; absent where that cannot be told. */
  readonly knowsUser?: ((name: string) => boolean) | undefined
}

/**
 * Why prefs cannot be taken, in words for a person, or undefined. What `before` had already is no reason: an old fault must
 * not stand in the way of every other change.
 */
export function checkPrefs(prefs: Prefs, context: PrefsContext = {}, before?: Prefs): string | undefined {
  const known = before ? faultsOf(before, context) : []
  return faultsOf(prefs, context).find((fault) => !known.includes(fault))
}

function faultsOf(prefs: Prefs, { self, knowsUser }: PrefsContext): string[] {
  const all = [
    checkSizes(prefs), checkExitNode(prefs, self), checkRoutes(prefs.AdvertiseRoutes ?? []), checkTags(prefs.AdvertiseTags ?? []), checkChoices(prefs),
    checkHostname(prefs.Hostname), checkOperator(prefs.OperatorUser ?? '', knowsUser), checkServerAddress(prefs.ControlURL),
  ]
  return all.filter((fault) => fault !== undefined)
}

/** Why a text cannot be the address of a server, or undefined; "" stands for none. */
export function checkServerAddress(text: string): string | undefined {
  if (text === '') return undefined
  if (!/^https?:\/\/[^\s/]/.test(text)) return `The server address ${quoted(text)} must start with http:// or https://`
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {
    // Told below.
  }
  // What stands before the "@" may be a password: it is not quoted.
  if (url && (url.username !== '' || url.password !== '')) return 'The server address must not hold a user name or a password. Leave out what stands before the "@".'
  // eslint-disable-next-line no-control-regex
  if (!url || text.length > MAX_URL || /[\u0000-\u0020\u007f]/.test(text)) return `The server address ${quoted(text)} is not one that can be reached. It looks like https://headscale.example.com`
  return undefined
}

function checkSizes(prefs: Prefs): string | undefined {
  for (const [field, value] of Object.entries(prefs)) {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value]
    if (items.length > MAX_ITEMS) return `${field} has more than ${MAX_ITEMS} entries. Shorten it.`
    if (items.some((item) => typeof item === 'string' && item.length > MAX_TEXT)) return `${field} is longer than ${MAX_TEXT} characters. Shorten it.`
  }
  return undefined
}

function checkExitNode(prefs: Prefs, self: Node | undefined): string | undefined {
  const uses = prefs.ExitNodeID !== '' || prefs.ExitNodeIP !== ''
  if (uses && hasDefaultRoutes(prefs.AdvertiseRoutes)) return 'Cannot advertise an exit node and use an exit node at the same time.'
  if (prefs.ExitNodeIP !== '' && parseIp(prefs.ExitNodeIP) === undefined) return `ExitNodeIP ${quoted(prefs.ExitNodeIP)} is not an IP address. Give the address of another device of the network.`
  const isSelf = self && (addressesOf(self).includes(prefs.ExitNodeIP) || (prefs.ExitNodeID !== '' && prefs.ExitNodeID === self.StableID))
  return isSelf ? 'This device cannot be its own exit node. Choose another device, or offer this one with --advertise-exit-node.' : undefined
}

function checkRoutes(routes: readonly string[]): string | undefined {
  for (const route of routes) {
    const prefix = parsePrefix(route)
    if (!prefix || !route.includes('/')) return `route ${quoted(route)} is not a prefix such as 10.0.0.0/24`
    const masked = networkOf(prefix.ip, prefix.bits)
    if (masked !== `${prefix.ip}/${prefix.bits}`) return `route ${route} has non-address bits set; expected ${masked}`
  }
  return undefined
}

function checkTags(tags: readonly string[]): string | undefined {
  const bad = tags.find((tag) => !/^tag:[A-Za-z][A-Za-z0-9-]*$/.test(tag))
  return bad === undefined ? undefined : `The tag ${quoted(bad)} is not one: a tag is "tag:" and a name of letters, digits and hyphens that begins with a letter, such as tag:server`
}

function checkChoices(prefs: Prefs): string | undefined {
  if (prefs.RunSSH) return 'This engine has no SSH server yet; leave --ssh off.'
  if (![0, 1, 2].includes(prefs.NetfilterMode)) return `NetfilterMode ${prefs.NetfilterMode} is unknown. Give 0 (off), 1 (nodivert) or 2 (on).`
  if (!NETFILTER_KINDS.includes(prefs.NetfilterKind)) return `NetfilterKind ${quoted(prefs.NetfilterKind)} is unknown. Give auto, iptables or nftables.`
  if (!['', 'any'].includes(prefs.AutoExitNode ?? '')) return `AutoExitNode ${quoted(prefs.AutoExitNode!)} is unknown. Give any, or nothing.`
  const port: unknown = prefs.RelayServerPort ?? 0
  return Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535 ? undefined : 'RelayServerPort must be a port, 0 to 65535.'
}

function checkHostname(name: string): string | undefined {
  if (name.length <= 63 && /^[A-Za-z0-9._-]*$/.test(name)) return undefined
  return `The host name ${quoted(name)} cannot be used: at most 63 letters, digits, dots and hyphens.`
}

function checkOperator(name: string, knowsUser: PrefsContext['knowsUser']): string | undefined {
  if (name === '' || !knowsUser || knowsUser(name)) return undefined
  return `This computer has no user ${quoted(name)} to be the operator. Give the name of one in /etc/passwd.`
}

/** Somebody else's text inside a sentence. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
