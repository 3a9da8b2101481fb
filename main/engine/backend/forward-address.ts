/**
 * What a person wrote of a forward, read strictly: where it listens and where it leads. Pure.
 *
 *   listen  "5432", ":5432", "localhost:5432", "127.0.0.1:5432", "[::1]:5432"     this computer alone; port 0 = any
 *   to      "db", "db:5432", "db.example.ts.net:5432", "10.0.3.7:445", "[fd7a::1]:53"
 */
import { canonicalIp, formatAddrPort, isLoopbackIp, parseAddrPort } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { EngineError } from '../base/errors.ts'

const MAX_TEXT = 300
const HOST = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?$/i

/** Throws EngineError('bad-prefs') in words for a person. */
export function listenAddress(text: string): AddrPort {
  const bare = /^(?:|:|localhost:)(\d{1,5})$/i.exec(text)?.[1]
  const at = parseAddrPort(bare === undefined ? text : `127.0.0.1:${bare}`)
  if (!at) throw refused(`${quoted(text)} is no port of this computer. Give a port, like 5432.`)
  if (!isLoopbackIp(at.ip)) throw refused(`A forward listens on this computer alone: 127.0.0.1 or ::1, not ${at.ip}.`)
  return at
}

export interface Target {
  readonly host: string
  readonly port: number
}

/** Throws EngineError('bad-prefs'); without a port it has `otherwise`, where that is one. */
export function targetOf(text: string, otherwise = 0): Target {
  if (text.length > MAX_TEXT) throw refused('The place that a forward leads to is too long.')
  const at = parseAddrPort(text)
  const ip = canonicalIp(text.replace(/^\[(.*)\]$/, '$1'))
  const [, name, digits] = /^([^:[\]]*?)(?::(\d{1,5}))?$/.exec(text) ?? []
  const found = at ? { host: at.ip, port: at.port } : ip !== undefined ? { host: ip, port: otherwise } : name !== undefined ? { host: name, port: digits === undefined ? otherwise : Number(digits) } : undefined
  if (!found || (canonicalIp(found.host) === undefined && !HOST.test(found.host))) throw refused(`${quoted(text)} is no place to lead to. Give a device or an address with a port, like db:5432.`)
  if (found.port < 1 || found.port > 65_535) throw refused(`${quoted(text)} has no port between 1 and 65535. Give one, like ${found.host.includes(':') ? `[${found.host}]` : found.host}:5432.`)
  return found
}

/** Whether a text names a whole place, as one that was saved does. */
export function isTarget(text: string): boolean {
  try {
    return formatTarget(targetOf(text)) === text
  } catch {
    return false
  }
}

export function formatTarget({ host, port }: Target): string {
  return canonicalIp(host) === undefined ? `${host}:${port}` : formatAddrPort({ ip: host, port })
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

export function refused(text: string): EngineError {
  return new EngineError('bad-prefs', text)
}
