/**
 * Words of DNS that decisions are made with: types, codes, questions, records and whole replies as values. Their bytes
 * are the dns part's to write and to read.
 *
 * Source: RFC 1035 §3, §4.
 */
export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, WKS: 11, PTR: 12, HINFO: 13, MINFO: 14, MX: 15, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ALL: 255 } as const
/** Types that a person may ask for by name. */
export const QUERY_TYPES: Readonly<Record<string, number>> = { ...TYPE, DS: 43, SSHFP: 44, DNSKEY: 48, TLSA: 52, SVCB: 64, HTTPS: 65, CAA: 257, NAPTR: 35 }
export const RCODE = { ok: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const

const RCODE_NAMES: readonly string[] = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']
const MAX_NAME = 255
const MAX_LABEL = 63
const ASCII = /^[\x21-\x7e]+$/

export interface Question {
  /** With or without trailing dot; must be a name that `nameProblem` takes. */
  readonly name: string
  readonly type: number
}

/** A record of ours; the data says which type it has. */
export type DnsRecord = { readonly name: string; readonly ttlSeconds: number } & (
  | { readonly kind: 'address'; readonly ip: string }
  | { readonly kind: 'pointer'; readonly target: string }
  /** Start of a zone; every interval of it is `seconds`. */
  | { readonly kind: 'zone'; readonly serial: number; readonly seconds: number }
)

export interface Reply {
  readonly rcode: number
  readonly answers: readonly DnsRecord[]
  readonly authority: readonly DnsRecord[]
}

/** Why a text cannot be a name, or undefined. The root is a name. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.') return undefined
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.')
  if (labels.join('.').length + 2 > MAX_NAME) return `${JSON.stringify(name.slice(0, MAX_NAME))} is too long to be a DNS name`
  const bad = labels.find((label) => label === '' || label.length > MAX_LABEL || !ASCII.test(label))
  return bad === undefined ? undefined : `${JSON.stringify(bad)} is not a valid DNS label`
}

/** "NXDOMAIN" and so on. */
export function rcodeName(rcode: number): string {
  return RCODE_NAMES[rcode] ?? `RCODE${rcode}`
}

/** Whether a name is a zone's or inside it; both in lower case without trailing dot, "" = the root. */
export function isInside(name: string, zone: string): boolean {
  return zone === '' || name === zone || (name.length > zone.length && name.endsWith(zone) && name[name.length - zone.length - 1] === '.')
}

/** In lower case without trailing dot. */
export function plainName(name: string): string {
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase()
}
