/**
 * SSDP: the search for a router that speaks UPnP, in HTTP's clothes over UDP. Pure codec.
 *
 *   question   M-SEARCH * HTTP/1.1, ST: what is looked for, MX: seconds over which answers may be spread
 *   answer     HTTP/1.1 200 OK, LOCATION: http://…/description.xml, ST and USN: what it is
 *
 * Of the location only port and path are taken: its host is forced to be the gateway, so nobody on the link can send us elsewhere.
 * Source: UPnP Device Architecture 2.0 §1.3.
 */
import { ascii } from '../../base/bytes.ts'
import type { UpnpPlace } from './types.ts'

export const SSDP_PORT = 1900
export const SSDP_GROUP = '239.255.255.250'
/** The shortest time over which those who are asked together may spread their answers. */
export const SSDP_SPREAD_SEC = 1
const GATEWAY_TYPE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'
const GATEWAY_WORD = ':InternetGatewayDevice:'
const MAX_ANSWER_BYTES = 4096
const MAX_PATH = 512

/** Questions with whom to ask, in order: the gateway alone, then whoever listens. Some answer only to the exact type, some never to it. */
export function ssdpQuestions(gateway: string): readonly { readonly to: string; readonly bytes: Uint8Array }[] {
  return [
    { to: gateway, bytes: question(gateway, GATEWAY_TYPE) },
    { to: gateway, bytes: question(gateway, 'ssdp:all') },
    { to: SSDP_GROUP, bytes: question(SSDP_GROUP, 'ssdp:all', SSDP_SPREAD_SEC) },
    { to: SSDP_GROUP, bytes: question(SSDP_GROUP, GATEWAY_TYPE, SSDP_SPREAD_SEC) },
  ]
}

function question(host: string, target: string, spreadSec?: number): Uint8Array {
  const spread = spreadSec === undefined ? '' : `MX: ${spreadSec}\r\n`
  return ascii(`M-SEARCH * HTTP/1.1\r\nHOST: ${host}:${SSDP_PORT}\r\nST: ${target}\r\nMAN: "ssdp:discover"\r\n${spread}\r\n`)
}

/** Where the answer says that a router's description lies; undefined when it is of something else or malformed. */
export function readSsdpAnswer(bytes: Uint8Array): UpnpPlace | undefined {
  if (bytes.length > MAX_ANSWER_BYTES) return undefined
  const [status, ...lines] = String.fromCharCode(...bytes).split(/\r?\n/)
  if (!/^HTTP\/1\.[01] 200(?: |$)/.test(status!)) return undefined
  if (!lines.some((line) => /^(?:st|usn):/i.test(line) && line.includes(GATEWAY_WORD))) return undefined
  const location = lines.find((line) => /^location:/i.test(line))
  return location === undefined ? undefined : httpPlace(location.slice('location:'.length).trim())
}

/** Port and path of an http: address, whatever host it names. */
export function httpPlace(url: string): UpnpPlace | undefined {
  const match = /^http:\/\/(?:\[[^\]]*\]|[^/:?#]+)(?::(\d{1,5}))?(\/[\x21-\x7e]*)?$/i.exec(url)
  if (!match) return undefined
  const port = Number(match[1] ?? 80)
  const path = (match[2] ?? '/').replace(/#.*$/, '')
  return port > 0 && port <= 65_535 && path.length <= MAX_PATH ? { port, path } : undefined
}
