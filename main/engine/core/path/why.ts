/**
 * The present path of a peer in one true sentence, from what the path machine knows. Pure; no address in it.
 */
import { isLinkLocalIp, isLoopbackIp, isPrivateIp } from '../../base/ip.ts'
import type { Path } from './types.ts'

export interface PathEvidence {
  readonly path: Path
  readonly noDirect: 'no-disco-key' | 'switched-off' | undefined
  readonly latencyMs: number | undefined
  /** Addresses known. */
  readonly known: number
  /** Of them, pinged at least once since they were learnt or since they last answered. */
  readonly tried: number
  /** Of them, answered within the time that an answer counts. */
  readonly answered: number
  /** Pings in a row without a pong on the direct path. */
  readonly misses: number
  /** Whether a direct path is being looked for or kept at present. */
  readonly isActive: boolean
  /** Why the last direct path was given up, until there is another. */
  readonly lostWhy: string | undefined
}

/** "direct: …", "both ways: …", "relayed: …" or "no path: …". */
export function explainPath(e: PathEvidence): string {
  switch (e.path.kind) {
    case 'direct':
      return `direct: answered in ${formatMs(e.latencyMs ?? 0)} ${place(e.path.addr.ip)}`
    case 'peer-relay':
      return `peer relay: a node of the network forwards, answered in ${formatMs(e.latencyMs ?? 0)}; ${notDirect(e)}`
    case 'both':
      if (e.path.vni !== undefined) return 'both ways: the session on the peer relay is not proven at present'
      return e.misses > 0
        ? `both ways: no reply to ${count(e.misses, 'ping')} on the direct path`
        : 'both ways: the direct path has rested and is not proven again yet'
    case 'relay':
      return `relayed: ${notDirect(e)}`
    case 'none':
      return `no path: its relay is not known; ${notDirect(e)}`
  }
}

function notDirect(e: PathEvidence): string {
  if (e.noDirect === 'switched-off') return 'direct paths are switched off here'
  if (e.noDirect === 'no-disco-key') return 'it has no key for finding direct paths'
  if (e.lostWhy !== undefined && e.answered === 0) return `${e.lostWhy}${e.tried > 0 ? `; no reply yet from ${count(e.tried, 'address', 'addresses')}` : ''}`
  if (e.known === 0) return e.isActive ? 'none of its addresses is known yet' : 'none of its addresses is known'
  if (e.tried > 0) return `no reply yet from ${count(e.tried, 'address', 'addresses')}`
  return 'no traffic yet, so no direct path was looked for'
}

function place(ip: string): string {
  if (isLoopbackIp(ip)) return 'on this machine'
  if (isPrivateIp(ip) || isLinkLocalIp(ip)) return 'on the local network'
  return 'over the internet'
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}

function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`
}
