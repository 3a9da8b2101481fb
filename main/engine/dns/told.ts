/**
 * What the resolver tells of itself: counters of everything, and journal events at a pace that nobody outside can set. Of
 * each resolver it is known whether it answers: that it stopped, and that it does again, is told once.
 */
import { Allowance } from '../base/allowance.ts'
import type { Env } from '../base/env.ts'

const COUNTERS = [
  'questions', 'answered_here', 'from_cache', 'forwarded', 'by_system', 'by_exit_node', 'blocked', 'failed', 'stray_answers', 'rebinding', 'bad_queries', 'too_many', 'filtered',
  'served_udp', 'served_tcp', 'served_peers', 'refused_peers',
] as const
export type Counter = (typeof COUNTERS)[number]

const BURST = 20
const REFILL_MS = 5_000
const MAX_RESOLVERS = 256

export class Told {
  readonly #env: Env
  readonly #counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>
  readonly #silent = new Map<string, string>()
  readonly #room = new Allowance(BURST, REFILL_MS)

  constructor(env: Env) {
    this.#env = env
  }

  count(counter: Counter): void {
    this.#counts[counter]++
  }

  /** With the prefix that sets them apart from others'. */
  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(COUNTERS.map((name) => [`dns_${name}`, this.#counts[name]]))
  }

  /** Whether a resolver answered: undefined = it did. */
  note(addr: string, failed: string | undefined): void {
    const before = this.#silent.get(addr)
    if (failed === undefined) {
      if (!this.#silent.delete(addr)) return
      this.say('resolver-answers', `the resolver ${addr} answers again`, { resolver: addr })
    } else if (before === undefined && this.#silent.size < MAX_RESOLVERS) {
      this.#silent.set(addr, failed)
      this.say('resolver-silent', `the resolver ${addr} gave no answer: ${failed}`, { resolver: addr })
    }
  }

  /** Resolvers that gave no answer when last asked, and why. */
  silent(): ReadonlyMap<string, string> {
    return this.#silent
  }

  forget(): void {
    this.#silent.clear()
  }

  say(kind: string, why: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (!this.#room.take(this.#env.clock.nowMs())) return
    this.#env.journal.add({ part: 'dns', kind, why, ...fields })
  }
}
