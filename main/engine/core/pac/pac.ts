/**
 * The PAC file: a small program that a browser asks, for each address, whether it goes through the proxies. Pure.
 *
 *   loopback                                        → DIRECT
 *   an exit node is chosen: everything else         → proxies, and never past them (networks of `direct` apart)
 *   a name without dots                             → proxies, which know the short names and ask the system for others
 *   a name of the network, or of its split DNS      → proxies
 *   an address in one of the networks               → proxies
 *   the rest                                        → DIRECT
 *
 * It holds no names of devices: it stays the same while devices come and go, since browsers seldom read it again, and a
 * page that got hold of it would learn little. The HTTP proxy comes first: browsers hand names to it unresolved, all of
 * them, which Firefox may not do for SOCKS and Windows' own client has no SOCKS5 for; and it can say why it refuses.
 * Names of the network are never looked up by the browser, so nothing in here calls dnsResolve or isInNet.
 */
import { formatAddrPort, parseIp, parsePrefix } from '../../base/ip.ts'
import type { AddrPort } from '../../base/ip.ts'

export interface PacWants {
  readonly http: AddrPort
  readonly socks5: AddrPort | undefined
  /** Names that go to the proxies with everything below them. */
  readonly domains: readonly string[]
  /** Prefixes that go to the proxies. */
  readonly networks: readonly string[]
  /** An exit node is chosen, or was and is missing. */
  readonly everything: boolean
  /** Prefixes that stay out of it even then. */
  readonly direct: readonly string[]
}

/** Characters of each list; what is more is left out. */
const MAX_LIST = 16_000
const DOMAIN = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/

/** The program's text, ASCII, ES5, at most 64 KiB, the same for the same wants. */
export function pacText(wants: PacWants): string {
  const { http, socks5, everything } = wants
  const chain = [`PROXY ${formatAddrPort(http)}`, ...(socks5 ? [`SOCKS5 ${formatAddrPort(socks5)}`] : [])].join('; ')
  const domains = [...new Set(wants.domains.map((name) => name.toLowerCase().replace(/\.$/, '')))].filter((name) => DOMAIN.test(name)).toSorted()
  const networks = bitsOf(wants.networks)
  const direct = bitsOf(wants.direct)
  return `// Made by Bowline.
var proxies = ${JSON.stringify(chain)};
var everything = ${everything};
var domains = ${list(domains)};
var networks4 = ${list(networks.v4)};
var networks6 = ${list(networks.v6)};
var direct4 = ${list(direct.v4)};
var direct6 = ${list(direct.v6)};
${PROGRAM}`
}

/** Prefixes as the bits that their addresses begin with. */
function bitsOf(prefixes: readonly string[]): { v4: readonly string[]; v6: readonly string[] } {
  const v4 = new Set<string>()
  const v6 = new Set<string>()
  for (const text of prefixes) {
    const prefix = parsePrefix(text)
    const bytes = prefix && parseIp(prefix.ip)
    if (!prefix || !bytes) continue
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('').slice(0, prefix.bits)
    ;(bytes.length === 4 ? v4 : v6).add(bits)
  }
  return { v4: [...v4].toSorted(), v6: [...v6].toSorted() }
}

/** A list as the program holds it, cut where it grows too long. */
function list(texts: readonly string[]): string {
  let left = MAX_LIST
  return JSON.stringify(texts.filter((text) => (left -= text.length + 3) >= 0))
}

const PROGRAM = `
function pad(text, size) {
  while (text.length < size) text = '0' + text;
  return text;
}

function bits4(host) {
  var parts = /^(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})$/.exec(host);
  if (!parts) return '';
  var bits = '';
  for (var i = 1; i < 5; i++) {
    if (parts[i] > 255) return '';
    bits += pad((+parts[i]).toString(2), 8);
  }
  return bits;
}

function bits6(host) {
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/.test(host)) return '';
  var last = host.substring(host.lastIndexOf(':') + 1);
  var tail = bits4(last);
  if (tail) host = host.substring(0, host.length - last.length) + parseInt(tail.substring(0, 16), 2).toString(16) + ':' + parseInt(tail.substring(16), 2).toString(16);
  var halves = host.split('::');
  if (halves.length > 2) return '';
  var head = halves[0] ? halves[0].split(':') : [];
  var rest = halves.length > 1 && halves[1] ? halves[1].split(':') : [];
  if (halves.length > 1) while (head.length + rest.length < 8) head.push('0');
  var groups = head.concat(rest);
  if (groups.length !== 8) return '';
  var bits = '';
  for (var i = 0; i < 8; i++) {
    if (!/^[0-9a-f]{1,4}$/.test(groups[i])) return '';
    bits += pad(parseInt(groups[i], 16).toString(2), 16);
  }
  return bits;
}

function begins(bits, prefixes) {
  for (var i = 0; i < prefixes.length; i++) if (bits.substring(0, prefixes[i].length) === prefixes[i]) return true;
  return false;
}

function below(host) {
  for (var i = 0; i < domains.length; i++) {
    var at = host.length - domains[i].length;
    if (at >= 0 && host.substring(at) === domains[i] && (at === 0 || host.charAt(at - 1) === '.')) return true;
  }
  return false;
}

function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\\[|\\]$/g, '').replace(/\\.$/, '');
  var v4 = bits4(host);
  var v6 = v4 ? '' : bits6(host);
  if (host === 'localhost' || /\\.localhost$/.test(host) || v4.substring(0, 8) === '01111111' || (v6 && v6.indexOf('1') === 127)) return 'DIRECT';
  if ((v4 && begins(v4, direct4)) || (v6 && begins(v6, direct6))) return 'DIRECT';
  if (everything) return proxies;
  if (v4) return begins(v4, networks4) ? proxies : 'DIRECT';
  if (v6) return begins(v6, networks6) ? proxies : 'DIRECT';
  if (host.indexOf('.') < 0) return proxies + '; DIRECT';
  return below(host) ? proxies : 'DIRECT';
}
`
