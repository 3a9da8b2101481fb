/**
 * Wanted tables as one packed message for the packet thread, whole or as the difference to the last.
 *
 *   flags u8 (1 own addresses follow, 2 filter follows)
 *   [own      n u16 × ip]
 *   removes   n u32 × key 32
 *   upserts   n u32 × (key 32 | flags u8 (1 jailed, 2 bare WireGuard) | sources n u32 × prefix | routes n u32 × prefix)
 *   [filter   shields up u8 | local nets n u32 × prefix
 *             rules n u32 × (protos n u16 × u8 | srcs n u32 × prefix | dsts n u32 × (prefix | first u16 | last u16))]
 *   ip = family u8 (4, 6) | 4 or 16 B          prefix = ip | bits u8          integers big-endian
 *
 * native/packet-loop/src/tables.rs reads it. A prefix that does not parse is left out: the rest of a rule stays valid, and
 * leaving out can only close. What did not change (`===`, then by value) is not sent.
 */
import { writeU32 } from '../base/bytes.ts'
import { parseIp, readBits } from '../base/ip.ts'
import { keyBytes } from '../base/keys.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { listChanges } from '../core/plan/list-changes.ts'
import type { DataplaneConfig, DataplanePeer, FilterMatch, FilterTable } from '../core/plan/types.ts'

/** Grows as it is written; integers big-endian. */
class Writer {
  #bytes = new Uint8Array(4096)
  #at = 0

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }

  u8(value: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = value
  }

  u16(value: number): void {
    this.u8(value >>> 8)
    this.u8(value)
  }

  u32(value: number): void {
    this.u16(value >>> 16)
    this.u16(value)
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** A count and that many items. */
  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.u32(items.length)
    for (const item of items) write(item)
  }

  /** Where the next byte goes. */
  get at(): number {
    return this.#at
  }

  /** Writes again what was written from `start` on. */
  repeat(start: number): void {
    const end = this.#at
    this.#room(end - start)
    this.#bytes.copyWithin(end, start, end)
    this.#at += end - start
  }

  /** Puts a count where room for it was left. */
  setU32(at: number, value: number): void {
    writeU32(this.#bytes, at, value)
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }
}

/** What changed from one configuration to the next. */
export interface TablesDelta {
  readonly own: readonly string[] | undefined
  readonly removes: readonly NodePublicKey[]
  readonly upserts: readonly DataplanePeer[]
  readonly filter: FilterTable | undefined
}

/** The difference, or undefined when there is none; `previous` undefined means that nothing was sent yet. */
export function diffTables(previous: DataplaneConfig | undefined, next: DataplaneConfig): TablesDelta | undefined {
  if (previous === next) return undefined
  const own = previous && sameTexts(previous.selfAddresses, next.selfAddresses) ? undefined : next.selfAddresses
  const filter = previous && sameFilter(previous.filter, next.filter) ? undefined : next.filter
  const { removes, upserts } = diffPeers(previous?.peers ?? [], next.peers)
  if (own === undefined && filter === undefined && removes.length === 0 && upserts.length === 0) return undefined
  return { own, removes, upserts, filter }
}

function diffPeers(previous: readonly DataplanePeer[], next: readonly DataplanePeer[]): Pick<TablesDelta, 'removes' | 'upserts'> {
  const { gone, come } = listChanges(previous, next)
  const old = new Map(gone.map((peer) => [peer.key, peer]))
  const upserts: DataplanePeer[] = []
  for (const peer of come) {
    const before = old.get(peer.key)
    old.delete(peer.key)
    if (!before || !samePeer(before, peer)) upserts.push(peer)
  }
  return { removes: [...old.keys()], upserts }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, i) => text === b[i]))
}

function samePeer(a: DataplanePeer, b: DataplanePeer): boolean {
  return a === b || (a.jailed === b.jailed && a.bare === b.bare && sameTexts(a.allowedSources, b.allowedSources) && sameTexts(a.routes, b.routes))
}

function sameFilter(a: FilterTable, b: FilterTable): boolean {
  if (a === b) return true
  if (a.shieldsUp !== b.shieldsUp || !sameTexts(a.localNets, b.localNets)) return false
  return a.matches === b.matches || (a.matches.length === b.matches.length && a.matches.every((match, i) => sameMatch(match, b.matches[i]!)))
}

function sameMatch(a: FilterMatch, b: FilterMatch): boolean {
  if (a === b) return true
  const sameProtos = a.protos === b.protos || (a.protos.length === b.protos.length && a.protos.every((proto, i) => proto === b.protos[i]))
  return sameProtos && sameTexts(a.srcs, b.srcs) && a.dsts.length === b.dsts.length && a.dsts.every((dst, i) => {
    const other = b.dsts[i]!
    return dst.prefix === other.prefix && dst.first === other.first && dst.last === other.last
  })
}

/** The packed message of a difference, the caller's. */
export function encodeTables(delta: TablesDelta): Uint8Array {
  const out = new Writer()
  out.u8((delta.own ? 1 : 0) | (delta.filter ? 2 : 0))
  if (delta.own) {
    const own = delta.own.map(parseIp).filter((ip) => ip !== undefined)
    out.u16(own.length)
    for (const ip of own) writeIp(out, ip)
  }
  out.list(delta.removes, (key) => out.bytes(keyBytes(key)))
  out.list(delta.upserts, (peer) => {
    out.bytes(keyBytes(peer.key))
    out.u8((peer.jailed ? 1 : 0) | (peer.bare === true ? 2 : 0))
    const start = out.at
    writePrefixes(out, peer.allowedSources)
    if (sameTexts(peer.allowedSources, peer.routes)) out.repeat(start)
    else writePrefixes(out, peer.routes)
  })
  if (delta.filter) writeFilter(out, delta.filter)
  return out.done()
}

function writeFilter(out: Writer, filter: FilterTable): void {
  out.u8(filter.shieldsUp ? 1 : 0)
  writePrefixes(out, filter.localNets)
  out.list(filter.matches, (match) => {
    const protos = match.protos.filter((proto) => proto >= 0 && proto <= 255)
    out.u16(protos.length)
    for (const proto of protos) out.u8(proto)
    writePrefixes(out, match.srcs)
    const at = out.at
    out.u32(0)
    let count = 0
    for (const { prefix, first, last } of match.dsts) {
      if (first > last || !writePrefix(out, prefix)) continue
      out.u16(first)
      out.u16(last)
      count++
    }
    out.setU32(at, count)
  })
}

function writePrefixes(out: Writer, prefixes: readonly string[]): void {
  const at = out.at
  out.u32(0)
  let count = 0
  for (const text of prefixes) if (writePrefix(out, text)) count++
  out.setU32(at, count)
}

/** Writes "ip/bits"; false and nothing when it is none. */
function writePrefix(out: Writer, text: string): boolean {
  const slash = text.indexOf('/')
  const ip = slash < 0 ? undefined : parseIp(text.slice(0, slash))
  const bits = ip && readBits(text, slash + 1, ip.length * 8)
  if (!ip || bits === undefined) return false
  writeIp(out, ip)
  out.u8(bits)
  return true
}

function writeIp(out: Writer, ip: Uint8Array): void {
  out.u8(ip.length === 4 ? 4 : 6)
  out.bytes(ip)
}
