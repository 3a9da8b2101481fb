/**
 * Prefixes for systems on which a route cannot stand beside another one for the same prefix: two for its halves win over it, since they
 * are longer, and leave the other as it was.
 */
import { canonicalIp, formatIp, isIp4, networkOf, parseIp, parsePrefix } from '../base/ip.ts'

/** Both halves of a prefix, the lower first; of a single address itself. */
export function halvesOf(prefix: string): readonly string[] {
  const { ip, bits } = parsePrefix(prefix)!
  const bytes = parseIp(ip)!
  if (bits === bytes.length * 8) return [prefix]
  const upper = bytes.slice()
  upper[bits >> 3]! |= 0x80 >> (bits & 7)
  return [`${ip}/${bits + 1}`, `${formatIp(upper)}/${bits + 1}`]
}

/** Whether a text is a network in canonical text, as plans take them. */
export function isPlainPrefix(prefix: string): boolean {
  const parsed = parsePrefix(prefix)
  return parsed !== undefined && canonicalIp(parsed.ip) === parsed.ip && networkOf(parsed.ip, parsed.bits) === prefix
}

export const familyOf = (prefix: string): 4 | 6 => (isIp4(prefix.split('/')[0]!) ? 4 : 6)
