/**
 * What a person wants to reach, from what was typed or pasted: a name, an address, or one of them with a port. Pure.
 *
 *   laptop    laptop:22    100.64.0.7:443    [fd7a::1]:80    fd7a::1    https://wiki.example.com/page    ssh://me@laptop
 *
 * A text that is none of these is refused in words; nothing of it is ever run or asked of anybody.
 */
import { canonicalIp } from '../../base/ip.ts'

export interface ReachTarget {
  /** A name in lower case, without its last dot, or a canonical address. */
  readonly host: string
  /** 0: no port was named. */
  readonly port: number
}

const MAX_TEXT = 300
const SCHEME_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, ssh: 22, sftp: 22, ftp: 21, rdp: 3389, vnc: 5900, smb: 445, postgres: 5432, postgresql: 5432, mysql: 3306, redis: 6379 }
const NAME = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/

/** The target, or why the text is none, as a sentence. */
export function parseTarget(text: string): ReachTarget | { readonly problem: string } {
  if (text.length > MAX_TEXT) return { problem: `A target has ${MAX_TEXT} characters at most.` }
  const { rest, schemePort } = withoutUrl(text.trim())
  if (rest === '') return { problem: 'Name a device, an address, or a device with a port, like nas:22.' }
  const bare = canonicalIp(rest)
  if (bare !== undefined) return { host: bare, port: schemePort }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(rest)
  if (!match) return { problem: 'That is neither a name nor an address. Write the port behind a colon, like nas:22 or [fd7a::1]:22.' }
  const [, bracketed, plain, portText] = match
  const port = portText === undefined ? schemePort : portOf(portText)
  if (port === undefined) return { problem: 'A port is a number from 1 to 65535.' }
  const host = bracketed === undefined ? nameOf(plain!) : canonicalIp(bracketed)
  if (host === undefined) return { problem: bracketed === undefined ? 'A name has letters, digits, dots and dashes.' : 'Between brackets stands an IPv6 address.' }
  return { host, port }
}

/** As a person writes it. */
export function targetText({ host, port }: ReachTarget): string {
  if (port === 0) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Of a URL its host and port alone: no path, nobody's name, no password. */
function withoutUrl(text: string): { readonly rest: string; readonly schemePort: number } {
  const url = /^([a-z][a-z0-9+.-]{0,20}):\/\/([^/?#\\]*)/i.exec(text)
  if (!url) return { rest: text, schemePort: 0 }
  const authority = url[2]!
  return { rest: authority.slice(authority.lastIndexOf('@') + 1), schemePort: SCHEME_PORTS[url[1]!.toLowerCase()] ?? 0 }
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}

function nameOf(text: string): string | undefined {
  const ip = canonicalIp(text)
  if (ip !== undefined) return ip
  const name = text.toLowerCase().replace(/\.$/, '')
  return NAME.test(name) && !/^[\d.]+$/.test(name) ? name : undefined
}
