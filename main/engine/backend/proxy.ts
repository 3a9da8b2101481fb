/**
 * Answers the data plane's proxy requests; names that the network does not know are asked of the system's resolver, a
 * bounded number at a time.
 */
import type { Env } from '../base/env.ts'
import type { Model } from './model.ts'
import type { DataplanePort, ProxyAnswer, ProxyRequest } from './ports.ts'
import { decideAddresses, decideProxy } from './proxy-names.ts'

const MAX_ASKING = 256

export class ProxyDoor {
  readonly #deps: { env: Env; model: Model; dataplane: DataplanePort; resolve: (host: string) => Promise<readonly string[]> }
  #asking = 0

  constructor(deps: { env: Env; model: Model; dataplane: DataplanePort; resolve: (host: string) => Promise<readonly string[]> }) {
    this.#deps = deps
  }

  /** Answers now, or when the system's resolver has. */
  handle(request: ProxyRequest): void {
    const decision = decideProxy(request, this.#context())
    if (decision.kind !== 'ask-system') return this.#answer(request, decision)
    if (this.#asking >= MAX_ASKING) return this.#answer(request, { kind: 'refuse', code: 'unreachable', message: 'too many names are being looked up' })
    this.#asking++
    this.#deps
      .resolve(request.host)
      .then(
        (addresses) => this.#answer(request, decideAddresses(addresses, request.port, this.#context())),
        () => this.#answer(request, { kind: 'refuse', code: 'no-such-host', message: `${request.host} has no address` }),
      )
      .finally(() => this.#asking--)
      .catch((error: unknown) => this.#deps.env.log.warn('a proxy request could not be answered', { error: String(error) }))
  }

  /** Where a connection to a host goes that somebody wants to open by hand; never rejects. */
  async plan(host: string, port: number): Promise<ProxyAnswer> {
    const decision = decideProxy({ host, port }, this.#context())
    if (decision.kind !== 'ask-system') return decision
    const addresses = await this.#deps.resolve(host).catch(() => [])
    if (addresses.length === 0) return { kind: 'refuse', code: 'no-such-host', message: `${host} has no address` }
    return decideAddresses(addresses, port, this.#context())
  }

  #context(): { netMap: Model['netMap']; peers: Model['plan']['dataplane']['peers'] } {
    return { netMap: this.#deps.model.netMap, peers: this.#deps.model.plan.dataplane.peers }
  }

  #answer(request: ProxyRequest, answer: ProxyAnswer): void {
    if (answer.kind === 'refuse') {
      this.#deps.env.journal.add({ part: 'proxy', kind: 'refused', why: answer.message, via: request.via, host: request.host, port: request.port })
    }
    this.#deps.dataplane.answerProxy(request.id, answer)
  }
}
