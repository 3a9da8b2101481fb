/**
 * Names: answered from the network's map, from memory, or by those whom the plan names, by the way that leads to them.
 *
 *   question → decide (core/dns) → answered here
 *                                → remembered (cache.ts) → asked of all resolvers of the route at once (forwarder.ts) → remembered
 *                                → nobody may be asked: a failure, never the system
 *
 * Equal questions under way are one. What is under way and what is remembered is bounded; another plan or another network
 * forgets all of it. Nothing of our zones ever goes upstream, and no resolver that is ourselves is asked.
 */
import { EngineError, isDecodeError } from '../base/errors.ts'
import { decide } from '../core/dns/decide.ts'
import type { Decision } from '../core/dns/decide.ts'
import { nameProblem, RCODE, rcodeName } from '../core/dns/message.ts'
import type { Question } from '../core/dns/message.ts'
import { EMPTY_DNS } from '../core/plan/dns.ts'
import type { DnsPlan } from '../core/plan/dns.ts'
import type { DnsResolver } from '../core/tailcfg/types.ts'
import { Cache } from './cache.ts'
import { answerFor, encodeFailure, encodeQuery, encodeReply, recordsOf, refuseQuery, traitsOf } from './codec.ts'
import type { Message } from './exchange.ts'
import { Forwarder } from './forwarder.ts'
import type { Forwarded } from './forwarder.ts'
import { HttpsAsker } from './https.ts'
import { lookup } from './lookup.ts'
import type { Found } from './lookup.ts'
import type { Asked, AttemptView, DnsOutcome } from './outcome.ts'
import type { ResolverDeps, ResolverFacts } from './ports.ts'
import { rebindingIn } from './rebinding.ts'
import { systemTargetOf, targetOf } from './targets.ts'
import type { Target, TargetContext } from './targets.ts'
import { Told } from './told.ts'
import { walk } from './walk.ts'

const MAX_UNDER_WAY = 256
const CLASS_IN = 1
/** Number of the questions that are asked here; nobody outside sees it. */
const OWN_ID = 1

export interface AskOptions {
  /** Who wants to know; absent: a program of this computer. */
  readonly asker?: 'program' | 'peer'
  /** Nothing remembered counts, and after the first answer the others are waited for a little: a person compares. */
  readonly compare?: boolean
}

/** Who is asked for what is not answered here. */
type Asking = Exclude<Decision, { kind: 'answer' | 'blocked' }>

interface Source {
  readonly asked: Asked
  readonly why: string
}

const COMPARE_MS = 1_500

export class Resolver {
  readonly told: Told
  readonly #deps: ResolverDeps
  readonly #cache = new Cache<Source>()
  readonly #https: HttpsAsker
  readonly #forwarder: Forwarder
  readonly #underWay = new Map<string, Promise<DnsOutcome>>()
  #facts: ResolverFacts = { wayTo: () => ({ kind: 'refused', why: 'this device is not connected' }), blocked: () => undefined, mayAskHere: () => false }
  #plan: DnsPlan = EMPTY_DNS
  #planKey = ''
  /** Another one whenever what was learnt is forgotten. */
  #times = 0
  #isStopped = false
  #asking = 0

  constructor(deps: ResolverDeps) {
    this.#deps = deps
    this.told = new Told(deps.env)
    this.#https = new HttpsAsker(deps)
    this.#forwarder = new Forwarder({ ...deps, https: this.#https, onStray: () => this.told.count('stray_answers'), asksSystem: () => this.plan.rest.kind === 'system' })
  }

  start(facts: ResolverFacts): void {
    this.#facts = facts
  }

  stop(): void {
    this.#isStopped = true
    this.flush()
  }

  /** The plan in force: while nothing may leave this computer, nobody is asked whatever it says. */
  get plan(): DnsPlan {
    const why = this.#plan.rest.kind === 'blocked' ? undefined : this.#facts.blocked()
    return why === undefined ? this.#plan : { ...this.#plan, rest: { kind: 'blocked', why } }
  }

