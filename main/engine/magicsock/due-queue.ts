/**
 * Who is due when: a binary heap that knows where everybody stands in it, so that moving one costs the logarithm. Pure.
 * Invariant: `#at.get(#heap[i].item) === i`, and no entry is due before its parent.
 */

interface Due<T> {
  readonly item: T
  dueMs: number
}

export class DueQueue<T> {
  readonly #heap: Due<T>[] = []
  readonly #at = new Map<T, number>()

  get size(): number {
    return this.#heap.length
  }

  /** When the first is due; undefined = nobody is. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.dueMs
  }

  set(item: T, dueMs: number): void {
    const known = this.#at.get(item)
    if (known === undefined) {
      this.#heap.push({ item, dueMs })
      this.#at.set(item, this.#heap.length - 1)
      this.#rise(this.#heap.length - 1)
      return
    }
    const before = this.#heap[known]!.dueMs
    this.#heap[known]!.dueMs = dueMs
    if (dueMs < before) this.#rise(known)
    else this.#sink(known)
  }

  delete(item: T): void {
    const at = this.#at.get(item)
    if (at === undefined) return
    this.#swap(at, this.#heap.length - 1)
    this.#heap.pop()
    this.#at.delete(item)
    if (at >= this.#heap.length) return
    this.#rise(at)
    this.#sink(at)
  }

  /** Takes out the one that is due first, if it is due by then. */
  take(nowMs: number): T | undefined {
    const first = this.#heap[0]
    if (!first || first.dueMs > nowMs) return undefined
    this.delete(first.item)
    return first.item
  }

  clear(): void {
    this.#heap.length = 0
    this.#at.clear()
  }

  #rise(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#heap[parent]!.dueMs <= this.#heap[at]!.dueMs) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      if (left >= this.#heap.length) return
      const child = right < this.#heap.length && this.#heap[right]!.dueMs < this.#heap[left]!.dueMs ? right : left
      if (this.#heap[at]!.dueMs <= this.#heap[child]!.dueMs) return
      this.#swap(at, child)
      at = child
    }
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a]!, this.#heap[b]!]
    this.#heap[a] = other
    this.#heap[b] = one
    this.#at.set(other.item, a)
    this.#at.set(one.item, b)
  }
}
