/**
 * dns-query: what MagicDNS answers to a question, or what the resolvers say that the network, or else the system, names.
 * Resolvers are asked one after the other; when none answers the answer is a server failure, as a resolver's would be.
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { canonicalIp, parseAddrPort } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { answerMagic } from '../core/dns/magic-dns.ts'
import { encodeAnswer, encodeQuery, nameProblem, RCODE } from '../core/dns/message.ts'
import type { DnsResolver } from '../core/tailcfg/types.ts'
import type { Model } from './model.ts'
import type { DnsPort } from './ports.ts'

/** Number of every question and answer that a caller sees. */
const QUERY_ID = 1
const RESOLVER_MS = 2_000
const MAX_RESOLVERS = 3
const MAX_ASKING = 32
/** The address at which the network's resolver would answer: asking it would be asking ourselves. */
const OURSELVES: readonly string[] = ['100.100.100.100', 'fd7a:115c:a1e0::53']

export interface DnsResult {
  readonly bytes: Uint8Array
  /** Who was or would be asked; none where the answer is our own. */
  readonly resolvers: readonly DnsResolver[]
}

export class DnsQueries {
  readonly #deps: { env: Env; model: Model; dns: DnsPort | undefined }
  #asking = 0

  constructor(deps: { env: Env; model: Model; dns: DnsPort | undefined }) {
    this.#deps = deps
  }

  /** Throws EngineError('io' | 'timeout') for what cannot be a name and when too many ask at once. */
  async ask(name: string, type: number): Promise<DnsResult> {
    const problem = nameProblem(name)
    if (problem !== undefined) throw new EngineError('io', problem)
    const { env, model, dns } = this.#deps
    const question = { name, type }
    const own = answerMagic(model.netMap, QUERY_ID, question, Math.floor(env.clock.wallMs() / 1000))
    if (own.kind === 'answer') return { bytes: own.bytes, resolvers: [] }
    const resolvers = own.resolvers.length > 0 ? own.resolvers : (dns?.systemResolvers() ?? []).map((Addr) => ({ Addr }))
    if (this.#asking >= MAX_ASKING) throw new EngineError('io', 'too many names are being looked up')
    this.#asking++
    try {
      const answer = dns && (await this.#askEach(dns, resolvers, type, name))
      return { bytes: answer ?? encodeAnswer(QUERY_ID, question, RCODE.serverFailure, [], [], false), resolvers }
    } finally {
      this.#asking--
    }
  }

  async #askEach(dns: DnsPort, resolvers: readonly DnsResolver[], type: number, name: string): Promise<Uint8Array | undefined> {
    const [high, low] = this.#deps.env.random.bytes(2)
    const query = encodeQuery((high! << 8) | low!, { name, type })
    for (const at of resolvers.map(placeOf).filter((place) => place !== undefined).slice(0, MAX_RESOLVERS)) {
      try {
        const answer = (await dns.ask(at, query, RESOLVER_MS)).slice()
        answer.set([QUERY_ID >> 8, QUERY_ID & 0xff])
        return answer
      } catch {
        // The next one may answer.
      }
    }
    return undefined
  }
}

/** Where a resolver is asked; undefined for ourselves and for those that speak HTTPS. */
function placeOf({ Addr }: DnsResolver): AddrPort | undefined {
  const text = Addr ?? ''
  const ip = canonicalIp(text)
  const place = ip === undefined ? parseAddrPort(text) : { ip, port: 53 }
  return place && !OURSELVES.includes(place.ip) ? place : undefined
}
