/**
 * What we tell control of ourselves, whole each time: system facts, then what prefs and the network say.
 */
import { addressesOf } from '../core/plan/names.ts'
import { peerApiServices } from '../core/plan/peer-api-port.ts'
import type { Hostinfo } from '../core/tailcfg/types.ts'
import type { Model } from './model.ts'

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
    ...(services.length > 0 ? { Services: services } : {}),
    ...(prefs.ExitNodeID !== '' ? { ExitNodeID: prefs.ExitNodeID } : {}),
    ...(model.netInfo ? { NetInfo: model.netInfo } : {}),
  }
}
