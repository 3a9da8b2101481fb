/**
 * bowline/routes: networks behind devices, those that others offer and those that this one does. Names as on the wire.
 */

export interface RouteVia {
  /** Stable ID. */
  readonly ID: string
  readonly Name: string
  readonly Online: boolean
}

export interface RouteRow {
  readonly Prefix: string
  /** `used`: traffic goes there. The others say why not in `Why`. */
  readonly State: 'used' | 'not-accepted' | 'skipped' | 'overlaps' | 'no-router' | 'refused'
  /** One sentence: "through gw-1", "this computer is on 192.168.1.0/24 itself (eth0)". */
  readonly Why: string
  /** Who carries it now; absent: nobody. */
  readonly Via?: RouteVia
  /** Who else offers it. */
  readonly Standby: readonly RouteVia[]
}

export interface OfferedRoute {
  readonly Prefix: string
  readonly Approved: boolean
  /** Traffic for it comes to this device: it is the primary router. */
  readonly Primary: boolean
  /** Connections and flows of others to it that are open now. */
  readonly Flows: number
  /** What stands in the way, or what to know. */
  readonly Note?: string
}

export interface RoutesPage {
  readonly Accept: boolean
  /** By prefix, IPv4 first. */
  readonly Routes: readonly RouteRow[]
  readonly Offered: readonly OfferedRoute[]
}

/**
 * The skipped networks (SkippedRoutes) under which these are used too, once networks are accepted at all. Where they were not
 * accepted before, those that are offered beside these are skipped: nobody asked for them.
 */
export function skippedAfterAccepting(page: RoutesPage, skipped: readonly string[], accepted: readonly string[]): readonly string[] {
  const others = page.Accept ? [] : page.Routes.map(({ Prefix }) => Prefix)
  return [...new Set([...skipped, ...others])].filter((prefix) => !accepted.includes(prefix)).sort()
}
