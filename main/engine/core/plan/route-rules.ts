/**
 * What may become of a network that others offer, whoever carries it: used, or why not. Pure; one judgement a prefix, kept
 * while the rules stay.
 *
 *   refused        it claims addresses that are not its to give: the network's own range, ours, those that never leave a machine
 *   not-accepted   networks behind devices are not used here at all
 *   skipped        a person said so
 *   overlaps       this machine is on it (or on a larger one around it) itself, or offers it: using it would cut that off
 *
 * A network that contains one of this machine's own is used: the own one is more specific, and stays local (`stayLocal`).
 * A further single address of a device in the network's range is the device's own and needs nobody's choice.
 * 4via6 prefixes (fd7a:115c:a1e0:b1a::/64 with a site and some bits of IPv4) lie in the network's range and are routes all the same.
 *
 * Source: control facts §9.2, dataplane facts §9 and §9.1.
 */
import { isTailscaleBytes, parseIp, parsePrefix, prefixContains, SERVICE_IPS, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { Prefix } from '../../base/ip.ts'
import type { LocalNetwork } from './system-facts.ts'

/** A place that our own sockets speak with, outside any tunnel. */
export interface OutsidePlace {
  readonly ip: string
  /** "the server", "the relay fra". */
  readonly name: string
}

export interface RouteWishes {
  readonly accept: boolean
  /** Canonical texts. */
  readonly skipped: readonly string[]
  readonly selfAddresses: readonly string[]
  readonly local: readonly LocalNetwork[]
  /** What this device offers itself, canonical. */
  readonly advertised: readonly string[]
  readonly outside: readonly OutsidePlace[]
}

export type Judgement =
  /** `note`: what to know beside who carries it; "" mostly. */
  | { readonly state: 'used'; readonly note: string }
  /** `near`: the interface of this machine's own network in the way. */
  | { readonly state: 'not-accepted' | 'skipped' | 'overlaps' | 'refused'; readonly why: string; readonly near?: string }

const RANGES = TAILSCALE_RANGES.map((text) => parsePrefix(text)!)
const VIA = parsePrefix('fd7a:115c:a1e0:b1a::/64')!
/** From here on a 4via6 prefix names one site. */
const VIA_MIN_BITS = 96
const NEVER = (
  [
    ['127.0.0.0/8', 'these addresses never leave a computer'], ['::1/128', 'these addresses never leave a computer'],
    ['0.0.0.0/8', 'these addresses belong to no computer'], ['::/128', 'these addresses belong to no computer'],
    ['169.254.0.0/16', 'these addresses mean something else on every link'], ['fe80::/10', 'these addresses mean something else on every link'],
    ['224.0.0.0/4', 'these are addresses of groups, which no device carries'], ['ff00::/8', 'these are addresses of groups, which no device carries'],
  ] as const
).map(([text, why]) => ({ prefix: parsePrefix(text)!, why }))

export class RouteRules {
  readonly #wishes: RouteWishes
  readonly #skipped: ReadonlySet<string>
  readonly #advertised: ReadonlySet<string>
  readonly #local: readonly { readonly prefix: Prefix; readonly of: LocalNetwork }[]
  readonly #known = new Map<string, Judgement>()

  constructor(wishes: RouteWishes) {
    this.#wishes = wishes
    this.#skipped = new Set(wishes.skipped)
    this.#advertised = new Set(wishes.advertised)
    this.#local = wishes.local.map((of) => ({ prefix: parsePrefix(of.prefix)!, of }))
  }

  /** `text` is canonical and no default route. */
  judge(text: string): Judgement {
    let known = this.#known.get(text)
    if (!known) this.#known.set(text, (known = this.#judge(text, parsePrefix(text)!)))
    return known
  }

  #judge(text: string, prefix: Prefix): Judgement {
    const refused = refusalOf(prefix, this.#wishes.selfAddresses)
    if (refused !== undefined) return { state: 'refused', why: refused }
    if (isDeviceAddress(text)) return { state: 'used', note: '' }
    if (!this.#wishes.accept) return { state: 'not-accepted', why: 'networks behind devices are not used on this computer' }
    if (this.#skipped.has(text)) return { state: 'skipped', why: 'skipped by you' }
    if (this.#advertised.has(text)) return { state: 'overlaps', why: 'this computer offers it itself' }
    const around = this.#local.find((local) => isInside(prefix, local.prefix))
    if (around) return { state: 'overlaps', why: `this computer is on ${around.of.prefix} itself (${around.of.interface})`, near: around.of.interface }
    return { state: 'used', note: this.#note(prefix) }
  }

  #note(prefix: Prefix): string {
    const inside = this.#local.filter((local) => isInside(local.prefix, prefix)).map(({ of }) => `${of.prefix} (${of.interface})`)
    const places = this.#wishes.outside.filter(({ ip }) => prefixContains(prefix, ip)).map(({ name, ip }) => `${name} at ${ip}`)
    return [
      ...(inside.length > 0 ? [`${few(inside)} in it ${inside.length === 1 ? 'stays' : 'stay'} local`] : []),
      ...(places.length > 0 ? [`Bowline itself still reaches ${few(places)} past it`] : []),
    ].join('; ')
  }
}

/** At most three of a list. */
function few(all: readonly string[]): string {
  return all.length <= 3 ? all.join(' and ') : `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`
}

function refusalOf(prefix: Prefix, selfAddresses: readonly string[]): string | undefined {
  const range = RANGES.find((one) => isInside(one, prefix))
  if (range) return `it would take ${textOf(range)}, the range of the devices themselves`
  const mine = [...SERVICE_IPS, ...selfAddresses].find((ip) => prefixContains(prefix, ip))
  if (mine !== undefined) return SERVICE_IPS.includes(mine) ? `it would take ${mine}, where every device answers for itself` : `it would take ${mine}, an address of this device`
  // A single address of the range is one that a device has beside its own; whose it is, is known to the book of routes.
  if (isInRange(prefix) && !isSingle(prefix) && !(isInside(prefix, VIA) && prefix.bits >= VIA_MIN_BITS)) return 'it claims a part of the range of the devices themselves'
  return NEVER.find((never) => isInside(prefix, never.prefix))?.why
}

/** Whether a single address of the network's own range, that no 4via6 site is: it may be a device's own. */
export function isDeviceAddress(text: string): boolean {
  const prefix = parsePrefix(text)!
  return isSingle(prefix) && isInRange(prefix) && !isInside(prefix, VIA)
}

function isInRange({ ip }: Prefix): boolean {
  return isTailscaleBytes(parseIp(ip)!)
}

function isSingle({ ip, bits }: Prefix): boolean {
  return bits === (ip.includes(':') ? 128 : 32)
}

function isInside(inner: Prefix, outer: Prefix): boolean {
  return inner.bits >= outer.bits && prefixContains(outer, inner.ip)
}

function textOf({ ip, bits }: Prefix): string {
  return `${ip}/${bits}`
}
