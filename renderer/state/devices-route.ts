/**
 * Whether a device carries a network that somebody asks for: "10.2.0.0/16", one address in it, or how either begins. Pure.
 */

/** `wanted` in one of the prefixes, or the start of one's text. The way to the internet counts only when it is asked for itself. */
export function holdsRoute(prefixes: readonly string[], wanted: string): boolean {
  const network = parse4(wanted)
  return prefixes.some((prefix) => {
    if (prefix.startsWith(wanted)) return true
    const own = network && parse4(prefix)
    return own !== undefined && own.bits > 0 && own.bits <= network!.bits && own.bits <= 32 && high(own.ip, own.bits) === high(network!.ip, own.bits)
  })
}

const high = (ip: number, bits: number): number => Math.floor(ip / 2 ** (32 - bits))

/** "10.2.0.0/16" or "10.2.3.4". */
function parse4(text: string): { readonly ip: number; readonly bits: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text)
  if (!match) return undefined
  const [a, b, c, d] = match.slice(1, 5).map(Number)
  const bits = match[5] === undefined ? 32 : Number(match[5])
  return Math.max(a!, b!, c!, d!) > 255 || bits > 32 ? undefined : { ip: ((a! * 256 + b!) * 256 + c!) * 256 + d!, bits }
}