  /** How names are resolved from here on. */
  setConfig(plan: DnsPlan): 'changed' | 'unchanged' {
    this.#plan = plan
    const key = JSON.stringify([plan.enabled, plan.magic, plan.suffix, plan.search, plan.selfAddresses, plan.routes, plan.rest])
    if (key === this.#planKey) return 'unchanged'
    this.#planKey = key
    this.flush()
    this.#deps.env.journal.add({ part: 'dns', kind: 'config', why: plan.rest.why, rest: plan.rest.kind, routes: plan.routes.length, magic: plan.magic })
    return 'changed'
  }

  /** Forgets all that was learnt: it was learnt in another network. */
  flush(): void {
    this.#times++
    this.#cache.clear()
    this.#underWay.clear()
    this.#forwarder.cancelAll()
    this.#https.close()
    this.told.forget()
  }

  /** What a name is; never rejects but with EngineError('io') for what is no name, and when too many ask at once. */
  async ask(name: string, type: number, options: AskOptions = {}): Promise<DnsOutcome> {
    const problem = nameProblem(name)
    if (problem !== undefined) throw new EngineError('io', problem)
    const bytes = encodeQuery(OWN_ID, { name, type })
    const bones = walk(bytes)
    if (isDecodeError(bones)) throw new EngineError('io', `${JSON.stringify(name)} cannot be asked for`)
    return this.#resolve({ bytes, bones }, options)
  }

  /** Addresses of a host to connect to, and who said so. Rejects with EngineError and a sentence when there are none. */
  lookup(host: string): Promise<Found> {
    return lookup({ env: this.#deps.env, resolver: this, systemLookup: this.#deps.systemLookup }, host)
  }

  /** The system's own resolvers of this moment. */
  systemResolvers(): readonly string[] {
    return this.#deps.systemResolvers()
  }

  /** Domains that the system adds to names of one label. */
  systemSearch(): readonly string[] {
    return this.#deps.systemSearch()
  }

  /**
   * The answer to a query as it came from a program; undefined: it is none, and gets no answer. For a device of the network what is not
   * ours is asked of the system, as exit nodes do, unless this device itself may not ask it.
   */
  async answer(query: Uint8Array, asker: 'program' | 'peer' = 'program'): Promise<Uint8Array | undefined> {
    const bones = walk(query)
    if (isDecodeError(bones) || bones.isAnswer) {
      this.told.count('bad_queries')
      return undefined
    }
    return (await this.#resolve({ bytes: query, bones }, { asker })).bytes
  }

  async #resolve(query: Message, options: AskOptions): Promise<DnsOutcome> {
    const { bones } = query
    this.told.count('questions')
    if (bones.opcode !== 0 || bones.asked.class !== CLASS_IN) return failure(query, RCODE.notImplemented, 'nobody', 'only questions for names of the internet are answered')
    const { spelled, type } = bones.asked
    const decision = this.#decide(options.asker ?? 'program', { name: spelled, type })
    if (decision.kind === 'answer') {
      this.told.count('answered_here')
      return this.#ours(query, decision)
    }
    if (decision.kind === 'blocked') {
      this.told.count('blocked')
      return failure(query, RCODE.serverFailure, 'nobody', decision.why)
    }
    return this.#elsewhere(query, decision, options)
  }

  #decide(asker: 'program' | 'peer', question: Question): Decision {
    const { plan } = this
    const decision = decide(plan, question, Math.floor(this.#deps.env.clock.wallMs() / 1_000))
    const asSystem = asker === 'peer' && decision.kind === 'forward' && (plan.rest.kind === 'system' || plan.rest.kind === 'resolvers') && this.#systemTargets().some(({ asking }) => asking.kind !== 'refused')
    return asSystem ? { kind: 'system', why: "this computer's own resolvers answer devices that use it as exit node" } : decision
  }

  #systemTargets(): readonly Target[] {
    return this.#deps.systemResolvers().map((addr) => systemTargetOf(addr, { selfAddresses: this.#plan.selfAddresses, wayTo: () => ({ kind: 'system' }) }))
  }

  #ours(query: Message, { reply, why }: Extract<Decision, { kind: 'answer' }>): DnsOutcome {
    const { spelled, type } = query.bones.asked
    // A name that no text can hold is not one of ours, and its bytes go back as they came.
    if (spelled.includes('\\')) return failure(query, reply.rcode, 'here', why)
    const encoded = encodeReply(query.bones.id, { name: spelled, type }, reply)
    const bones = walk(encoded)
    if (isDecodeError(bones)) return failure(query, RCODE.serverFailure, 'here', why)
    return { bytes: encoded, rcode: reply.rcode, answers: recordsOf(encoded, bones), from: 'here', why, attempts: [], resolvers: [], notes: [] }
  }

  async #elsewhere(query: Message, asking: Asking, options: AskOptions): Promise<DnsOutcome> {
    const { name, type } = query.bones.asked
    const key = `${this.#askedBy(asking)} ${name} ${type} ${traitsOf(query.bytes, query.bones)}`
    const nowMs = this.#deps.env.clock.nowMs()
    const kept = options.compare === true ? undefined : this.#cache.get(key, nowMs)
    if (kept) {
      this.told.count('from_cache')
      const bytes = answerFor(query.bytes, kept.bytes, kept.bones, Math.floor((nowMs - kept.atMs) / 1_000))
      const used: AttemptView = { who: kept.about.asked, rcode: kept.bones.rcode, answers: [], used: true }
      return this.#outcome(bytes, { from: 'cache', why: `remembered: ${kept.about.why}`, attempts: [used], resolvers: this.#resolversOf(asking), notes: [] })
    }
    const shared = options.compare === true ? undefined : this.#underWay.get(key)
    if (shared) {
      const outcome = await shared
      const bones = walk(outcome.bytes)
      return isDecodeError(bones) ? outcome : { ...outcome, bytes: answerFor(query.bytes, outcome.bytes, bones, 0) }
    }
    if (this.#asking >= MAX_UNDER_WAY) {
      this.told.count('too_many')
      return failure(query, RCODE.serverFailure, 'nobody', 'too many names are being looked up')
    }
    this.#asking++
    const work = this.#forward(query, asking, key, options).finally(() => {
      this.#asking--
      if (this.#underWay.get(key) === work) this.#underWay.delete(key)
    })
    if (options.compare !== true) this.#underWay.set(key, work)
    return work
  }

