/**
 * What the PeerAPI tells of itself: counters of everything, and journal events at a pace that no peer can set.
 */
import { Allowance } from '../base/allowance.ts'
import type { Env } from '../base/env.ts'
import type { Refusal } from './guard.ts'
import type { Caller } from './ports.ts'

const COUNTERS = ['connections', 'requests', 'unknown', 'too_many', 'slow', 'foreign_host', 'web_page', 'not_found', 'protocol_errors'] as const
type Counter = (typeof COUNTERS)[number]

/** Events at once, and the time after which there is room for one more. */
const BURST = 20
const REFILL_MS = 5_000

const WHY: Readonly<Record<Refusal, string>> = {
  'foreign-host': 'the request names another host than this device, as after DNS rebinding',
  'web-page': 'a web page sent the request',
}

export class PeerApiTold {
  readonly #env: Env
  readonly #counts: Record<Counter, number> = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>
  readonly #room = new Allowance(BURST, REFILL_MS)
  #unsaid = 0

  constructor(env: Env) {
    this.#env = env
  }

  count(counter: Counter): void {
    this.#counts[counter]++
  }

  /** A connection was closed. */
  drop(counter: 'unknown' | 'too_many' | 'slow', ip: string, why: string): void {
    this.count(counter)
    this.#say({ kind: 'connection-closed', why, ip })
  }

  /** A request was turned away. */
  refuse(refusal: Refusal, { node }: Caller, path: string): void {
    this.count(refusal === 'web-page' ? 'web_page' : 'foreign_host')
    this.#say({ kind: 'refused', why: WHY[refusal], peer: node.Key, path })
  }

  served({ node }: Caller, method: string, path: string, status: number, protocol: string): void {
    this.#say({ kind: 'served', why: 'a device of the network asked', peer: node.Key, method, path, status, protocol })
  }

  /** With the prefix that sets them apart from the data plane's. */
  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(COUNTERS.map((name) => [`peerapi_${name}`, this.#counts[name]]))
  }

  #say(event: { kind: string; why: string; [field: string]: unknown }): void {
    if (!this.#room.take(this.#env.clock.nowMs())) return void this.#unsaid++
    this.#env.journal.add({ part: 'peerapi', ...event, ...(this.#unsaid > 0 ? { unsaid: this.#unsaid } : {}) })
    this.#unsaid = 0
  }
}
