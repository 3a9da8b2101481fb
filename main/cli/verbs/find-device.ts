/**
 * Which device a person means: an address, a full name, a short name, or a host name that only one has.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import type { PeerStatus, Status } from '../../localapi/types.ts'
import { CliError, EXIT } from '../exit.ts'
import { nearest } from '../nearest.ts'
import { printable } from '../text.ts'

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
    if (found.length > 1) throw new CliError(EXIT.failed, 'ambiguous', `Several devices are called ${JSON.stringify(text)}: ${found.map((peer) => `${printable(nameOf(peer, current))} ${peer.TailscaleIPs?.[0] ?? ''}`).join(', ')}. Use the full name or an address.`)
  }
  if (current.BackendState === 'NeedsLogin' && all.length === 1) throw new CliError(EXIT.signIn, 'signed-out', 'This device is signed out, so it knows no others. Sign in with: bowline up')
  const near = nearest(wanted, all.map((peer) => nameOf(peer, current).toLowerCase()))
  throw new CliError(EXIT.failed, 'no-such-device', `No device is called ${JSON.stringify(text)}.${near === undefined ? '' : ` Did you mean ${printable(near)}?`} See: bowline status`)
}

/** The address of the exit node that is meant by a name; throws CliError when the device does not offer itself as one. */
export function findExitNode(current: Status, text: string): string {
  const device = findDevice(current, text)
  const offers = Object.values(current.Peer ?? {}).filter((peer) => peer.ExitNodeOption)
  const ip = device?.TailscaleIPs?.[0]
  if (device !== undefined && device.ExitNodeOption && ip !== undefined) return ip
  const others = offers.length > 0 ? `These do: ${offers.map((peer) => printable(nameOf(peer, current))).join(', ')}.` : 'No device of this network does.'
  throw new CliError(EXIT.failed, 'no-exit-node', `--exit-node: ${JSON.stringify(text)} does not offer itself as exit node. ${others}`)
}

/** Short name: without the network's suffix. */
export function nameOf(peer: PeerStatus, current: Status): string {
  const full = peer.DNSName.replace(/\.$/, '')
  const suffix = current.MagicDNSSuffix
  if (full === '') return peer.HostName
  return suffix !== '' && full.endsWith(`.${suffix}`) ? full.slice(0, -suffix.length - 1) : full
}
