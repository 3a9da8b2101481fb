/**
 * Draws a value again only when it is another one, and at most once in a while: the last one offered is drawn in the end.
 */
export interface PacedDeps<T> {
  readonly everyMs: number
  readonly nowMs: () => number
  readonly later: (ms: number, run: () => void) => () => void
  readonly draw: (value: T) => void
}

export class Paced<T> {
  readonly #deps: PacedDeps<T>
  #drawn = ''
  #drawnMs = -Infinity
  #waiting: T | undefined
  #cancel: (() => void) | undefined

  constructor(deps: PacedDeps<T>) {
    this.#deps = deps
  }

  /** `force`: also when it is the same, as after a click that changed what is on screen. */
  offer(value: T, force = false): void {
    if (force) this.#drawn = ''
    if (JSON.stringify(value) === this.#drawn) return this.#settle()
    this.#waiting = value
    const waitMs = this.#drawnMs + this.#deps.everyMs - this.#deps.nowMs()
    if (waitMs <= 0) return this.#draw()
    this.#cancel ??= this.#deps.later(waitMs, () => this.#draw())
  }

  /** Draws nothing any more. */
  stop(): void {
    this.#settle()
  }

  #settle(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#waiting = undefined
  }

  #draw(): void {
    const value = this.#waiting
    this.#settle()
    if (value === undefined) return
    this.#drawn = JSON.stringify(value)
    this.#drawnMs = this.#deps.nowMs()
    this.#deps.draw(value)
  }
}
