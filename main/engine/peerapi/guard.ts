/**
 * Which requests are let in: those that name this device as their host and that no web page has sent. Pure.
 *
 *   Host      "peer", or one of our addresses with a port: a name that was rebound to our address is turned away
 *   Origin, Referer, Sec-Fetch-Site other than "none"     only browsers send them, for pages
 *
 * Source: dataplane facts §8.2. Sec-Fetch-Site is ours: it stops what a page asks for without Origin and Referer.
 */
import { parseAddrPort } from '../base/ip.ts'
import { addressesOf } from '../core/plan/names.ts'
import type { Caller } from './ports.ts'

export type Refusal = 'foreign-host' | 'web-page'

/** Why the request is turned away; undefined when it is not. `host` is the request's own, of its target if that has one. */
export function refusalOf(caller: Caller, host: string, headers: Readonly<Record<string, string | string[] | undefined>>): Refusal | undefined {
  const site = headers['sec-fetch-site']
  if (isSaid(headers['origin']) || isSaid(headers['referer']) || (isSaid(site) && site !== 'none')) return 'web-page'
  if (host === 'peer') return undefined
  const at = parseAddrPort(host)
  return at && knownBy(caller).includes(at.ip) ? undefined : 'foreign-host'
}

/** Our addresses as the caller knows them. */
function knownBy({ node, self }: Caller): readonly string[] {
  const masqueraded = [node.SelfNodeV4MasqAddrForThisPeer, node.SelfNodeV6MasqAddrForThisPeer].filter((ip) => typeof ip === 'string' && ip !== '') as string[]
  return masqueraded.length > 0 ? masqueraded : addressesOf(self)
}

function isSaid(value: string | string[] | undefined): boolean {
  return value !== undefined && value.length > 0
}
