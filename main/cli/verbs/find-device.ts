/**
 * Which device a person means: an address, a full name, a short name, or a host name that only one has.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import type { PeerStatus, Status } from '../../localapi/types.ts'
import { CliError, EXIT } from '../exit.ts'
import { nameOf } from './status.ts'

/** The device, ourselves included; throws CliError when none or several fit. An address of no device answers undefined. */
export function findDevice(current: Status, text: string): PeerStatus | undefined {
  const all = [current.Self, ...Object.values(current.Peer ?? {})]
  const ip = canonicalIp(text)
  if (ip !== undefined) return all.find((peer) => peer.TailscaleIPs?.includes(ip))
  const wanted = text.replace(/\.$/, '').toLowerCase()
  const fits: readonly ((peer: PeerStatus) => boolean)[] = [
    (peer) => peer.DNSName.replace(/\.$/, '').toLowerCase() === wanted,
    (peer) => nameOf(peer, current).toLowerCase() === wanted,
    (peer) => peer.HostName.toLowerCase() === wanted,
  ]
  for (const fit of fits) {
    const found = all.filter(fit)
    if (found.length === 1) return found[0]
    if (found.length > 1) throw new CliError(EXIT.failed, 'ambiguous', `Several devices are called ${JSON.stringify(text)}: ${found.map((peer) => nameOf(peer, current)).join(', ')}. Use the full name or an address.`)
  }
  throw new CliError(EXIT.failed, 'no-such-device', `No device is called ${JSON.stringify(text)}. See: bowline status`)
}
