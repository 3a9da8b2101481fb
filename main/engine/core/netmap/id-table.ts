/**
 * A persistent map from whole numbers to values, in key order: changing a few entries of 10,000 copies a few chunks and
 * shares the rest with the table before, which stays as it was.
 *
 *   spine: chunks of at most 128 entries, in key order, none empty; firsts[i] = lowest key of chunk i
 *
 * Reads like a Map. Never changes; `with` gives the next one.
 */
const CHUNK = 128

interface Chunk<V> {
  readonly keys: readonly number[]
  readonly values: readonly V[]
}

export class IdTable<V> implements ReadonlyMap<number, V> {
  readonly #chunks: readonly Chunk<V>[]
  readonly size: number

  private constructor(chunks: readonly Chunk<V>[], size: number) {
    this.#chunks = chunks
    this.size = size
    Object.freeze(this)
  }

  static empty<V>(): IdTable<V> {
    return new IdTable<V>([], 0)
  }

  /** A table of the entries; of equal keys the last one counts. */
  static of<V>(entries: Iterable<readonly [number, V]>): IdTable<V> {
    const map = new Map(entries)
    const keys = [...map.keys()].sort((a, b) => a - b)
    const chunks: Chunk<V>[] = []
    for (let at = 0; at < keys.length; at += CHUNK) {
      const part = keys.slice(at, at + CHUNK)
      chunks.push({ keys: part, values: part.map((key) => map.get(key) as V) })
    }
    return new IdTable(chunks, keys.length)
  }

  /** The table with these values set and then these keys removed; itself when nothing changes. */
  with(set: ReadonlyMap<number, V>, removed: Iterable<number> = []): IdTable<V> {
    const gone = [...removed].filter((key) => !set.has(key) && this.has(key))
    const changed = [...set].filter(([key, value]) => this.get(key) !== value || !this.has(key))
    if (changed.length === 0 && gone.length === 0) return this
    if (changed.length + gone.length > this.size / 4) return this.#rebuilt(changed, gone)
    const chunks = [...this.#chunks]
    const touched = new Map<number, Map<number, V>>()
    const entriesOf = (key: number): Map<number, V> => {
      const at = Math.max(0, this.#chunkOf(key))
      let entries = touched.get(at)
      if (!entries) touched.set(at, (entries = chunkMap(chunks[at])))
      return entries
    }
    for (const [key, value] of changed) entriesOf(key).set(key, value)
    for (const key of gone) entriesOf(key).delete(key)
    // From the last to the first, because a chunk may become none or several.
    for (const at of [...touched.keys()].sort((a, b) => b - a)) chunks.splice(at, 1, ...IdTable.of(touched.get(at)!).#chunks)
    return new IdTable(chunks, chunks.reduce((sum, chunk) => sum + chunk.keys.length, 0))
  }

  /** What leads from another table to this one; what both share by chunk costs nothing. */
  changesSince(before: IdTable<V>): { set: [number, V][]; removed: number[] } {
    const shared = new Set(before.#chunks)
    const mine = this.#chunks.filter((chunk) => !shared.delete(chunk))
    const old = new Map<number, V>()
    for (const { keys, values } of shared) for (let i = 0; i < keys.length; i++) old.set(keys[i]!, values[i]!)
    const set: [number, V][] = []
    for (const { keys, values } of mine) {
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i]!
        const value = values[i]!
        if (old.get(key) !== value || !old.has(key)) set.push([key, value])
        old.delete(key)
      }
    }
    return { set, removed: [...old.keys()] }
  }

  get(key: number): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (!chunk) return undefined
    const at = lastAtMost(chunk.keys.length, (i) => chunk.keys[i]!, key)
    return at >= 0 && chunk.keys[at] === key ? chunk.values[at] : undefined
  }

  has(key: number): boolean {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (!chunk) return false
    const at = lastAtMost(chunk.keys.length, (i) => chunk.keys[i]!, key)
    return at >= 0 && chunk.keys[at] === key
  }

  forEach(call: (value: V, key: number, map: ReadonlyMap<number, V>) => void): void {
    for (const chunk of this.#chunks) chunk.keys.forEach((key, i) => call(chunk.values[i]!, key, this))
  }

  *entries(): MapIterator<[number, V]> {
    for (const chunk of this.#chunks) for (let i = 0; i < chunk.keys.length; i++) yield [chunk.keys[i]!, chunk.values[i]!]
  }

  *keys(): MapIterator<number> {
    for (const chunk of this.#chunks) yield* chunk.keys
  }

  *values(): MapIterator<V> {
    for (const chunk of this.#chunks) yield* chunk.values
  }

  [Symbol.iterator](): MapIterator<[number, V]> {
    return this.entries()
  }

  /** Index of the chunk that holds the key or would; -1 when it lies before all. */
  #chunkOf(key: number): number {
    return lastAtMost(this.#chunks.length, (i) => this.#chunks[i]!.keys[0]!, key)
  }

  #rebuilt(changed: readonly (readonly [number, V])[], gone: readonly number[]): IdTable<V> {
    const map = new Map(this.entries())
    for (const [key, value] of changed) map.set(key, value)
    for (const key of gone) map.delete(key)
    return IdTable.of(map)
  }
}

function chunkMap<V>(chunk: Chunk<V> | undefined): Map<number, V> {
  const map = new Map<number, V>()
  chunk?.keys.forEach((key, i) => map.set(key, chunk.values[i]!))
  return map
}

/** Index of the last of `length` ascending numbers that is ≤ key, or -1. */
function lastAtMost(length: number, at: (i: number) => number, key: number): number {
  let low = -1
  let high = length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (at(middle) <= key) low = middle
    else high = middle - 1
  }
  return low
}
