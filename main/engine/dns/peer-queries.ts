/**
 * /dns-query of the PeerAPI: names looked up for other devices, those that use this one as exit node above all (RFC 8484).
 *
 *   GET ?dns=BASE64URL   POST application/dns-message   → application/dns-message
 *   GET ?q=NAME&t=TYPE   → a JSON list of what the name stands for, for people who try it out
 *
 * Answers come from this computer's own resolvers, as they would here; what is in zones of the network is answered here.
 * Names that the server's list forbids are refused. One device may have some questions under way, all together some more.
 * Source: dataplane facts §8.6; tailscale ipn/ipnlocal/peerapi.go.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../base/env.ts'
import { isDecodeError } from '../base/errors.ts'
import { nameProblem, plainName, RCODE, TYPE } from '../core/dns/message.ts'
import { isFiltered } from '../core/plan/dns.ts'
import { encodeQuery, recordsOf, refuseQuery } from './codec.ts'
import type { Resolver } from './resolver.ts'
import { walk } from './walk.ts'

const MESSAGE = 'application/dns-message'
const MAX_BYTES = 256 << 10
const LIMIT_MS = 5_000
const MAX_OF_ONE = 32
const MAX_OF_ALL = 128

/** One request of a device, already let in by the PeerAPI. */
export interface PeerVisit {
  readonly from: string
  readonly method: string
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export class PeerQueries {
  readonly path = '/dns-query'
  readonly #env: Env
  readonly #resolver: Resolver
  /** Whether the device at this address may ask. */
  readonly #mayAsk: (ip: string) => boolean
  readonly #underWay = new Map<string, number>()
  #total = 0

  constructor(deps: { env: Env; resolver: Resolver; mayAsk: (ip: string) => boolean }) {
    this.#env = deps.env
    this.#resolver = deps.resolver
    this.#mayAsk = deps.mayAsk
  }

  async serve(visit: PeerVisit): Promise<Answer> {
    const { told } = this.#resolver
    if (!this.#mayAsk(visit.from)) {
      told.count('refused_peers')
      return plain(403, 'DNS access denied')
    }
    const held = this.#underWay.get(visit.from) ?? 0
    if (held >= MAX_OF_ONE || this.#total >= MAX_OF_ALL) {
      told.count('too_many')
      return plain(503, 'too many names are being looked up')
    }
    this.#underWay.set(visit.from, held + 1)
    this.#total++
    try {
      return await this.#answer(visit)
    } finally {
      this.#total--
      const left = this.#underWay.get(visit.from)! - 1
      if (left === 0) this.#underWay.delete(visit.from)
      else this.#underWay.set(visit.from, left)
    }
  }

  async #answer(visit: PeerVisit): Promise<Answer> {
    // A query that never ends would hold its place from all others.
    const asked = await this.#inTime(queryOf(visit))
    if (asked === undefined) return plain(408, 'the query did not come in time')
    if (typeof asked === 'string') return plain(400, asked)
    const bones = walk(asked.bytes)
    if (isDecodeError(bones) || bones.isAnswer) return plain(400, 'this is no DNS query')
    this.#resolver.told.count('served_peers')
    const isForbidden = isFiltered(this.#resolver.plan.filtered, bones.asked.name)
    if (isForbidden) this.#resolver.told.count('filtered')
    const answer = isForbidden ? refuseQuery(asked.bytes, bones, RCODE.refused) : await this.#inTime(this.#resolver.answer(asked.bytes, 'peer'))
    if (!answer) return plain(500, 'the name could not be looked up in time')
    return asked.isForPeople ? forPeople(answer) : { status: 200, headers: { 'content-type': MESSAGE }, body: answer }
  }

  async #inTime<T>(work: Promise<T>): Promise<T | undefined> {
    let cancel = (): void => {}
    const late = new Promise<undefined>((resolve) => (cancel = this.#env.clock.after(LIMIT_MS, () => resolve(undefined))))
    return Promise.race([work, late]).finally(() => cancel())
  }
}

/** The query of a request, or why there is none in it. */
async function queryOf({ method, query, headers, body }: PeerVisit): Promise<{ readonly bytes: Uint8Array; readonly isForPeople: boolean } | string> {
  if (method === 'POST') {
    if (headers['content-type'] !== MESSAGE) return 'unexpected Content-Type'
    const bytes = await readBody(body)
    return bytes ? { bytes, isForPeople: false } : 'the query is too large'
  }
  if (method !== 'GET') return 'bad HTTP method'
  const given = new URLSearchParams(query)
  const encoded = given.get('dns') ?? ''
  const name = given.get('q') ?? ''
  if (encoded !== '') return /^[A-Za-z0-9_-]+$/.test(encoded) ? { bytes: new Uint8Array(Buffer.from(encoded, 'base64url')), isForPeople: false } : "'dns' is no base64url"
  if (name === '') return "missing 'dns' parameter; a person may try ?q=NAME"
  const word = (given.get('t') ?? 'A').toUpperCase()
  const type = Object.hasOwn(TYPE, word) ? TYPE[word as keyof typeof TYPE] : undefined
  if (type === undefined || nameProblem(plainName(name)) !== undefined) return 'this name or type cannot be asked for'
  return { bytes: encodeQuery(0, { name: plainName(name), type }), isForPeople: true }
}

async function readBody(body: Readable): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > MAX_BYTES) return undefined
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function forPeople(answer: Uint8Array): Answer {
  const bones = walk(answer)
  const found = isDecodeError(bones) ? [] : recordsOf(answer, bones).map(({ data }) => data)
  return { status: 200, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(found)}\n` }
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
}
