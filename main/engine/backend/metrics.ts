/**
 * Prometheus text: the stock daemon's user metrics, true where this engine has such a thing and zero where it has not, and
 * the engine's own counters. Pure.
 *
 * Source: tailscale wgengine/magicsock, net/tstun, ipnlocal and health metrics (1.102.5); names and order as it prints them.
 */
import type { NetMap } from '../core/netmap/types.ts'
import type { Prefs } from '../../localapi/types.ts'

export interface MetricsInput {
  /** The data plane's, by name. */
  readonly counters: Readonly<Record<string, number>>
  readonly prefs: Prefs
  readonly netMap: NetMap | undefined
  readonly homeRegion: number
  readonly healthMessages: number
}

type Labelled = readonly (readonly [label: string, value: number])[]

/** The stock daemon's names. */
export function userMetrics(input: MetricsInput): string {
  const count = (name: string): number => input.counters[name] ?? 0
  const sum = (...names: readonly string[]): number => names.reduce((total, name) => total + count(name), 0)
  const byPath = (way: 'in' | 'out', unit: 'bytes' | 'packets'): Labelled => [
    ['path="derp"', count(`${way}_relayed_${unit}`)],
    ['path="direct_ipv4"', count(`${way}_direct4_${unit}`)],
    ['path="direct_ipv6"', count(`${way}_direct6_${unit}`)],
    ['path="peer_relay_ipv4"', count(`${way}_peer_relay4_${unit}`)],
    ['path="peer_relay_ipv6"', count(`${way}_peer_relay6_${unit}`)],
  ]
  const dropped: Labelled = [
    ['reason="acl"', count('in_filtered')],
    ['reason="error"', sum('in_malformed', 'in_bad_source', 'in_open_failed')],
  ]
  const lost: Labelled = [['reason="error"', sum('out_malformed', 'out_no_route', 'out_no_path', 'out_no_key', 'out_relay_dropped', 'udp_out_errors')]]
  const routes = input.prefs.AdvertiseRoutes ?? []
  const approved = routes.filter((route) => input.netMap?.self.AllowedIPs?.includes(route))
  return [
    metric('tailscaled_advertised_routes', 'gauge', 'Number of advertised network routes (e.g. by a subnet router)', [['', routes.length]]),
    metric('tailscaled_approved_routes', 'gauge', 'Number of approved network routes (e.g. by a subnet router)', [['', approved.length]]),
    metric('tailscaled_health_messages', 'gauge', 'Number of health messages broken down by type.', [['type="warning"', input.healthMessages]]),
    metric('tailscaled_home_derp_region_id', 'gauge', "DERP region ID of this node's home relay server", [['', input.homeRegion]]),
    metric('tailscaled_inbound_bytes_total', 'counter', 'Counts the number of bytes received from other peers', byPath('in', 'bytes')),
    metric('tailscaled_inbound_dropped_packets_total', 'counter', 'Counts the number of dropped packets received by the node from other peers', dropped.filter(([, value]) => value > 0)),
    metric('tailscaled_inbound_packets_total', 'counter', 'Counts the number of packets received from other peers', byPath('in', 'packets')),
    metric('tailscaled_outbound_bytes_total', 'counter', 'Counts the number of bytes sent to other peers', byPath('out', 'bytes')),
    metric('tailscaled_outbound_dropped_packets_total', 'counter', 'Counts the number of packets dropped while being sent to other peers', lost),
    metric('tailscaled_outbound_packets_total', 'counter', 'Counts the number of packets sent to other peers', byPath('out', 'packets')),
  ].join('')
}

/** Every counter of this engine, by its own names. */
export function engineMetrics(counters: Readonly<Record<string, number>>): string {
  return Object.entries(counters)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => metric(`bowline_${name.replace(/[^A-Za-z0-9_]/g, '_')}_total`, 'counter', undefined, [['', value]]))
    .join('')
}

function metric(name: string, type: 'counter' | 'gauge', help: string | undefined, values: Labelled): string {
  const lines = values.map(([label, value]) => `${name}${label === '' ? '' : `{${label}}`} ${value}`)
  return `${[`# TYPE ${name} ${type}`, ...(help === undefined ? [] : [`# HELP ${name} ${help}`]), ...lines].join('\n')}\n`
}
