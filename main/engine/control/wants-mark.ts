/**
 * A text that stands for what control is to know: equal marks, nothing to tell. Measured latencies are left out, since
 * they differ with every measurement and every update is a message to all peers.
 */
import type { ControlWants } from './ports.ts'

/** The mark of the wants; the order of object keys does not matter. */
export function wantsMark(wants: ControlWants): string {
  const { NetInfo: netInfo, ...host } = wants.hostinfo
  const { DERPLatency: latency, ...net } = netInfo ?? {}
  return canonical([host, net, Object.keys(latency ?? {}).sort(), wants.endpoints, wants.discoKey])
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry
    return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
