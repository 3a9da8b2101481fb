/**
 * Answers that would lead a program to this machine itself although the name is somebody else's (DNS rebinding). Pure.
 *
 *   loopback, unspecified           nobody upstream may say so
 *   our tunnel addresses and the resolver's own    only resolvers that the server names for this very zone
 *   addresses of the local network  may be said: names of split zones stand for them every day
 *
 * Such an answer becomes one without records: a filter that blocks a name by 0.0.0.0 has the same effect as before.
 */
import { isLoopbackIp, isUnspecifiedIp } from '../base/ip.ts'
import { isOurselves } from '../core/plan/dns.ts'
import { TYPE } from '../core/dns/message.ts'
import type { Bones } from './walk.ts'

/** Why an answer may not be passed on, as a sentence; undefined: it may. */
export function rebindingIn(bones: Bones, selfAddresses: readonly string[], isOwnZone: boolean): string | undefined {
  for (const { section, type, value } of bones.records) {
    if (section !== 'answer' || value === undefined || (type !== TYPE.A && type !== TYPE.AAAA)) continue
    const ip = value.startsWith('::ffff:') ? plain(value) : value
    if (isLoopbackIp(ip) || isUnspecifiedIp(ip)) return `the answer ${value} is this machine itself, which no resolver may say of ${bones.asked.name}: it was dropped`
    if (!isOwnZone && isOurselves(ip, selfAddresses)) return `the answer ${value} is this device's own address in the network, which a public resolver may not say of ${bones.asked.name}: it was dropped`
  }
  return undefined
}

/** IPv4 in an IPv6 coat ("::ffff:7f00:1"). */
function plain(ip: string): string {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(ip)
  if (!match) return ip
  const [high, low] = [parseInt(match[1]!, 16), parseInt(match[2]!, 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
