/**
 * How names are resolved, and who answered one: the pages that the window and the command line show.
 *
 * A lookup asks every candidate and compares. A short name that a device has and the local network knows too is said: the
 * system's resolver is asked for it under the local domain, only while names may be asked of it, and never with our suffix.
 */
import { canonicalIp, isIp4, parseIp } from '../base/ip.ts'
import { candidatesOf } from '../core/dns/search.ts'
import { isInside, nameProblem, plainName, RCODE, rcodeName, TYPE } from '../core/dns/message.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { trimDot } from '../core/plan/names.ts'
import type { DnsResolver } from '../core/tailcfg/types.ts'
import type { Asked, DnsOutcome } from '../dns/outcome.ts'
import type { DnsAnswerView, DnsAttempt, DnsLookupPage, DnsPage, DnsRouteView, ResolverView } from '../../localapi/dns-page.ts'
import type { MachineNames } from '../../localapi/machine.ts'
import type { Model } from './model.ts'
import type { PathViews } from './path-views.ts'
import type { BackendDeps } from './ports.ts'

const NOT_TAKEN: NonNullable<DnsPage['SystemNames']> = { Through: 'none', All: false, Domains: [], Own: [] }
const PROGRAMS: Readonly<Partial<Record<MachineNames['Through'], string>>> = { 'network-manager': 'NetworkManager', file: 'resolv.conf', system: 'the system' }
const UNTOUCHED = "this computer's own programs resolve names as without Bowline; names of the network work in its proxies and forwards"
const MAX_DOMAINS_SAID = 3
const MAX_LOCAL_DOMAINS = 3
const MAX_REMEMBERED = 20
const HERE: ResolverView = { Addr: '', By: 'here' }

export class DnsPages {
  readonly #deps: Pick<BackendDeps, 'dns' | 'env' | 'machine'>
  readonly #model: Model
  readonly #pathViews: PathViews
  /** Names that two answer, as lookups met them. */
  readonly #twice = new Map<string, string>()

  constructor(deps: Pick<BackendDeps, 'dns' | 'env' | 'machine'>, model: Model, pathViews: PathViews) {
    this.#deps = deps
    this.#model = model
    this.#pathViews = pathViews
  }

