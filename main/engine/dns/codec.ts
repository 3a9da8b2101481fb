/**
 * DNS messages as bytes: the library writes ours and puts the data of records into words; walk.ts says first whether bytes
 * from the network are a message at all, since the library trusts the lengths in them. Nothing here throws for what comes
 * from the network.
 *
 * Answers of others are never written anew: they go on as they came, with number, question and times set in place.
 */
import { decode, encode } from 'dns-packet'
import type { Answer as LibraryRecord, Packet } from 'dns-packet'
import { isIp4 } from '../base/ip.ts'
import { RCODE, TYPE } from '../core/dns/message.ts'
import type { DnsRecord, Question, Reply } from '../core/dns/message.ts'
import { HEADER_BYTES } from './walk.ts'
import type { Bones } from './walk.ts'

/** Answer, authoritative, recursion desired, recursion available. */
const FLAGS_ANSWER = 0x0580
const FLAGS_RECURSION = 0x0100
/** Largest datagram that is asked of a resolver for a client. */
const MAX_EDNS_BYTES = 4_095
const MAX_TEXT = 4_096
const NAMES = new Map<number, string>(Object.entries(TYPE).map(([name, number]) => [number, name]))

/** A record in words. */
export interface RecordText {
  readonly name: string
  readonly type: string
  readonly ttlSeconds: number
  readonly data: string
}

/** "A", "TYPE65" and so on. */
function typeName(type: number): string {
  return NAMES.get(type) ?? `TYPE${type}`
}

/** A query of ours. It asks for no large datagrams: what does not fit 512 bytes comes by TCP, which every resolver can. */
export function encodeQuery(id: number, { name, type }: Question): Uint8Array {
  return bytesOf({ type: 'query', id, flags: FLAGS_RECURSION, questions: [{ name, type: libraryType(type) }] })
}

/** An answer of ours to a question that `nameProblem` takes. */
export function encodeReply(id: number, { name, type }: Question, { rcode, answers, authority }: Reply): Uint8Array {
  return bytesOf({
    type: 'response', id, flags: FLAGS_ANSWER | rcode, questions: [{ name, type: libraryType(type) }], answers: answers.map(libraryRecord), authorities: authority.map(libraryRecord),
  })
}

/** An answer that says no more than a code, as of a resolver that failed. */
export function encodeFailure(id: number, question: Question, rcode: number = RCODE.serverFailure): Uint8Array {
  const bytes = encodeReply(id, question, { rcode, answers: [], authority: [] })
  bytes[3] = rcode
  return bytes
}

/** The same to a query as it came, whatever its name is made of. */
export function refuseQuery(query: Uint8Array, bones: Bones, rcode: number): Uint8Array {
  const bytes = copyOf(query, bones.asked.end)
  bytes[2] = 0x80 | (query[2]! & 0x79)
  bytes[3] = 0x80 | rcode
  bytes.set([0, 1, 0, 0, 0, 0, 0, 0], 4)
  return bytes
}

/** An answer cut down to its question and marked so: the client asks again by TCP. */
export function cutAnswer(answer: Uint8Array, bones: Bones): Uint8Array {
  const bytes = copyOf(answer, bones.asked.end)
  bytes[2]! |= 0x02
  bytes.set([0, 1, 0, 0, 0, 0, 0, 0], 4)
  return bytes
}

/** Whether bytes are an answer to the query: same number, same question, marked as an answer. */
export function answersQuery(answer: Bones, query: Bones): boolean {
  const { asked } = answer
  return answer.isAnswer && answer.opcode === 0 && answer.id === query.id && asked.name === query.asked.name && asked.type === query.asked.type && asked.class === query.asked.class
}

/** A copy of a query under another number, whose answers fit MAX_EDNS_BYTES. */
export function withNumber(query: Uint8Array, bones: Bones, id: number): Uint8Array {
  const bytes = copyOf(query, bones.length)
  setWord(bytes, 0, id)
  const opt = optOf(bones)
  if (opt && opt.class > MAX_EDNS_BYTES) setWord(bytes, opt.ttlAt - 2, MAX_EDNS_BYTES)
  return bytes
}

