/**
 * Answers of others, for as long as they say: bounded in number and in bytes, the one that rested longest makes room.
 *
 *   a name's records    the shortest of their times, at most an hour; 0 = not kept
 *   no such name, nothing of that type    what the zone's SOA says (RFC 2308), at most five minutes; without one not kept
 *   failures            never kept
 */
import { RCODE, TYPE } from '../core/dns/message.ts'
import type { Bones } from './walk.ts'

const MAX_ENTRIES = 2_000
const MAX_BYTES = 2 << 20
const MAX_SECONDS = 3_600
const MAX_NEGATIVE_SECONDS = 300

export interface Kept<T> {
  readonly bytes: Uint8Array
  readonly bones: Bones
  readonly about: T
  readonly atMs: number
}

/** `T`: what is remembered of where an answer came from. */
export class Cache<T> {
  readonly #entries = new Map<string, Kept<T> & { readonly untilMs: number }>()
  #bytes = 0

  get(key: string, nowMs: number): Kept<T> | undefined {
    const found = this.#entries.get(key)
    if (!found) return undefined
    this.#remove(key)
    if (nowMs >= found.untilMs) return undefined
    this.#put(key, found)
    return found
  }

  add(key: string, { bytes, bones, about, atMs }: Kept<T>): void {
    const seconds = keepSeconds(bytes, bones)
    if (seconds <= 0) return
    this.#remove(key)
    this.#put(key, { bytes, bones, about, atMs, untilMs: atMs + seconds * 1_000 })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ENTRIES && this.#bytes <= MAX_BYTES) break
      this.#remove(oldest)
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  get size(): number {
    return this.#entries.size
  }

  #put(key: string, entry: Kept<T> & { readonly untilMs: number }): void {
    this.#entries.set(key, entry)
    this.#bytes += sizeOf(key, entry)
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry && this.#entries.delete(key)) this.#bytes -= sizeOf(key, entry)
  }
}

function sizeOf(key: string, { bytes, bones }: Kept<unknown>): number {
  return key.length + bytes.length + 100 * (1 + bones.records.length)
}

/** How long an answer may be kept, seconds. */
function keepSeconds(bytes: Uint8Array, bones: Bones): number {
  if (bones.isCut || (bones.rcode !== RCODE.ok && bones.rcode !== RCODE.noSuchName)) return 0
  const answers = bones.records.filter(({ section }) => section === 'answer')
  const isNegative = bones.rcode === RCODE.noSuchName || !answers.some(({ type }) => type === bones.asked.type || bones.asked.type === TYPE.ALL)
  const shortest = Math.min(MAX_SECONDS, ...answers.map(({ ttl }) => (ttl > 0x7fff_ffff ? 0 : ttl)))
  if (!isNegative) return shortest
  const soa = bones.records.find(({ section, type }) => section === 'authority' && type === TYPE.SOA)
  if (!soa || soa.dataBytes < 20) return 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Math.min(shortest, MAX_NEGATIVE_SECONDS, soa.ttl, view.getUint32(soa.dataAt + soa.dataBytes - 4))
}
