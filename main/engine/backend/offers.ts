/**
 * What this device offers others, and what the server made of it, as one row a prefix.
 */
import { canonical } from '../core/plan/plan-peer.ts'
import type { OfferedRoute } from '../../localapi/routes.ts'
import type { Model } from './model.ts'

/** In the order of the prefs; default routes too. A server tells its approval in our own node. */
export function offeredRoutes({ saved, netMap }: Model): readonly OfferedRoute[] {
  const approved = new Set((netMap?.self.AllowedIPs ?? []).map(canonical))
  const primary = new Set((netMap?.self.PrimaryRoutes ?? []).map(canonical))
  return (saved.prefs.AdvertiseRoutes ?? []).map((text) => {
    const prefix = canonical(text) ?? text
    return { Prefix: prefix, Approved: approved.has(prefix), Primary: primary.has(prefix), Flows: 0 }
  })
}