  page(): DnsPage {
    const { dns } = this.#deps
    const { plan, told } = dns
    const silent = [...told.silent()].map(([addr, why]) => `The resolver ${addr} gave no answer when it was last asked: ${why}.`)
    const routes: DnsRouteView[] = plan.routes.map(({ suffix, resolvers, why }) => ({ Suffix: suffix, Resolvers: this.#views(dns.views(resolvers)), Why: why }))
    const rest = this.#rest()
    const refused = [...routes, rest].flatMap(({ Suffix, Resolvers }) => Resolvers.flatMap(({ Addr, Refused }) => (Refused === undefined || Addr === '' ? [] : [`The resolver ${Addr} for ${Suffix === '' ? 'all other names' : `names in ${Suffix}`} is not asked: ${Refused}.`])))
    const taken = this.#systemNames()
    return {
      Enabled: plan.enabled, MagicDNS: plan.magic, Suffix: plan.suffix, SelfName: this.#model.netMap ? trimDot(this.#model.netMap.self.Name) : '', Search: plan.search,
      Routes: [...routes, rest], System: systemWords(taken), SystemNames: taken, Notes: [...refused, ...silent, ...this.#twice.values()], Counters: told.counters(),
    }
  }

  /** Looks a name up and compares all who answer. Rejects with EngineError('io') for what is no name. */
  async lookup(given: string, type: number, typeWord: string): Promise<DnsLookupPage> {
    const { dns } = this.#deps
    const asked = type === TYPE.PTR ? (reverseOf(given) ?? given) : given
    const problem = nameProblem(asked)
    if (problem !== undefined) throw new EngineError('io', problem)
    const names = candidatesOf(dns.plan, asked)
    const attempts: DnsAttempt[] = []
    const notes: string[] = []
    let used: { readonly name: string; readonly outcome: DnsOutcome } | undefined
    for (const name of names) {
      const startedMs = this.#deps.env.clock.nowMs()
      const outcome = await dns.ask(name, type, { compare: true })
      used = { name, outcome }
      const isLast = outcome.rcode !== RCODE.noSuchName || name === names.at(-1)
      attempts.push(...this.#attempts(outcome, this.#deps.env.clock.nowMs() - startedMs, isLast))
      notes.push(...outcome.notes)
      if (isLast) break
      notes.push(`There is no ${name}, of which ${plainName(asked)} could be short.`)
    }
    if (used === undefined || (used.outcome.rcode === RCODE.noSuchName && !plainName(asked).includes('.') && dns.plan.rest.kind === 'system')) {
      const bySystem = await this.#bySystem(asked, typeWord, attempts, notes)
      if (bySystem) return bySystem
    }
    if (used === undefined) return this.#nowhere(asked, typeWord)
    notes.push(...(await this.#alsoLocal(plainName(asked), used)))
    return {
      Name: given, Full: used.name, Type: typeWord, Why: used.outcome.why, Rcode: rcodeName(used.outcome.rcode), Answers: answersOf(used.outcome.answers),
      FromCache: used.outcome.from === 'cache', Attempts: attempts, Notes: notes,
    }
  }

  #systemNames(): NonNullable<DnsPage['SystemNames']> {
    const names = this.#deps.machine?.().Names
    return names === undefined || names.Through === 'none' ? NOT_TAKEN : { Through: names.Through, All: names.All, Domains: names.Domains, Own: names.Own }
  }

  /** A name that only the system knows: its hosts file, its neighbours, its own domains. */
  async #bySystem(name: string, typeWord: string, attempts: readonly DnsAttempt[], notes: readonly string[]): Promise<DnsLookupPage | undefined> {
    if (typeWord !== 'A' && typeWord !== 'AAAA') return undefined
    const startedMs = this.#deps.env.clock.nowMs()
    try {
      const { addresses, why } = await this.#deps.dns.lookup(name)
      const fitting = addresses.filter((ip) => isIp4(ip) === (typeWord === 'A'))
      const Answers = fitting.map((Data) => ({ Name: plainName(name), Type: typeWord, TTL: 0, Data }))
      const attempt: DnsAttempt = { Who: { Addr: 'this computer', By: 'system' }, Rcode: 'NOERROR', Answers, LatencyMs: this.#deps.env.clock.nowMs() - startedMs, Used: true }
      return { Name: name, Full: plainName(name), Type: typeWord, Why: why, Rcode: 'NOERROR', Answers, FromCache: false, Attempts: [...attempts.map((one) => ({ ...one, Used: false })), attempt], Notes: notes }
    } catch (error) {
      this.#deps.env.log.part('dns').debug('the system does not know a name', { error: errorText(error) })
      return undefined
    }
  }

  #nowhere(name: string, typeWord: string): DnsLookupPage {
    return {
      Name: name, Full: plainName(name), Type: typeWord, Why: 'a name of one label that no device of the network has, and there is no search domain to add', Rcode: 'NXDOMAIN', Answers: [],
      FromCache: false, Attempts: [], Notes: [],
    }
  }

  /** Whether the local network calls something else by a short name that was answered without it. */
  async #alsoLocal(short: string, { name, outcome }: { readonly name: string; readonly outcome: DnsOutcome }): Promise<readonly string[]> {
    const { dns } = this.#deps
    const { plan } = dns
    if (short === '' || short.includes('.') || outcome.answers.length === 0 || plan.rest.kind !== 'system') return []
    const domains = dns.systemSearch().filter((domain) => !plan.search.includes(domain) && (plan.suffix === '' || !isInside(domain, plan.suffix))).slice(0, MAX_LOCAL_DOMAINS)
    const found = await Promise.all(domains.map(async (domain) => ({ full: `${short}.${domain}`, local: await dns.ask(`${short}.${domain}`, TYPE.A) })))
    return found.flatMap(({ full, local }) => {
      const said = local.answers.filter(({ type }) => type === 'A').map(({ data }) => data)
      const mine = outcome.answers.map(({ data }) => data)
      if (local.from === 'here' || said.every((ip) => mine.includes(ip))) return []
      const note = `The local network has ${full} (${said.join(', ')}) by this name too; here ${short} is ${name.includes('.') ? name : `${name}.${plan.suffix}`}.`
      this.#twice.delete(short)
      if (this.#twice.size >= MAX_REMEMBERED) this.#twice.delete(this.#twice.keys().next().value!)
      this.#twice.set(short, note)
      return [note]
    })
  }

  #attempts({ attempts, from, rcode, answers, why }: DnsOutcome, latencyMs: number, isLast: boolean): readonly DnsAttempt[] {
    if (from === 'here') return [{ Who: HERE, Rcode: rcodeName(rcode), Answers: answersOf(answers), LatencyMs: latencyMs, Used: isLast }]
    if (attempts.length === 0) return [{ Who: HERE, Answers: [], Failed: why, Used: false }]
    return attempts.map((attempt) => ({
      Who: this.#view(attempt.who),
      ...(attempt.rcode === undefined ? {} : { Rcode: rcodeName(attempt.rcode) }),
      Answers: answersOf(attempt.answers),
      ...(attempt.latencyMs === undefined ? {} : { LatencyMs: attempt.latencyMs }),
      ...(attempt.failed === undefined ? {} : { Failed: attempt.failed }),
      Used: attempt.used && isLast,
    }))
  }

  #rest(): DnsRouteView {
    const { dns } = this.#deps
    const { rest } = dns.plan
    const of = (resolvers: readonly DnsResolver[]): readonly ResolverView[] => this.#views(dns.views(resolvers))
    if (rest.kind === 'blocked') return { Suffix: '', Resolvers: [{ Addr: '', By: 'exit-node', Refused: rest.why }], Why: rest.why }
    if (rest.kind === 'system') return { Suffix: '', Resolvers: this.#views(dns.views(dns.systemResolvers().map((Addr) => ({ Addr })), 'system')), Why: rest.why }
    return { Suffix: '', Resolvers: of(rest.kind === 'exit-node' ? [{ Addr: rest.url }] : rest.resolvers), Why: rest.why }
  }

  #views(asked: readonly Asked[]): readonly ResolverView[] {
    return asked.map((one) => this.#view(one))
  }

  #view({ addr, by, through, refused }: Asked): ResolverView {
    const node = through === undefined ? undefined : this.#pathViews.find(through)
    return {
      Addr: addr, By: by,
      ...(through === undefined ? {} : { Through: through }),
      ...(node ? { Path: this.#pathViews.page(node).kind } : {}),
      ...(refused === undefined ? {} : { Refused: refused }),
    }
  }
}

/** Whom this computer's own programs ask, in one sentence. */
function systemWords({ Through, All, Domains, Own }: NonNullable<DnsPage['SystemNames']>): string {
  if (Through === 'none') return UNTOUCHED
  const own = Own.length === 0 ? "; this computer's own resolvers are not known" : `; its own resolvers are ${Own.join(', ')}`
  const what = All ? 'every name' : Domains.length === 0 ? 'no name' : `names in ${shortened(Domains)}`
  return `this computer's own programs ask Bowline for ${what}, through ${PROGRAMS[Through] ?? Through}${own}`
}

function shortened(domains: readonly string[]): string {
  const shown = domains.slice(0, MAX_DOMAINS_SAID).join(', ')
  return domains.length > MAX_DOMAINS_SAID ? `${shown} and ${domains.length - MAX_DOMAINS_SAID} more` : shown
}

function answersOf(records: DnsOutcome['answers']): readonly DnsAnswerView[] {
  return records.map(({ name, type, ttlSeconds, data }) => ({ Name: name, Type: type, TTL: ttlSeconds, Data: data }))
}

/** The name under which an address is looked up backwards; undefined when the text is none. */
function reverseOf(text: string): string | undefined {
  const ip = canonicalIp(text)
  const bytes = ip === undefined ? undefined : parseIp(ip)
  if (!bytes) return undefined
  if (bytes.length === 4) return `${[...bytes].toReversed().join('.')}.in-addr.arpa`
  return `${[...bytes].flatMap((byte) => [byte >> 4, byte & 15]).map((digit) => digit.toString(16)).toReversed().join('.')}.ip6.arpa`
}