  async #forward(query: Message, asking: Asking, key: string, options: AskOptions): Promise<DnsOutcome> {
    const times = this.#times
    this.told.count(asking.kind === 'system' ? 'by_system' : asking.kind === 'exit-node' ? 'by_exit_node' : 'forwarded')
    const resolvers = this.#resolversOf(asking)
    const forwarded = await this.#forwarder.ask(query, this.#targetsOf(asking), options.compare === true ? COMPARE_MS : 0)
    const attempts = forwarded.attempts.map((attempt) => viewOf(attempt, forwarded))
    for (const { who, failed, rcode } of attempts) if (who.refused === undefined && (rcode !== undefined || failed !== LOST)) this.told.note(who.addr, failed)
    const { used } = forwarded
    // Nobody goes on asking by ways of before; who is to be asked now may be somebody else.
    if (!used?.message && times !== this.#times && !this.#isStopped) return this.#resolve(query, options)
    if (!used?.message) {
      this.told.count('failed')
      return { ...failure(query, RCODE.serverFailure, 'nobody', nobody(asking, attempts)), attempts, resolvers }
    }
    const { message } = used
    const who = whoOf(used.target)
    const why = `${sayWho(who)} answered: ${asking.why}`
    const rebinding = rebindingIn(message.bones, this.#plan.selfAddresses, asking.kind === 'forward' && asking.suffix !== '')
    if (rebinding !== undefined) {
      this.told.count('rebinding')
      this.told.say('rebinding', rebinding, { resolver: who.addr })
      return { ...failure(query, RCODE.ok, 'resolver', why), attempts, resolvers, notes: [rebinding] }
    }
    // What was asked before the network changed says nothing of this one.
    if (times === this.#times) this.#cache.add(key, { ...message, about: { asked: who, why }, atMs: this.#deps.env.clock.nowMs() })
    return this.#outcome(answerFor(query.bytes, message.bytes, message.bones, 0), { from: 'resolver', why, attempts, resolvers, notes: [] })
  }

  #outcome(bytes: Uint8Array, rest: Omit<DnsOutcome, 'bytes' | 'rcode' | 'answers'>): DnsOutcome {
    const bones = walk(bytes)
    return { bytes, rcode: bytes[3]! & 15, answers: isDecodeError(bones) ? [] : recordsOf(bytes, bones), ...rest }
  }

  #resolversOf(asking: Asking): readonly DnsResolver[] {
    if (asking.kind === 'system') return this.#deps.systemResolvers().map((Addr) => ({ Addr }))
    return asking.kind === 'exit-node' ? [{ Addr: asking.url }] : asking.resolvers
  }

