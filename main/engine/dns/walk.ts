/**
 * The bones of a DNS message: where its question and records are, checked strictly, before anybody reads more of it.
 *
 *   header 12 | question: name, type 2, class 2 | records: name, type 2, class 2, ttl 4, length 2, data
 *   name: (length 1–63, label)… then 0, or a pointer 0xc0|14 bits to an earlier place
 *
 * Bounded whatever the bytes say: one question, MAX_RECORDS records, MAX_STEPS steps through names in the whole message,
 * pointers only backwards. The data of those types that hold an address or a name must be exactly that long, so that no two
 * readers of one message see different records in it. Offsets are kept, since messages are passed on as they came, with
 * another number, another spelling of the question, and times that have gone by.
 *
 * Source: RFC 1035 §4.1.
 */
import { decodeError } from '../base/errors.ts'
import type { DecodeError } from '../base/errors.ts'
import { formatIp } from '../base/ip.ts'
import { TYPE } from '../core/dns/message.ts'

export const HEADER_BYTES = 12
export const MAX_MESSAGE_BYTES = 65_535
const MAX_RECORDS = 1_000
const MAX_STEPS = 50_000
const MAX_NAME_BYTES = 255

export interface Asked {
  /** In lower case, without trailing dot; bytes that are no plain text as \DDD, dots inside a label too. */
  readonly name: string
  /** The same as it was spelled. */
  readonly spelled: string
  readonly type: number
  readonly class: number
  /** End of the question in the message; it begins behind the header. */
  readonly end: number
}

export interface RecordAt {
  readonly section: 'answer' | 'authority' | 'additional'
  readonly name: string
  readonly type: number
  readonly class: number
  /** Where the ttl is, and what it says, seconds. */
  readonly ttlAt: number
  readonly ttl: number
  readonly dataAt: number
  readonly dataBytes: number
  /** Address of an A or AAAA, target of a CNAME. */
  readonly value: string | undefined
}

export interface Bones {
  readonly id: number
  readonly isAnswer: boolean
  readonly isCut: boolean
  /** 0 = a plain query. */
  readonly opcode: number
  readonly rcode: number
  readonly asked: Asked
  readonly records: readonly RecordAt[]
  /** Bytes that belong to the message; what follows is left out. */
  readonly length: number
}

/** Reads the bones of a message; `bytes` are not kept. */
export function walk(bytes: Uint8Array): Bones | DecodeError {
  if (bytes.length < HEADER_BYTES) return decodeError('short')
  if (bytes.length > MAX_MESSAGE_BYTES) return decodeError('bad-length')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const counts = [6, 8, 10].map((at) => view.getUint16(at))
  if (view.getUint16(4) !== 1 || counts[0]! + counts[1]! + counts[2]! > MAX_RECORDS) return decodeError('bad-length', 'counts')
  const steps = { left: MAX_STEPS }
  const name = readName(bytes, HEADER_BYTES, steps)
  if (name === undefined || name.end + 4 > bytes.length) return decodeError('bad-value', 'question')
  const asked: Asked = { name: name.text.toLowerCase(), spelled: name.text, type: view.getUint16(name.end), class: view.getUint16(name.end + 2), end: name.end + 4 }
  const records: RecordAt[] = []
  let at = asked.end
  for (const [i, section] of (['answer', 'authority', 'additional'] as const).entries()) {
    for (let n = 0; n < counts[i]!; n++) {
      const record = readRecord({ bytes, view, steps }, at, section)
      if (record === undefined) return decodeError('bad-value', section)
      records.push(record)
      at = record.dataAt + record.dataBytes
    }
  }
  const flags = view.getUint16(2)
  return {
    id: view.getUint16(0), isAnswer: (flags & 0x8000) !== 0, isCut: (flags & 0x0200) !== 0, opcode: (flags >> 11) & 15, rcode: flags & 15, asked, records, length: at,
  }
}

interface Reading {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Steps through names that are left for the whole message. */
  readonly steps: { left: number }
}

function readRecord({ bytes, view, steps }: Reading, from: number, section: RecordAt['section']): RecordAt | undefined {
  const name = readName(bytes, from, steps)
  if (name === undefined || name.end + 10 > bytes.length) return undefined
  const type = view.getUint16(name.end)
  const dataAt = name.end + 10
  const dataBytes = view.getUint16(name.end + 8)
  if (dataAt + dataBytes > bytes.length) return undefined
  const data = readData({ bytes, view, steps }, type, dataAt, dataBytes)
  if (data === undefined) return undefined
  return { section, name: name.text.toLowerCase(), type, class: view.getUint16(name.end + 2), ttlAt: name.end + 4, ttl: view.getUint32(name.end + 4), dataAt, dataBytes, value: data.text?.toLowerCase() }
}

/** What the data says where it is of a kind that we judge by; undefined: it is not as long as its kind is. */
function readData({ bytes, steps }: Reading, type: number, at: number, length: number): { readonly text: string | undefined } | undefined {
  const end = at + length
  const name = (skip: number, tail: number): { readonly text: string | undefined } | undefined => {
    const found = length > skip ? readName(bytes, at + skip, steps) : undefined
    return found !== undefined && found.end + tail === end ? found : undefined
  }
  switch (type) {
    case TYPE.A:
      return length === 4 ? { text: formatIp(bytes.subarray(at, end)) } : undefined
    case TYPE.AAAA:
      return length === 16 ? { text: formatIp(bytes.subarray(at, end)) } : undefined
    case TYPE.CNAME:
    case TYPE.PTR:
    case TYPE.NS:
      return name(0, 0)
    case TYPE.MX:
      return name(2, 0)
    case TYPE.SRV:
      return name(6, 0)
    case TYPE.SOA: {
      const first = readName(bytes, at, steps)
      return first && name(first.end - at, 20) && { text: undefined }
    }
    default:
      return { text: undefined }
  }
}

/** A name and where it ends in the message, pointers not followed; undefined when it is none. */
function readName(bytes: Uint8Array, from: number, steps: { left: number }): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = []
  let at = from
  let lowest = from
  let end: number | undefined
  let total = 1
  for (;;) {
    const length = bytes[at]
    if (length === undefined || --steps.left < 0) return undefined
    if (length === 0) return { text: labels.join('.'), end: end ?? at + 1 }
    if (length >= 0xc0) {
      const low = bytes[at + 1]
      const to = low === undefined ? at : ((length & 0x3f) << 8) | low
      if (to >= lowest || to < HEADER_BYTES) return undefined
      end ??= at + 2
      at = lowest = to
      continue
    }
    total += length + 1
    if (length > 63 || total > MAX_NAME_BYTES || at + 1 + length > bytes.length) return undefined
    labels.push(labelText(bytes, at + 1, length))
    at += 1 + length
  }
}

function labelText(bytes: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length; i++) {
    const byte = bytes[i]!
    if (byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c) text += String.fromCharCode(byte)
    else text += `\\${String(byte).padStart(3, '0')}`
  }
  return text
}
