/**
 * Files that a person dropped or chose and that are not sent yet. The page has an offer's name; what lies behind it stays here.
 *
 *   put → (moved to another window) → taken | dropped | over after an hour | pushed out by newer ones
 *
 * An offer is for one window: the name alone is of no use to another.
 */
import { randomBytes } from 'node:crypto'
import type { OfferedFiles } from '../../localapi/app-state.ts'

export const OFFER_LIFE_MS = 3_600_000
/** For all windows together; the oldest goes. */
export const OFFER_LIMIT = 50

interface Offer {
  readonly owner: number
  readonly paths: readonly string[]
  readonly shown: OfferedFiles
  readonly untilMs: number
}

export class Offers {
  readonly #offers = new Map<string, Offer>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Keeps them for that window, by the id of its contents. */
  put(owner: number, paths: readonly string[], look: Omit<OfferedFiles, 'Offer'>): OfferedFiles {
    const shown = { Offer: randomBytes(16).toString('hex'), ...look }
    this.#sweep()
    for (const id of [...this.#offers.keys()].slice(0, Math.max(0, this.#offers.size - OFFER_LIMIT + 1))) this.#offers.delete(id)
    this.#offers.set(shown.Offer, { owner, paths, shown, untilMs: this.#nowMs() + OFFER_LIFE_MS })
    return shown
  }

  /** The paths of one, which stays; undefined: that window has none of that name (any more). */
  paths(owner: number, id: string): readonly string[] | undefined {
    return this.#of(owner, id)?.paths
  }

  drop(owner: number, id: string): void {
    if (this.#of(owner, id)) this.#offers.delete(id)
  }

  /** Gives one over to another window; undefined: there is none. */
  move(owner: number, id: string, to: number): OfferedFiles | undefined {
    const offer = this.#of(owner, id)
    if (offer) this.#offers.set(id, { ...offer, owner: to })
    return offer?.shown
  }

  #of(owner: number, id: string): Offer | undefined {
    this.#sweep()
    const offer = this.#offers.get(id)
    return offer?.owner === owner ? offer : undefined
  }

  #sweep(): void {
    const nowMs = this.#nowMs()
    for (const [id, { untilMs }] of this.#offers) if (untilMs <= nowMs) this.#offers.delete(id)
  }
}
