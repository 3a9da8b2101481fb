/**
 * Where files can be sent, for people (bowline/transfer-targets), for the official command (file-targets) and for status.
 */
import { EngineError } from '../../base/errors.ts'
import { grantText } from '../../core/taildrop/grant-text.ts'
import { isGrantable, isOwn, isTagged, mayShareFiles, refusalOf, stockTarget, stockTargets } from '../../core/taildrop/targets.ts'
import { whyOf } from '../../core/taildrop/whys.ts'
import type { NetMap } from '../../core/netmap/types.ts'
import { magicDnsSuffix, shortName, trimDot } from '../../core/plan/names.ts'
import type { Node } from '../../core/tailcfg/types.ts'
import type { TransferTarget, TransferTargetsPage } from '../../../localapi/transfers.ts'

export interface TargetsDeps {
  /** undefined: not connected. */
  readonly netMap: () => NetMap | undefined
  /** When a transfer to the device of that stable ID was last begun here, RFC 3339. */
  readonly used: (stableId: string) => string | undefined
}

export class TargetPages {
  readonly #deps: TargetsDeps

  constructor(deps: TargetsDeps) {
    this.#deps = deps
  }

  page(): TransferTargetsPage {
    const netMap = this.#deps.netMap()
    if (!netMap) return { Targets: [], Why: whyOf('not-connected') }
    const rows = [...netMap.peers.values()].map((node) => this.#row(netMap, node)).toSorted(byUse)
    return { Targets: rows, ...(mayShareFiles(netMap.self) ? {} : { Why: whyOf('self-no-capability') }) }
  }

  /** Devices with the URL of their PeerAPI, as a stock daemon lists them. Throws EngineError in its words. */
  stock(): readonly { readonly node: Node; readonly url: string }[] {
    const netMap = this.#deps.netMap()
    if (!netMap) throw new EngineError('io', 'not connected to the tailnet')
    if (!mayShareFiles(netMap.self)) throw new EngineError('io', 'file sharing not enabled by Tailscale admin')
    return stockTargets(netMap)
  }

  /** What status says of a device. */
  statusOf(node: Node): { readonly TaildropTarget: number; readonly NoFileSharingReason: string } {
    return { TaildropTarget: stockTarget(this.#deps.netMap(), node), NoFileSharingReason: '' }
  }

  #row(netMap: NetMap, node: Node): TransferTarget {
    const reason = refusalOf(netMap, node)
    const used = this.#deps.used(node.StableID)
    return {
      ID: node.StableID,
      Name: shortName(node, magicDnsSuffix(netMap.self)),
      DNSName: trimDot(node.Name),
      OS: node.Hostinfo?.OS ?? '',
      Owner: ownerText(netMap, node),
      Own: isOwn(netMap.self, node),
      Online: node.Online === true,
      Usable: reason === undefined,
      ...(reason === undefined ? {} : { Why: { Code: reason, Text: whyOf(reason).Text } }),
      ...(reason !== undefined && isGrantable(reason) ? { Grant: grantText(netMap, node) } : {}),
      Target: stockTarget(netMap, node),
      ...(used === undefined ? {} : { Used: used }),
    }
  }
}

function ownerText(netMap: NetMap, node: Node): string {
  if (isTagged(node)) return (node.Tags ?? []).join(', ')
  const profile = netMap.userProfiles.get(node.User)
  return profile?.DisplayName || profile?.LoginName || ''
}

/** Usable ones first, those used last in front; the rest by name. */
function byUse(a: TransferTarget, b: TransferTarget): number {
  const byTime = a.Usable && b.Usable ? compare(b.Used ?? '', a.Used ?? '') : 0
  return Number(b.Usable) - Number(a.Usable) || byTime || compare(a.Name.toLowerCase(), b.Name.toLowerCase()) || compare(a.ID, b.ID)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