/** A copy of an answer for a client: its number, its spelling of the question, and `agedSeconds` off every time. */
export function answerFor(query: Uint8Array, answer: Uint8Array, bones: Bones, agedSeconds: number): Uint8Array {
  const bytes = copyOf(answer, bones.length)
  bytes.set(query.subarray(0, 2))
  bytes.set(query.subarray(HEADER_BYTES, bones.asked.end), HEADER_BYTES)
  if (agedSeconds <= 0) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const record of bones.records) if (record.type !== TYPE.OPT) view.setUint32(record.ttlAt, Math.max(0, record.ttl - agedSeconds))
  return bytes
}

/** How many bytes of answer a client takes in one datagram. */
export function datagramLimit(query: Bones): number {
  return Math.min(MAX_EDNS_BYTES, Math.max(512, optOf(query)?.class ?? 0))
}

/** What of a query but its question an answer depends on: recursion, authentic data, checking, EDNS and its DNSSEC mark. */
export function traitsOf(query: Uint8Array, bones: Bones): string {
  const opt = optOf(bones)
  return `${query[2]! & 1} ${query[3]! & 0x30} ${opt ? 1 + ((opt.ttl >> 15) & 1) : 0}`
}

function optOf(bones: Bones): Bones['records'][number] | undefined {
  return bones.records.find((record) => record.type === TYPE.OPT && record.section === 'additional')
}

/** The answers of a message in words, as they are in order; data that the library cannot read is counted in bytes. */
export function recordsOf(bytes: Uint8Array, bones: Bones): readonly RecordText[] {
  const mine = bones.records.filter(({ section }) => section === 'answer')
  const theirs = readAll(bytes)
  return mine.map((record, i): RecordText => {
    const read = theirs[i] as { readonly type?: string; readonly ttl?: number; readonly data?: unknown } | undefined
    const fits = read?.type !== undefined && read.ttl === record.ttl
    const data = record.value ?? (fits ? textOf(read.data) : '')
    return { name: record.name, type: fits ? read.type!.replace('UNKNOWN_', 'TYPE') : typeName(record.type), ttlSeconds: record.ttl, data: data === '' ? `(${record.dataBytes} bytes)` : data.slice(0, MAX_TEXT) }
  })
}

function readAll(bytes: Uint8Array): readonly LibraryRecord[] {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).answers ?? []
  } catch {
    return []
  }
}

/** A record's data as one text. */
function textOf(data: unknown): string {
  if (typeof data === 'string') return data
  if (data instanceof Uint8Array) return Buffer.from(data).toString('utf8')
  if (Array.isArray(data)) return data.map(textOf).join(' ')
  if (typeof data === 'object' && data !== null) return Object.values(data).map((value) => (typeof value === 'object' ? textOf(value) : String(value))).join(' ')
  return data === undefined || data === null ? '' : String(data as number)
}

function bytesOf(packet: Packet): Uint8Array {
  return new Uint8Array(encode(packet))
}

function libraryRecord(record: DnsRecord): LibraryRecord {
  const { name, ttlSeconds: ttl } = record
  switch (record.kind) {
    case 'address':
      return { name, ttl, type: isIp4(record.ip) ? 'A' : 'AAAA', data: record.ip }
    case 'pointer':
      return { name, ttl, type: 'PTR', data: record.target }
    case 'zone': {
      const { serial, seconds } = record
      return { name, ttl, type: 'SOA', data: { mname: name, rname: name, serial, refresh: seconds, retry: seconds, expire: seconds, minimum: seconds } }
    }
  }
}

/** The library takes any number as a word of this form. */
function libraryType(type: number): never {
  return `UNKNOWN_${type}` as never
}

/** A copy of the first `length` bytes; a Buffer's own slice would be a view. */
export function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(bytes.subarray(0, length))
}

function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value & 0xff
}