  #targetsOf(asking: Asking): readonly Target[] {
    const context = this.#context()
    if (asking.kind === 'system') return this.#systemTargets()
    if (asking.kind === 'exit-node') return [targetOf({ Addr: asking.url }, context, true)]
    return asking.resolvers.map((resolver) => targetOf(resolver, context))
  }

  /** Whom a question goes to and which way: what somebody said at an address says nothing of whoever has it behind the tunnel. */
  #askedBy(asking: Asking): string {
    if (asking.kind === 'system') return asking.kind
    return this.#targetsOf(asking).map((target) => Object.values(whoOf(target)).join(' ')).join(', ')
  }

  #context(): TargetContext {
    return { selfAddresses: this.#plan.selfAddresses, wayTo: (at) => this.#facts.wayTo(at) }
  }

  /** How resolvers are asked, without asking them. */
  views(resolvers: readonly DnsResolver[], whose: 'network' | 'system' = 'network'): readonly Asked[] {
    if (whose === 'system') return this.#systemTargets().map(whoOf)
    const context = this.#context()
    return resolvers.map((resolver) => whoOf(targetOf(resolver, context, this.#plan.rest.kind === 'exit-node' && this.#plan.rest.url === resolver.Addr)))
  }
}

const LOST = 'another one answered first'

function viewOf(attempt: Forwarded['attempts'][number], { used }: Forwarded): AttemptView {
  const { target, message, latencyMs, failed } = attempt
  return {
    who: whoOf(target),
    answers: message ? recordsOf(message.bytes, message.bones) : [],
    used: attempt === used,
    ...(message ? { rcode: message.bones.rcode } : {}),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(failed === undefined ? {} : { failed }),
  }
}

function whoOf({ addr, isExit, asking }: Target): Asked {
  const way = asking.kind === 'plain' || asking.kind === 'https' ? asking.way : undefined
  const through = asking.kind === 'peer' ? asking.through : way?.kind === 'tunnel' ? way.through : undefined
  const by = isExit ? 'exit-node' : through !== undefined ? 'tunnel' : asking.kind === 'https' ? 'https' : 'system'
  return { addr, by, through, refused: asking.kind === 'refused' ? asking.why : undefined }
}

function sayWho({ addr, by, through }: Asked): string {
  if (by === 'exit-node') return `the exit node${through === undefined ? '' : ` ${through}`}`
  if (by === 'tunnel') return `${addr}, through ${through ?? 'the tunnel'},`
  return by === 'https' ? `${addr}, over HTTPS,` : `${addr}, by this computer's own network,`
}

function nobody(asking: Asking, attempts: readonly AttemptView[]): string {
  if (attempts.length === 0) return asking.kind === 'system' ? 'this computer has no resolver of its own' : 'there is nobody to ask'
  const said = attempts.map(({ who, failed, rcode }) => `${who.addr}: ${failed ?? rcodeName(rcode ?? RCODE.serverFailure)}`)
  return `nobody answered (${said.slice(0, 3).join('; ')})`
}

function failure({ bytes, bones }: Message, rcode: number, from: DnsOutcome['from'], why: string): DnsOutcome {
  const { spelled, type } = bones.asked
  const isOurs = from === 'here' || bones.asked.class !== CLASS_IN || spelled.includes('\\')
  return { bytes: isOurs ? refuseQuery(bytes, bones, rcode) : encodeFailure(bones.id, { name: spelled, type }, rcode), rcode, answers: [], from, why, attempts: [], resolvers: [], notes: [] }
}
