/**
 * Addresses of the engine's own hosts (control, relays, proxies) while the whole computer is on the tunnel: the system's way would ask
 * us, or go into the tunnel, and in a circle. This asks the computer's own resolvers itself, past the tunnel, as the system would.
 *
 *   hosts file → name (and, where it has no such, name.search …) → A and AAAA at once → CNAME chain → addresses
 *
 * Resolvers are asked in their order, the next beside the first after a second or at once after a failure; the one that answered is the
 * first next time. "No such name" counts from whoever says it first; a failure counts when nobody says better.
 * Names below .local are the system's to find (its neighbours), which asks no resolver for them.
 *
 * Faults have the codes of the system's own lookup: ENOTFOUND, ENODATA, ESERVFAIL.
 */
import type { Env } from '../base/env.ts'
import { isDecodeError } from '../base/errors.ts'
import { formatAddrPort, isIp4 } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { inHostsFile, type HostsFile } from '../core/dns/hosts-file.ts'
import { isInside, nameProblem, plainName, RCODE, TYPE } from '../core/dns/message.ts'
import { isOurselves } from '../core/plan/dns.ts'
import { encodeQuery } from './codec.ts'
import { askPlain, type Exchange, type Message } from './exchange.ts'
import type { Carrier } from './ports.ts'
import { placeOf } from './targets.ts'
import { walk } from './walk.ts'

/** Below what whoever asks waits, so that the fault is ours to tell. */
const LIMIT_MS = 4_500
const NEXT_SERVER_MS = 1_000
/** How long the other family is waited for behind the first (RFC 8305). */
const OTHER_FAMILY_MS = 50
const MAX_SERVERS = 6
const MAX_ALIASES = 8
const MAX_SEARCH = 6

export interface OwnLookupDeps {
  readonly env: Env
  /** By this computer's own network, past the tunnel. */
  readonly carrier: Carrier
  /** The computer's own resolvers ("ip" or "ip:port") and search domains, without us among them. */
  readonly own: () => { readonly servers: readonly string[]; readonly search: readonly string[] }
  readonly hosts: () => HostsFile
  /** Whether this network has a way to the world by IPv6: its addresses go first then. */
  readonly hasIpv6: () => boolean
  readonly neighbours: (host: string, family: 0 | 4 | 6) => Promise<readonly { readonly address: string }[]>
}

type Fault = 'ENOTFOUND' | 'ENODATA' | 'ESERVFAIL'

export class OwnLookup {
  readonly #deps: OwnLookupDeps
  /** The resolver that answered last. */
  #good: string | undefined

  constructor(deps: OwnLookupDeps) {
    this.#deps = deps
  }

  /** Addresses in the order in which they are to be tried. Rejects with an Error that has one of the codes. */
  async lookup(host: string, family: 0 | 4 | 6): Promise<readonly { readonly address: string }[]> {
    const inFile = inHostsFile(this.#deps.hosts(), host)?.filter((address) => isOf(address, family))
    if (inFile !== undefined && inFile.length > 0) return inFile.map((address) => ({ address }))
    if (nameProblem(host) !== undefined || plainName(host) === '') throw fault('ENOTFOUND', host)
    if (isInside(plainName(host), 'local')) return this.#deps.neighbours(host, family)
    let first: Fault | undefined
    for (const name of this.#names(host)) {
      const found = await this.#find(name, family, 0)
      if (typeof found !== 'string') return found.map((address) => ({ address }))
      if (found === 'ESERVFAIL') throw fault(found, host)
      first ??= found
    }
    throw fault(first ?? 'ENOTFOUND', host)
  }

  #names(host: string): readonly string[] {
    const name = plainName(host)
    if (host.endsWith('.')) return [name]
    const longer = this.#deps.own().search.slice(0, MAX_SEARCH).map((domain) => `${name}.${plainName(domain)}`).filter((one) => nameProblem(one) === undefined)
    return [...new Set(name.includes('.') ? [name, ...longer] : [...longer, name])]
  }

