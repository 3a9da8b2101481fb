/**
 * What becomes of traffic to the internet: one answer for the proxies, names, the window and whatever else sends.
 *
 *   direct    no exit node is chosen
 *   exit      it goes through one
 *   blocked   one is chosen and cannot be used: nothing goes out, whatever the reason
 *   paused    one is chosen, and a person lets traffic past it for now
 *
 * The map judges first: whatever was decided elsewhere, a device that offers no way out, whose key has ended or that is not there
 * carries nothing. Only a person's own words (no choice, a pause, the rule "go direct") let traffic past a chosen exit node.
 */
import { canonicalIp, hasDefaultRoutes } from '../../base/ip.ts'
import { isZeroKey, parseNodeKey } from '../../base/keys.ts'
import type { NodePublicKey } from '../../base/keys.ts'
import { nodeByIp, peerByStableId } from '../netmap/find-node.ts'
import type { NetMap } from '../netmap/types.ts'
import type { Node } from '../tailcfg/types.ts'
import { magicDnsSuffix, shortName } from './names.ts'
import { expiryOf } from './plan-peer.ts'

export type Egress =
  | { readonly kind: 'direct' }
  | { readonly kind: 'exit'; readonly id: string; readonly key: NodePublicKey; readonly name: string; readonly why: string }
  | { readonly kind: 'blocked'; readonly id: string; readonly name: string; readonly why: string }
  /** `untilMs`: wall time at which it ends by itself. */
  | { readonly kind: 'paused'; readonly id: string; readonly name: string; readonly why: string; readonly untilMs?: number }

/** In place of a stable ID while the engine is to choose and has not: nothing goes out. */
export const UNRESOLVED_EXIT = 'auto:any'

/** What a person wants, as prefs say it. */
export interface ExitWish {
  /** Stable ID, or UNRESOLVED_EXIT; "" = none. */
  readonly id: string
  /** Its address, while the stable ID is not known; "" = none. */
  readonly ip: string
}

/** What was found out of the chosen one, or of those in its place; the map may still refuse it. Absent: use the chosen one. */
export type ExitVerdict =
  | { readonly kind: 'use'; readonly id: string; readonly why: string }
  | { readonly kind: 'block'; readonly id: string; readonly why: string }
  | { readonly kind: 'pause'; readonly id: string; readonly why: string; readonly untilMs?: number }

export const DIRECT: Egress = { kind: 'direct' }

/** The way out under a wish and a verdict; `nowMs` is the server's time. */
export function egressOf(netMap: NetMap, wish: ExitWish, nowMs: number, verdict?: ExitVerdict): Egress {
  if (wish.id === '' && wish.ip === '') return DIRECT
  const id = verdict?.id ?? (wish.id === '' ? (nodeWith(netMap, wish.ip)?.StableID ?? '') : wish.id)
  const node = peerByStableId(netMap, id)
  const name = node ? shortName(node, magicDnsSuffix(netMap.self)) : wish.ip
  if (verdict?.kind === 'pause') return { ...verdict, kind: 'paused', name }
  if (verdict?.kind === 'block') return { kind: 'blocked', id, name, why: verdict.why }
  if (id === UNRESOLVED_EXIT) return { kind: 'blocked', id, name: '', why: 'blocked because no exit node can be used yet' }
  if (!node) return { kind: 'blocked', id, name, why: missing(netMap, wish, id) }
  const fault = exitFault(node, nowMs)
  const key = parseNodeKey(node.Key)
  if (fault !== undefined || key === undefined) return { kind: 'blocked', id, name, why: `blocked because the exit node ${name} ${fault ?? 'has no key'}` }
  return { kind: 'exit', id, key, name, why: verdict?.why ?? 'chosen by you' }
}

/** Why a device of the map cannot be an exit node, as the end of a sentence that begins with its name; undefined: it can. */
export function exitFault(node: Node, nowMs: number): string | undefined {
  if (!offersExit(node)) return 'is not offered as one, or not approved on the server'
  if (node.Expired === true || expiryOf(node) <= nowMs) return 'has to sign in again: its key has ended'
  if (isZeroKey(node.Key) || parseNodeKey(node.Key) === undefined) return 'has never connected'
  if (node.UnsignedPeerAPIOnly === true) return 'is not signed'
  return undefined
}

/** Offers to be an exit node, and that is approved: both default routes. */
export function offersExit(node: Node): boolean {
  return hasDefaultRoutes(node.AllowedIPs)
}

function missing(netMap: NetMap, wish: ExitWish, id: string): string {
  if (id !== '' && id === netMap.self.StableID) return 'blocked because this device cannot be its own exit node'
  if (id !== '') return 'blocked because the chosen exit node is not in this network any more'
  return `blocked because no device of this network has the address ${wish.ip}, which was chosen as exit node`
}

function nodeWith(netMap: NetMap, text: string): Node | undefined {
  const ip = canonicalIp(text)
  return ip === undefined ? undefined : nodeByIp(netMap, ip)
}
