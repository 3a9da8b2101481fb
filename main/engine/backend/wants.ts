/**
 * What we tell control of ourselves, whole each time: system facts, then what prefs and the network say.
 */
import { parseAddrPort } from '../base/ip.ts'
import { UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import { addressesOf } from '../core/plan/names.ts'
import { peerApiServices } from '../core/plan/peer-api-port.ts'
import type { RelayServerWish } from '../core/plan/types.ts'
import type { Hostinfo } from '../core/tailcfg/types.ts'
import type { Prefs } from '../../localapi/types.ts'
import type { Model } from './model.ts'

/** The relay for others that a person offers; undefined when they do not. */
export function relayServerWish(prefs: Prefs): RelayServerWish | undefined {
  const port = prefs.RelayServerPort
  if (port === undefined || port === null) return undefined
  return { port, staticEndpoints: (prefs.RelayServerStaticEndpoints ?? []).flatMap((text) => parseAddrPort(text) ?? []) }
}

/** Hostinfo of the moment. Nothing is advertised that is not served. */
export function hostinfoOf(base: Hostinfo, model: Model): Hostinfo {
  const { prefs } = model.saved
  const routes = prefs.AdvertiseRoutes ?? []
  const tags = prefs.AdvertiseTags ?? []
  const services = model.netMap ? peerApiServices(addressesOf(model.netMap.self)) : []
  return {
    ...base,
    ...(prefs.Hostname !== '' ? { Hostname: prefs.Hostname } : {}),
    ...(prefs.ShieldsUp ? { ShieldsUp: true } : {}),
    ...(routes.length > 0 ? { RoutableIPs: routes } : {}),
    ...(tags.length > 0 ? { RequestTags: tags } : {}),
    ...(relayServerWish(prefs) ? { PeerRelay: true } : {}),
    ...(services.length > 0 ? { Services: services } : {}),
    ...exitNodeUsed(model),
    ...(model.netInfo ? { NetInfo: model.netInfo } : {}),
  }
}

/** Another one may be used in place of the chosen one; none is told while it is not settled which. */
function exitNodeUsed({ plan, saved: { prefs } }: Model): Hostinfo {
  const id = plan.egress.kind === 'exit' ? plan.egress.id : prefs.ExitNodeID
  return id === '' || id === UNRESOLVED_EXIT ? {} : { ExitNodeID: id }
}
