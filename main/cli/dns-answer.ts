/**
 * A DNS answer as the official command's JSON shows it. The message comes from a resolver somewhere: what cannot be read
 * is an error with a sentence, never a crash.
 */
import type { Answer, DecodedPacket } from 'dns-packet'
import type { DnsResolver } from '../engine/core/tailcfg/types.ts'
import { CliError, EXIT } from './exit.ts'

export interface DnsAnswer {
  readonly Name: string
  readonly QueryType: string
  readonly Resolvers?: readonly DnsResolver[]
  /** With the names of Go's dnsmessage package. */
  readonly ResponseCode: string
  readonly Answers?: readonly { readonly Name: string; readonly TTL: number; readonly Class: string; readonly Type: string; readonly Body: string }[]
}

const CODES: Readonly<Record<string, string>> = {
  NOERROR: 'RCodeSuccess', FORMERR: 'RCodeFormatError', SERVFAIL: 'RCodeServerFailure', NXDOMAIN: 'RCodeNameError', NOTIMP: 'RCodeNotImplemented', REFUSED: 'RCodeRefused',
}
const CLASSES: Readonly<Record<string, string>> = { IN: 'ClassINET', CS: 'ClassCSNET', CH: 'ClassCHAOS', HS: 'ClassHESIOD', ANY: 'ClassANY' }

/** Reads the message of a dns-query; throws CliError('bad-answer'). */
export async function readDnsAnswer(name: string, type: string, answer: { readonly Bytes: string; readonly Resolvers: readonly DnsResolver[] | null }): Promise<DnsAnswer> {
  // Only this verb reads DNS messages.
  const { decode } = await import('dns-packet')
  let packet: DecodedPacket
  try {
    packet = decode(Buffer.from(answer.Bytes, 'base64'))
  } catch {
    throw new CliError(EXIT.failed, 'bad-answer', `The answer to ${JSON.stringify(name)} is no DNS message.`)
  }
  const rows = (packet.answers ?? []).map(rowOf)
  const resolvers = answer.Resolvers ?? []
  const code = (packet as DecodedPacket & { readonly rcode?: string }).rcode ?? ''
  return { Name: name, QueryType: type, ...(resolvers.length > 0 ? { Resolvers: resolvers } : {}), ResponseCode: CODES[code] ?? code, ...(rows.length > 0 || code === 'NOERROR' ? { Answers: rows } : {}) }
}

function rowOf(answer: Answer): NonNullable<DnsAnswer['Answers']>[number] {
  const { ttl, class: kind, data } = answer as { readonly ttl?: number; readonly class?: string; readonly data?: unknown }
  return { Name: `${answer.name}.`, TTL: ttl ?? 0, Class: CLASSES[kind ?? ''] ?? kind ?? '', Type: `Type${answer.type}`, Body: bodyOf(data) }
}

/** A record's data as one text. */
function bodyOf(data: unknown): string {
  if (typeof data === 'string') return data
  if (data instanceof Uint8Array) return Buffer.from(data).toString('utf8')
  if (Array.isArray(data)) return data.map(bodyOf).join(' ')
  if (typeof data === 'object' && data !== null) return Object.values(data).map((value) => (typeof value === 'object' ? bodyOf(value) : String(value))).join(' ')
  return data === undefined || data === null ? '' : String(data as number)
}
