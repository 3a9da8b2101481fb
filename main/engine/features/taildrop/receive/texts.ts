/**
 * Reads bodies that are texts (offers, lists of folders), with bounds on what of all of them is held at once: a sender that
 * begins many and ends none takes neither the memory nor the room of others.
 */
import type { Clock } from '../../../base/env.ts'
import type { Visit } from './ports.ts'

const MOST_BYTES = 96 << 20
const MOST_BYTES_PER_SENDER = 24 << 20
/** For a whole one. */
const WITHIN_MS = 120_000

export type TextEnd = { readonly text: string } | 'too-much' | 'too-many' | 'stopped'

export class Texts {
  readonly #clock: Clock
  readonly #held = new Map<string, number>()
  #total = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The whole body. 'too-much': longer than `most` bytes; 'too-many': no room for more; 'stopped': it broke off, or took too long. Never rejects. */
  async read({ body, caller }: Pick<Visit, 'body' | 'caller'>, most: number): Promise<TextEnd> {
    const { StableID: sender } = caller.node
    const pieces: Buffer[] = []
    let length = 0
    const cancel = this.#clock.after(WITHIN_MS, () => body.destroy(new Error('it took too long')))
    try {
      for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        length += piece.length
        this.#hold(sender, piece.length)
        if (length > most) return 'too-much'
        if (this.#total > MOST_BYTES || (this.#held.get(sender) ?? 0) > MOST_BYTES_PER_SENDER) return 'too-many'
        pieces.push(piece)
      }
      return { text: Buffer.concat(pieces).toString() }
    } catch {
      return 'stopped'
    } finally {
      cancel()
      this.#hold(sender, -length)
    }
  }

  #hold(sender: string, by: number): void {
    this.#total += by
    const held = (this.#held.get(sender) ?? 0) + by
    if (held === 0) this.#held.delete(sender)
    else this.#held.set(sender, held)
  }
}
