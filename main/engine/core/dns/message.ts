/**
 * DNS messages, as far as one who answers from a table and passes the rest on needs them. Names are never compressed.
 *
 *   id 2 | flags 2 | questions 2 | answers 2 | authority 2 | additional 2 | question: name, type 2, class 2 | records…
 *   record: name | type 2 | class 2 | ttl 4 | length 2 | data          name: (length 1, label)… 0
 *
 * Source: RFC 1035 §4.
 */
import { ascii, concat } from '../../base/bytes.ts'

export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, WKS: 11, PTR: 12, HINFO: 13, MINFO: 14, MX: 15, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ALL: 255 } as const
export const RCODE = { ok: 0, serverFailure: 2, noSuchName: 3, notImplemented: 4 } as const

/** Answer, authoritative, recursion desired. */
const FLAGS_ANSWER = 0x8500
const FLAG_RECURSION_AVAILABLE = 0x80
const FLAG_RECURSION_DESIRED = 0x0100
const CLASS_IN = 1
const MAX_NAME = 255
const MAX_LABEL = 63
const ASCII = /^[\x21-\x7e]+$/

export interface Question {
  /** With or without trailing dot; must be a name that `nameProblem` takes. */
  readonly name: string
  readonly type: number
}

export interface DnsRecord {
  readonly name: string
  readonly type: number
  readonly ttlSeconds: number
  readonly data: Uint8Array
}

/** Why a text cannot be a name, or undefined. The root is a name. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.') return undefined
  const labels = labelsOf(name)
  if (labels.join('.').length + 2 > MAX_NAME) return `${JSON.stringify(name.slice(0, MAX_NAME))} is too long to be a DNS name`
  const bad = labels.find((label) => label === '' || label.length > MAX_LABEL || !ASCII.test(label))
  return bad === undefined ? undefined : `${JSON.stringify(bad)} is not a valid DNS label`
}

/** The wire form of a name. */
export function encodeName(name: string): Uint8Array {
  const parts = name === '' || name === '.' ? [] : labelsOf(name).map((label) => concat(Uint8Array.of(label.length), ascii(label)))
  return concat(...parts, Uint8Array.of(0))
}

export function encodeQuery(id: number, question: Question): Uint8Array {
  return encode(id, FLAG_RECURSION_DESIRED, question, [], [])
}

/** An answer of ours; `served` = recursion is available, which a failed resolver does not say. */
export function encodeAnswer(id: number, question: Question, rcode: number, answers: readonly DnsRecord[], authority: readonly DnsRecord[], served = true): Uint8Array {
  return encode(id, FLAGS_ANSWER | (served ? FLAG_RECURSION_AVAILABLE : 0) | rcode, question, answers, authority)
}

function encode(id: number, flags: number, question: Question, answers: readonly DnsRecord[], authority: readonly DnsRecord[]): Uint8Array {
  const header = words(id, flags, 1, answers.length, authority.length, 0)
  return concat(header, encodeName(question.name), words(question.type, CLASS_IN), ...[...answers, ...authority].map(encodeRecord))
}

function encodeRecord({ name, type, ttlSeconds, data }: DnsRecord): Uint8Array {
  return concat(encodeName(name), words(type, CLASS_IN, ttlSeconds >>> 16, ttlSeconds & 0xffff, data.length), data)
}

/** Data of a start-of-authority record whose every interval is `seconds`. */
export function soaData(zone: string, serial: number, seconds: number): Uint8Array {
  const longs = [serial, seconds, seconds, seconds, seconds].flatMap((value) => [(value >>> 16) & 0xffff, value & 0xffff])
  return concat(encodeName(zone), encodeName(zone), words(...longs))
}

/** Whether bytes are an answer to the query: same number, same question, marked as an answer. */
export function answersQuery(answer: Uint8Array, query: Uint8Array): boolean {
  if (answer.length < query.length || (answer[2]! & 0x80) === 0 || answer[0] !== query[0] || answer[1] !== query[1]) return false
  for (let i = 12; i < query.length; i++) if (lower(answer[i]!) !== lower(query[i]!)) return false
  return true
}

/** Whether an answer was cut to fit a datagram. */
export function isTruncated(answer: Uint8Array): boolean {
  return (answer[2]! & 0x02) !== 0
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}

function labelsOf(name: string): string[] {
  return (name.endsWith('.') ? name.slice(0, -1) : name).split('.')
}

function words(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(values.length * 2)
  for (const [i, value] of values.entries()) {
    out[2 * i] = (value >>> 8) & 0xff
    out[2 * i + 1] = value & 0xff
  }
  return out
}
