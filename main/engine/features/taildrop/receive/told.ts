/**
 * What receiving tells of itself beside the rows of the book: counters of everything, what was refused or asked and why. Refusals are
 * told at a pace that no sender can set.
 */
import { Allowance } from '../../../base/allowance.ts'
import type { Env } from '../../../base/env.ts'
import { printable } from '../../../base/printable.ts'
import { whyOf, type WhyCode } from '../../../core/taildrop/whys.ts'

const COUNTERS = ['received', 'received_bytes', 'duplicates', 'broken', 'refused', 'asked', 'accepted', 'denied', 'not_answered', 'wrong_hash', 'too_many', 'no_space'] as const
export type ReceiveCounter = (typeof COUNTERS)[number]

/** Refusals told at once, and the time after which there is room for one more. */
const BURST = 20
const REFILL_MS = 5_000

const COUNTED: Partial<Record<WhyCode, ReceiveCounter>> = { 'wrong-hash': 'wrong_hash', 'too-many': 'too_many', 'no-space': 'no_space', 'not-answered': 'not_answered' }

export class ReceiveTold {
  readonly #env: Env
  readonly #counts: Record<ReceiveCounter, number> = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<ReceiveCounter, number>
  readonly #room = new Allowance(BURST, REFILL_MS)
  #unsaid = 0

  constructor(env: Env) {
    this.#env = env
  }

  count(counter: ReceiveCounter, by = 1): void {
    this.#counts[counter] += by
  }

  /** Something was not let in. `text`: what there is to say beyond the code. */
  refused(peer: string, what: string, code: WhyCode, text?: string): void {
    this.count('refused')
    const counter = COUNTED[code]
    if (counter) this.count(counter)
    if (!this.#room.take(this.#env.clock.nowMs())) return void this.#unsaid++
    const unsaid = this.#unsaid > 0 ? { unsaid: this.#unsaid } : {}
    this.#unsaid = 0
    this.#env.journal.add({ part: 'taildrop', kind: 'incoming-refused', why: text ?? whyOf(code).Text, code, peer, name: printable(what), ...unsaid })
  }

  received({ size, isDuplicate }: { readonly size: number; readonly isDuplicate: boolean }): void {
    this.count('received')
    this.count('received_bytes', size)
    if (isDuplicate) this.count('duplicates')
  }

  asked(peer: string, count: number): void {
    this.count('asked')
    this.#env.journal.add({ part: 'taildrop', kind: 'incoming-asked', why: 'the rule for this device is to ask', peer, count })
    this.#env.log.part('taildrop').info('a person is asked whether files may come in', { count })
  }

  answered(peer: string, accepted: boolean, why: string): void {
    this.count(accepted ? 'accepted' : 'denied')
    this.#env.journal.add({ part: 'taildrop', kind: accepted ? 'incoming-accepted' : 'incoming-denied', why, peer })
    this.#env.log.part('taildrop').info(accepted ? 'files may come in' : 'files may not come in', { why })
  }

  /** With the prefix that sets them apart from those of other parts. */
  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(COUNTERS.map((name) => [`taildrop_in_${name}`, this.#counts[name]]))
  }
}
