/**
 * The home router, if there is one: the gateway of the default route, when it is the kind that maps ports. Pure.
 *
 * Such routers have a private address. Others (a provider's, a cloud's) are not asked: nobody there wants to hear of it.
 * Source: tailscale net/netmon (LikelyHomeRouterIP) @ de9ec7e, read 2026-08.
 */
import { isIp4, isLinkLocalIp, isPrivateIp, prefixContains } from '../../base/ip.ts'
import type { RouterLink } from './types.ts'

export interface NetworkFacts {
  readonly interfaces: readonly { readonly name: string; readonly ip: string; readonly prefix?: number; readonly internal: boolean; readonly up?: boolean }[]
  readonly defaultRoute4?: { readonly interface: string; readonly gateway?: string; readonly source?: string } | undefined
}

export function routerLinkOf({ interfaces, defaultRoute4: route }: NetworkFacts): RouterLink | undefined {
  const gateway = route?.gateway
  if (!route || gateway === undefined || !isIp4(gateway) || !isPrivateIp(gateway)) return undefined
  const own = interfaces.filter(({ name, ip, internal, up }) => name === route.interface && !internal && up !== false && isIp4(ip) && !isLinkLocalIp(ip))
  const beside = own.find(({ ip, prefix }) => prefix !== undefined && prefixContains({ ip, bits: prefix }, gateway))
  const selfIp = route.source ?? (beside ?? own[0])?.ip
  return selfIp === undefined || selfIp === gateway ? undefined : { gateway, selfIp }
}
