/**
 * Answers the data plane's proxy requests; names that the network does not know are asked of a resolver, a bounded number
 * at a time: the system's, or while an exit node is chosen nobody outside the tunnel.
 */
import type { Env } from '../base/env.ts'
import { egressNow } from './egress-now.ts'
import type { Model } from './model.ts'
import type { DataplanePort, ProxyAnswer, ProxyRequest } from './ports.ts'
import { decideAddresses, decideProxy } from './proxy-names.ts'
import type { NameContext } from './proxy-names.ts'

const MAX_ASKING = 256
const NO_NAMES = 'names cannot be looked up through the exit node, and are not asked of the local network; give the address'

interface ProxyDoorDeps {
  readonly env: Env
  readonly model: Model
  readonly dataplane: DataplanePort
  readonly resolve: (host: string) => Promise<readonly string[]>
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
    if (decision.by === 'exit') return this.#answer(request, { kind: 'refuse', code: 'no-such-host', message: NO_NAMES })
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
    if (decision.kind !== 'ask') return decision
    if (decision.by === 'exit') return { kind: 'refuse', code: 'no-such-host', message: NO_NAMES }
    const addresses = await this.#deps.resolve(host).catch(() => [])
    if (addresses.length === 0) return { kind: 'refuse', code: 'no-such-host', message: `${host} has no address` }
    return decideAddresses(addresses, port, this.#context())
  }

  #context(): NameContext {
    const { model } = this.#deps
    const { netMap, plan, saved, system } = model
    return { netMap, peers: plan.dataplane.peers, routes: plan.routes, egress: egressNow(model), allowLan: saved.prefs.ExitNodeAllowLANAccess, system }
  }

  #answer(request: ProxyRequest, answer: ProxyAnswer): void {
    if (answer.kind === 'refuse') {
      this.#deps.env.journal.add({ part: 'proxy', kind: 'refused', why: answer.message, via: request.via, host: request.host, port: request.port })
    }
    this.#deps.dataplane.answerProxy(request.id, answer)
  }
}
