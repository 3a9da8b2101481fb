/**
 * Which TCP port our PeerAPI has on all our addresses: worked out of the first one, so that it is the same every time.
 *
 *   port = 0x8000 | low 16 bits of CRC-32 (IEEE) of the address's last three bytes
 *
 * Peers do not work it out: they learn it from Hostinfo.Services and from TSMP pongs.
 * Source: dataplane facts §8.1; tailscale ipn/ipnlocal/peerapi.go (listen), in userspace mode one port for both families.
 */
import { formatAddrPort, isIp4, parseIp } from '../../base/ip.ts'
import type { Node, Service } from '../tailcfg/types.ts'
import { addressesOf } from './names.ts'

/** Names are looked up here for others; the "port" is a version. */
const DNS_PROXY: Service = { Proto: 'peerapi-dns-proxy', Port: 1 }
const CRC32_POLYNOMIAL = 0xedb8_8320

/** 32768–65535; 0 while we have no address. */
export function peerApiPort(selfAddresses: readonly string[]): number {
  const ip = selfAddresses.find(isIp4) ?? selfAddresses[0]
  const bytes = ip === undefined ? undefined : parseIp(ip)
  return bytes ? 0x8000 | (crc32(bytes.subarray(-3)) & 0xffff) : 0
}

/** What Hostinfo says of it: one entry for each family that we have an address of. */
export function peerApiServices(selfAddresses: readonly string[]): readonly Service[] {
  const Port = peerApiPort(selfAddresses)
  const has4 = selfAddresses.some(isIp4)
  const has6 = selfAddresses.some((ip) => !isIp4(ip))
  return [...(has4 ? [{ Proto: 'peerapi4', Port }] : []), ...(has6 ? [{ Proto: 'peerapi6', Port }] : []), ...(Port === 0 ? [] : [DNS_PROXY])]
}

/** Base URLs of a node's PeerAPI in the families that both sides have; null when it serves none. */
export function peerApiUrls(node: Node, self: Node): string[] | null {
  const ours = addressesOf(self)
  const out: string[] = []
  for (const ip of addressesOf(node)) {
    const v4 = isIp4(ip)
    const service = node.Hostinfo?.Services?.find((entry) => entry.Proto === (v4 ? 'peerapi4' : 'peerapi6'))
    if (service && ours.some((own) => isIp4(own) === v4)) out.push(`http://${formatAddrPort({ ip, port: service.Port })}`)
  }
  return out.length === 0 ? null : out
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32_POLYNOMIAL : crc >>> 1
  }
  return ~crc
}
