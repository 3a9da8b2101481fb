/**
 * Where files can be sent: every device of the map, and for each that cannot be used the reason. Pure.
 *
 *   owner      devices of one owner may send to each other while neither has tags; to any other goes what a grant allows
 *   grant      a target holds file-sharing-target toward us, and we hold file-send toward it, which only it can see
 *   offline    no reason: it is sent to when it comes
 *
 * The stock daemon's own answers (`stockTargets`, `stockTarget`) do not look at tags: devices with tags have one owner in common
 * on Headscale, so they count as usable there and are refused by the receiver.
 * Source: dataplane facts §8.4; tailscale feature/taildrop/ext.go (1.102.5). NoFileSharingReason is never written there.
 */
import type { NetMap } from '../netmap/types.ts'
import { addressesOf } from '../plan/names.ts'
import { peerApiUrls } from '../plan/peer-api-port.ts'
import { peerCaps } from '../plan/peer-caps.ts'
import type { Node } from '../tailcfg/types.ts'

const FILE_SHARING = 'https://tailscale.com/cap/file-sharing'
const CAP_TARGET = 'https://tailscale.com/cap/file-sharing-target'
/** The system whose devices take no files. */
const NEVER_TAKES = 'tvOS'

/** TaildropTarget of status. */
const STOCK = { available: 1, notRunning: 3, missingCap: 4, offline: 5, unsupportedOs: 7, noPeerApi: 8, otherOwner: 9 } as const

/** Whether the server lets this device send and receive files at all. */
export function mayShareFiles(self: Node): boolean {
  return Object.hasOwn(self.CapMap ?? {}, FILE_SHARING)
}

/** Same owner, and neither acts for a tag. */
export function isOwn(self: Node, node: Node): boolean {
  return self.User === node.User && !isTagged(self) && !isTagged(node)
}

/** Of a map in use; codes of whys.ts. */
export type TargetRefusal = 'self-no-capability' | 'other-owner' | 'tagged' | 'self-tagged' | 'cannot-receive' | 'unsigned'

const GRANTABLE: ReadonlySet<TargetRefusal> = new Set<TargetRefusal>(['other-owner', 'tagged', 'self-tagged'])

/** Whether a grant of the network's policy would make such a device usable. */
export function isGrantable(refusal: TargetRefusal): boolean {
  return GRANTABLE.has(refusal)
}

/** Why nothing can be sent to this device of a map in use; undefined: it can, once it is there. */
export function refusalOf(netMap: NetMap, node: Node): TargetRefusal | undefined {
  const { self } = netMap
  if (!mayShareFiles(self)) return 'self-no-capability'
  if (node.UnsignedPeerAPIOnly === true) return 'unsigned'
  if (node.Hostinfo?.OS === NEVER_TAKES) return 'cannot-receive'
  if (!isOwn(self, node) && !holdsTargetCap(netMap, node)) {
    if (isTagged(self)) return 'self-tagged'
    return isTagged(node) ? 'tagged' : 'other-owner'
  }
  return peerApiBase(netMap, node) === undefined ? 'cannot-receive' : undefined
}

/** The number of status, as the stock daemon says it; `netMap` undefined: not connected. */
export function stockTarget(netMap: NetMap | undefined, node: Node): number {
  if (!netMap) return STOCK.notRunning
  if (!mayShareFiles(netMap.self)) return STOCK.missingCap
  if (node.Online !== true) return STOCK.offline
  if (node.Hostinfo?.OS === NEVER_TAKES) return STOCK.unsupportedOs
  if (netMap.self.User !== node.User && !holdsTargetCap(netMap, node)) return STOCK.otherOwner
  return peerApiBase(netMap, node) === undefined ? STOCK.noPeerApi : STOCK.available
}

/** Devices and the base URLs of their PeerAPI that the stock daemon would send to, in its order. The map's own lets files be shared. */
export function stockTargets(netMap: NetMap): readonly { readonly node: Node; readonly url: string }[] {
  const out: { node: Node; url: string }[] = []
  for (const node of netMap.peers.values()) {
    if (node.Hostinfo?.OS === NEVER_TAKES) continue
    if (netMap.self.User !== node.User && !holdsTargetCap(netMap, node)) continue
    const url = peerApiBase(netMap, node)
    if (url !== undefined) out.push({ node, url })
  }
  return out.toSorted((a, b) => compare(a.node.Name, b.node.Name))
}

/** Of the families that both sides have, IPv4 first. */
function peerApiBase(netMap: NetMap, node: Node): string | undefined {
  const urls = peerApiUrls(node, netMap.self) ?? []
  return urls.find((url) => !url.startsWith('http://[')) ?? urls[0]
}

function holdsTargetCap(netMap: NetMap, node: Node): boolean {
  if (node.UnsignedPeerAPIOnly === true) return false
  return addressesOf(node).some((ip) => Object.hasOwn(peerCaps(netMap, ip) ?? {}, CAP_TARGET))
}

export const isTagged = (node: Node): boolean => (node.Tags ?? []).length > 0
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
