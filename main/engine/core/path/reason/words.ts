/**
 * Words that several rules share: counts, round trips, where an address lies, how a path's sentence begins. Pure.
 */
import { isIp4, isLinkLocalIp, isLoopbackIp, isPrivateIp } from '../../../base/ip.ts'
import type { CandidateView } from '../types.ts'
import type { PathEvidence } from './evidence.ts'

/** What kind of address it is: derived, since nobody tells. */
export type Place = 'this-machine' | 'local-network' | 'ipv4' | 'ipv6'

export function placeOf(ip: string): Place {
  if (isLoopbackIp(ip)) return 'this-machine'
  if (isPrivateIp(ip) || isLinkLocalIp(ip)) return 'local-network'
  return isIp4(ip) ? 'ipv4' : 'ipv6'
}

const PLACE_WORDS: Readonly<Record<Place, string>> = {
  'this-machine': 'on this machine',
  'local-network': 'on the local network',
  ipv4: 'over the internet',
  ipv6: 'over the internet (IPv6)',
}

export const placeWords = (ip: string): string => PLACE_WORDS[placeOf(ip)]

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}

/** "0.6 ms", "38 ms", "1.2 s". */
export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** Addresses that are not behind a peer relay. */
export const directOnes = ({ machine }: PathEvidence): readonly CandidateView[] => machine.candidates.filter((one) => one.addr.vni === undefined)

/** Of them, pinged at least once since they were learnt or since they last answered. */
export const triedOnes = (e: PathEvidence): readonly CandidateView[] => directOnes(e).filter((one) => one.unanswered > 0 || one.latencyMs !== undefined)

/** "no reply from any of 4 addresses", "no reply from its only address". */
export function noReply(tried: number, yet = false): string {
  return tried === 1 ? `no reply${yet ? ' yet' : ''} from its only address` : `no reply${yet ? ' yet' : ''} from any of ${tried} addresses`
}

/** How a sentence begins that says why there is no direct path. */
export function lead(e: PathEvidence): string {
  const { path, latencyMs } = e.machine
  switch (path.kind) {
    case 'relay':
      return 'relayed:'
    case 'peer-relay':
      return `through ${peerRelay(e)}: answered${latencyMs === undefined ? '' : ` in ${formatMs(latencyMs)}`};`
    case 'none':
      return 'no path: its relay is not known;'
    case 'direct':
      return 'direct:'
    case 'both':
      return 'both ways:'
  }
}

/** The peer relay, with its device's name as far as that is one. */
export function peerRelay(e: PathEvidence): string {
  const name = e.peer?.relayDevice ?? ''
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name) ? `peer relay ${name}` : 'a peer relay'
}
