/**
 * Join links: one text that says which network to join, what to trust and what to set. Pure codec; it never holds a secret.
 *
 *   bowline://join#PAYLOAD                  opened by the app
 *   https://any.host/any/path#PAYLOAD       a page that offers the app to those who lack it; a fragment never leaves the browser
 *   PAYLOAD   v1.BODY.KEY.SIGNATURE, each base64url: JSON (≤ 3 KiB) | Ed25519 public key, 32 B | 64 B over "bowline join link v1\n" BODY
 *   JSON      { server, org, contact?, signIn?, pins?, set?: { routes?, names?, exitNode?, shields? }, until: Unix seconds }
 *
 * The signature proves one thing: whoever holds the key with this fingerprint wrote all of it. Whose key that is it does not say:
 * a key that this computer has not seen before is a stranger's, whatever name stands in `org`.
 * Fields that are not known are passed over, since later versions may add some, but never such as look like a secret.
 */
import { ascii, fromBase64Url, toBase64Url, toHex } from '../../base/bytes.ts'
import { ed25519Public, ed25519Sign, ed25519Verify, hashSha256 } from '../../base/crypto.ts'
import { checkContent, writeContent } from './link-content.ts'
import { refused, type JoinContent, type JoinRefusal } from './link-types.ts'

const MARK = ascii('bowline join link v1\n')
const MAX_LINK = 6000
const MAX_BODY_BYTES = 3072
const SCHEME = 'bowline://join'
const PAYLOAD = /^v(\d{1,4})\.([\w-]*)\.([\w-]*)\.([\w-]*)$/

export interface JoinLink extends JoinContent {
  /** SHA-256 of the public key that signed it, hex. */
  readonly fingerprint: string
}

export type ReadLink = { readonly kind: 'link'; readonly link: JoinLink } | JoinRefusal

/** Whether a text is meant as a join link, be it good or not: only then its faults are worth telling. */
export function looksLikeLink(text: string): boolean {
  const trimmed = text.trim()
  return /^bowline:/i.test(trimmed) || /^https?:\/\/[^#]*#v\d{1,4}\.[\w-]*\./i.test(trimmed)
}

/** Reads a link; `nowMs` is wall time. Answers why it is refused, never throws; bounded by its length. */
export function readLink(text: string, nowMs: number): ReadLink {
  const trimmed = text.trim()
  if (trimmed.length > MAX_LINK) return refused('too-long')
  const at = trimmed.indexOf('#')
  const front = at < 0 ? trimmed : trimmed.slice(0, at)
  // Some browsers give a scheme of its own an empty path.
  if (!/^bowline:\/\/join\/?$/i.test(front) && !/^https:\/\/[^\s@]{1,500}$/i.test(front)) return refused('not-a-link')
  const parts = PAYLOAD.exec(at < 0 ? '' : trimmed.slice(at + 1))
  if (!parts) return refused('bad-form')
  if (parts[1] !== '1') return refused('newer-version')
  const [body, key, signature] = [parts[2]!, parts[3]!, parts[4]!].map(fromBase64Url)
  if (!body || key?.length !== 32 || signature?.length !== 64 || body.length > MAX_BODY_BYTES) return refused('bad-form')
  if (!ed25519Verify(key, signedBytes(parts[2]!), signature)) return refused('bad-signature')
  const json = parseUtf8(body)
  const content = json === undefined ? refused('bad-form') : checkContent(json)
  if (content.kind === 'refused') return content
  if (content.content.untilMs <= nowMs) return refused('expired', new Date(content.content.untilMs).toISOString())
  return { kind: 'link', link: { ...content.content, fingerprint: fingerprintOf(key) } }
}

/** A link signed by the key of a 32 B Ed25519 seed; what would be refused at its reading is refused here. `page`: an https page in place of the app's own scheme. */
export function makeLink(content: JoinContent, seed: Uint8Array, nowMs: number, page = SCHEME): { readonly kind: 'made'; readonly text: string } | JoinRefusal {
  const body = toBase64Url(utf8(JSON.stringify(writeContent(content))))
  const text = `${page}#v1.${body}.${toBase64Url(ed25519Public(seed))}.${toBase64Url(ed25519Sign(seed, signedBytes(body)))}`
  const read = readLink(text, nowMs)
  return read.kind === 'refused' ? read : { kind: 'made', text }
}

/** SHA-256 of a 32 B public key, hex. */
export function fingerprintOf(publicKey: Uint8Array): string {
  return toHex(hashSha256(publicKey))
}

function signedBytes(body: string): Uint8Array {
  return Uint8Array.of(...MARK, ...ascii(body))
}

function parseUtf8(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeURIComponent([...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')))
  } catch {
    return undefined
  }
}

/** Throws URIError for half a surrogate pair. */
function utf8(text: string): Uint8Array {
  return Uint8Array.from(encodeURIComponent(text).matchAll(/%([0-9A-F]{2})|(.)/g), ([, hex, letter]) => (hex === undefined ? letter!.charCodeAt(0) : Number.parseInt(hex, 16)))
}
