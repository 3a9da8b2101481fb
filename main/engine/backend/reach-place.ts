/**
 * Where a target is, before anything is sent: its address, who has it or carries it, and by which prefix; or why nobody does.
 * Decides nothing that proxies would not: it asks the same door.
 */
import { canonicalIp, isLoopbackIp, parsePrefix, prefixContains } from '../base/ip.ts'
import { isCalled, nodeByIp, nodeByKey } from '../core/netmap/find-node.ts'
import { wayTo } from '../core/plan/carrier.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { PlannedRoute } from '../core/plan/routes.ts'
import type { ReachEvidence } from '../core/reach/ladder.ts'
import type { ReachTarget } from '../core/reach/target.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { Model } from './model.ts'
import type { ProxyAnswer } from './ports.ts'
import { carries } from './state.ts'

/** A target that a device has or carries. */
export interface Found {
  readonly ip: string
  readonly node: Node
}

export interface Located {
  readonly evidence: Pick<ReachEvidence, 'notConnected' | 'name' | 'place' | 'route'>
  readonly found?: Found
}

/** Looks the target up; a name that nobody here knows is asked of the resolvers. Never rejects. */
export async function locate(target: ReachTarget, model: Model, plan: (host: string, port: number) => Promise<ProxyAnswer>): Promise<Located> {
  if (!model.netMap || !carries(model.life)) return { evidence: { notConnected: 'connect first, then look again' } }
  const decision = await plan(target.host, target.port)
  const { netMap } = model
  if (!netMap) return { evidence: { notConnected: 'the list of devices went away meanwhile' } }
  const given = canonicalIp(target.host)
  switch (decision.kind) {
    case 'tunnel':
      return inTunnel(decision.addresses[0]!, given, model, netMap)
    case 'engine':
      return { evidence: { name: nameOf(given, target.host), place: { kind: 'self' } } }
    case 'system': {
      const ip = given ?? decision.addresses[0]!
      const name = nameOf(given, ip)
      const isSelf = isLoopbackIp(ip) || addressesOf(netMap.self).includes(ip)
      const unused = isSelf ? undefined : unusedRoute(ip, model.plan.routes)
      return { evidence: { name, place: unused ? { kind: 'route-unused', prefix: unused.prefix, why: unused.why } : { kind: isSelf ? 'self' : 'outside' } } }
    }
    case 'refuse':
      return refused(decision, target, given, model, netMap)
  }
}

function inTunnel(ip: string, given: string | undefined, model: Model, netMap: NetMap): Located {
  const way = wayTo(model.plan.dataplane.peers, ip)
  const node = nodeByIp(netMap, ip) ?? (way && nodeByKey(netMap, way.key))
  const name = nameOf(given, ip)
  if (!node || !way) return { evidence: { name, place: { kind: 'none', why: 'it left the network meanwhile' } } }
  const title = shortName(node, magicDnsSuffix(netMap.self))
  return { evidence: { name, place: { kind: 'peer', name: title, isItself: addressesOf(node).includes(ip), saysOnline: node.Online ?? undefined }, route: way.prefix }, found: { ip, node } }
}

function refused({ code, message }: Extract<ProxyAnswer, { kind: 'refuse' }>, { host }: ReachTarget, given: string | undefined, model: Model, netMap: NetMap): Located {
  if (code === 'no-such-host') return { evidence: { name: { kind: 'missing', why: message } } }
  const suffix = magicDnsSuffix(netMap.self)
  const node = given === undefined ? [...netMap.peers.values()].find((one) => isCalled(one, host, suffix)) : nodeByIp(netMap, given)
  const ip = given ?? (node && addressesOf(node)[0])
  const name = ip === undefined ? {} : { name: nameOf(given, ip) }
  if (code === 'not-allowed') return { evidence: { ...name, place: { kind: 'not-allowed', why: message } } }
  if (node) return { evidence: { ...name, place: { kind: 'unusable', name: shortName(node, suffix), why: node.Expired === true ? 'its sign-in has ended' : message } } }
  const unused = ip === undefined ? undefined : unusedRoute(ip, model.plan.routes)
  return { evidence: { ...name, place: unused ? { kind: 'route-unused', prefix: unused.prefix, why: unused.why } : { kind: 'none', why: message } } }
}

function nameOf(given: string | undefined, ip: string): { readonly kind: 'given' | 'found'; readonly ip: string } {
  return { kind: given === undefined ? 'found' : 'given', ip }
}

/** The narrowest network behind a device that holds the address and that nothing is sent to. */
function unusedRoute(ip: string, routes: readonly PlannedRoute[]): PlannedRoute | undefined {
  return routes
    .filter(({ state, prefix }) => state !== 'used' && prefixContains(parsePrefix(prefix)!, ip))
    .toSorted((a, b) => parsePrefix(b.prefix)!.bits - parsePrefix(a.prefix)!.bits)[0]
}