  async #find(name: string, family: 0 | 4 | 6, depth: number): Promise<readonly string[] | Fault> {
    const types = [...(family === 4 ? [] : [TYPE.AAAA]), ...(family === 6 ? [] : [TYPE.A])]
    const answers = await this.#settled(types.map((type) => this.#ask(name, type)))
    const addresses = answers.flatMap((one) => (typeof one === 'string' ? [] : one.addresses))
    if (addresses.length > 0) return this.#deps.hasIpv6() ? addresses : addresses.toSorted((a, b) => Number(isIp4(b)) - Number(isIp4(a)))
    const alias = answers.flatMap((one) => (typeof one === 'string' || one.end === name ? [] : [one.end]))[0]
    if (alias !== undefined && depth < MAX_ALIASES) return this.#find(alias, family, depth + 1)
    const faults = answers.filter((one) => typeof one === 'string')
    return faults.includes('ESERVFAIL') ? 'ESERVFAIL' : faults.length === answers.length && faults.length > 0 ? faults[0]! : 'ENODATA'
  }

  /** All answers; of two the second is waited for no longer than a moment once the first has addresses. */
  async #settled(asked: readonly Promise<Found | Fault>[]): Promise<readonly (Found | Fault)[]> {
    const known: (Found | Fault | undefined)[] = asked.map(() => undefined)
    let cancel = (): void => {}
    await new Promise<void>((resolve) => {
      let left = asked.length
      for (const [i, one] of asked.entries()) {
        void one.then((found) => {
          known[i] = found
          if (--left === 0) resolve()
          else if (typeof found !== 'string' && found.addresses.length > 0) cancel = this.#deps.env.clock.after(OTHER_FAMILY_MS, resolve)
        })
      }
    })
    cancel()
    return known.filter((one) => one !== undefined)
  }

  /** One question to the resolvers, never rejecting. */
  #ask(name: string, type: number): Promise<Found | Fault> {
    const servers = this.#servers()
    const bytes = encodeQuery(0, { name, type })
    const bones = walk(bytes)
    if (servers.length === 0 || isDecodeError(bones)) return Promise.resolve('ESERVFAIL')
    return new Asking(this.#deps, servers, { bytes, bones }, type, (server) => (this.#good = server)).outcome
  }

  #servers(): readonly AddrPort[] {
    const places = this.#deps.own().servers.flatMap((text) => placeOf(text) ?? []).filter(({ ip }) => !isOurselves(ip, [])).slice(0, MAX_SERVERS)
    const good = places.find((at) => formatAddrPort(at) === this.#good)
    return good ? [good, ...places.filter((at) => at !== good)] : places
  }
}

interface Found {
  readonly addresses: readonly string[]
  /** Where the aliases of the answer end. */
  readonly end: string
}

/** One question on its way to several resolvers. */
class Asking {
  readonly outcome: Promise<Found | Fault>
  readonly #deps: OwnLookupDeps
  readonly #query: Message
  readonly #type: number
  readonly #waiting: AddrPort[]
  readonly #open = new Set<Exchange>()
  readonly #good: (server: string) => void
  #settle: ((found: Found | Fault) => void) | undefined
  #cancelNext = (): void => {}
  readonly #cancelLimit: () => void

  constructor(deps: OwnLookupDeps, servers: readonly AddrPort[], query: Message, type: number, good: (server: string) => void) {
    this.#deps = deps
    this.#query = query
    this.#type = type
    this.#waiting = [...servers]
    this.#good = good
    this.outcome = new Promise((resolve) => (this.#settle = resolve))
    this.#cancelLimit = deps.env.clock.after(LIMIT_MS, () => this.#over('ESERVFAIL'))
    this.#next()
  }

  #next(): void {
    this.#cancelNext()
    const at = this.#waiting.shift()
    if (at === undefined) return this.#open.size === 0 ? this.#over('ESERVFAIL') : undefined
    const exchange = askPlain(this.#deps.carrier, at, this.#query, { env: this.#deps.env, limitMs: LIMIT_MS, onStray: () => {} })
    this.#open.add(exchange)
    exchange.answer.then((message) => this.#answered(at, exchange, message), () => this.#failed(exchange))
    if (this.#waiting.length > 0) this.#cancelNext = this.#deps.env.clock.after(NEXT_SERVER_MS, () => this.#next())
  }

  #answered(at: AddrPort, exchange: Exchange, message: Message): void {
    const { rcode } = message.bones
    if (rcode !== RCODE.ok && rcode !== RCODE.noSuchName) return this.#failed(exchange)
    this.#good(formatAddrPort(at))
    this.#over(rcode === RCODE.noSuchName ? 'ENOTFOUND' : foundIn(message, this.#type))
  }

  #failed(exchange: Exchange): void {
    if (this.#open.delete(exchange) && this.#settle) this.#next()
  }

  #over(found: Found | Fault): void {
    const settle = this.#settle
    if (!settle) return
    this.#settle = undefined
    this.#cancelNext()
    this.#cancelLimit()
    for (const exchange of this.#open) exchange.cancel()
    settle(found)
  }
}

/** Addresses at the end of the aliases of an answer. */
function foundIn({ bones }: Message, type: number): Found {
  const records = bones.records.filter(({ section }) => section === 'answer')
  let end = bones.asked.name
  const seen = new Set<string>()
  for (let next: string | undefined = end; next !== undefined && !seen.has(next) && seen.size <= MAX_ALIASES;) {
    seen.add((end = next))
    next = records.find((record) => record.type === TYPE.CNAME && record.name === end)?.value
  }
  return { end, addresses: records.flatMap((record) => (record.name === end && record.type === type && record.value !== undefined ? [record.value] : [])) }
}

function isOf(address: string, family: 0 | 4 | 6): boolean {
  return family === 0 || isIp4(address) === (family === 4)
}

function fault(code: Fault, host: string): Error {
  return Object.assign(new Error(`${host}: ${code}`), { code })
}
