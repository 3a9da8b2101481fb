/**
 * Answers the data plane's proxy requests; names that the network does not know are looked up, a bounded number at a
 * time, by whoever may be asked at the moment.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import { egressNow } from './egress-now.ts'
import type { Model } from './model.ts'
import type { DataplanePort, DnsResolverPort, ProxyAnswer, ProxyRequest } from './ports.ts'
import { decideAddresses, decideProxy } from './proxy-names.ts'
import type { NameContext, NameDecision } from './proxy-names.ts'

const MAX_ASKING = 256

interface ProxyDoorDeps {
  readonly env: Env
  readonly model: Model
  readonly dataplane: DataplanePort
  readonly dns: Pick<DnsResolverPort, 'lookup'>
  /** An answer on its way, and what it was decided by. */
  readonly onAnswer: (answer: ProxyAnswer, context: NameContext) => void
}

export class ProxyDoor {
  readonly #deps: ProxyDoorDeps
  #asking = 0

  constructor(deps: ProxyDoorDeps) {
    this.#deps = deps
  }

  /** Answers now, or when a resolver has. */
  handle(request: ProxyRequest): void {
    const decision = decideProxy(request, this.#context())
    if (decision.kind !== 'ask') return this.#answer(request, decision)
    if (this.#asking >= MAX_ASKING) return this.#answer(request, { kind: 'refuse', code: 'unreachable', message: 'too many names are being looked up' })
    this.#asking++
    this.#deps.dns
      .lookup(request.host)
      .then(
        ({ addresses }) => this.#answer(request, decideAddresses(addresses, request.port, this.#context())),
        (error: unknown) => this.#answer(request, { kind: 'refuse', code: 'no-such-host', message: errorText(error) }),
      )
      .finally(() => this.#asking--)
      .catch((error: unknown) => this.#deps.env.log.warn('a proxy request could not be answered', { error: String(error) }))
  }

  /** Where a connection to a host goes that somebody wants to open by hand; never rejects. */
  async plan(host: string, port: number): Promise<ProxyAnswer> {
    const decision = decideProxy({ host, port }, this.#context())
    if (decision.kind !== 'ask') return decision
    try {
      const { addresses } = await this.#deps.dns.lookup(host)
      return decideAddresses(addresses, port, this.#context())
    } catch (error) {
      return { kind: 'refuse', code: 'no-such-host', message: errorText(error) }
    }
  }

  /** The same as far as it is known without asking anybody. */
  look(host: string, port: number): NameDecision {
    return decideProxy({ host, port }, this.#context())
  }

  #context(): NameContext {
    return contextOf(this.#deps.model)
  }

  #answer(request: ProxyRequest, answer: ProxyAnswer): void {
    if (answer.kind === 'refuse') {
      this.#deps.env.journal.add({ part: 'proxy', kind: 'refused', why: answer.message, via: request.via, host: request.host, port: request.port })
    }
    this.give(request.id, answer)
  }

  /** Answers a question of the data plane, whoever decided it. */
  give(id: number, answer: ProxyAnswer): void {
    this.#deps.onAnswer(answer, this.#context())
    this.#deps.dataplane.answerProxy(id, answer)
  }
}

/** What decisions on addresses and names depend on, of this moment. */
export function contextOf(model: Model): NameContext {
  const { netMap, plan, saved, system } = model
  return { netMap, peers: plan.dataplane.peers, routes: plan.routes, egress: egressNow(model), allowLan: saved.prefs.ExitNodeAllowLANAccess, system }
}
