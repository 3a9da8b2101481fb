/**
 * Readers of a page with a version who wait until it is another one: each is answered then, or after 30 s, with the page as it is.
 * Bounded: one more takes the place of the oldest.
 */
import type { Clock } from '../base/env.ts'

export const MAX_WAIT_MS = 30_000

export class PageReaders<Page> {
  readonly #clock: Clock
  readonly #most: number
  readonly #page: () => Page
  readonly #readers = new Set<{ readonly after: number; readonly wake: () => void }>()

  /** At most `most` wait at the same time; `page` makes what they are answered. */
  constructor(clock: Clock, most: number, page: () => Page) {
    this.#clock = clock
    this.#most = most
    this.#page = page
  }

  get isEmpty(): boolean {
    return this.#readers.size === 0
  }

  /** A reader that has version `after`; `cancel` answers it at once, whoever listens. */
  wait(after: number): { readonly page: Promise<Page>; readonly cancel: () => void } {
    const reader = { after, wake: (): void => {} }
    const page = new Promise<Page>((resolve) => {
      const forget = this.#clock.after(MAX_WAIT_MS, () => reader.wake())
      reader.wake = () => {
        forget()
        this.#readers.delete(reader)
        resolve(this.#page())
      }
    })
    this.#readers.add(reader)
    const [oldest] = this.#readers
    if (this.#readers.size > this.#most) oldest?.wake()
    return { page, cancel: () => reader.wake() }
  }

  /** Answers those that have another version. */
  tell(version: number): void {
    for (const reader of this.#readers) if (reader.after !== version) reader.wake()
  }

  /** Lets every reader go. */
  stop(): void {
    for (const { wake } of this.#readers) wake()
  }
}
