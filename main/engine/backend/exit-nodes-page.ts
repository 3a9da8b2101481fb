/**
 * bowline/exit-nodes as a pure function: where internet traffic goes, why, and where else it could go.
 */
import { hasDefaultRoutes } from '../base/ip.ts'
import { exitFault, offersExit, UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import type { Egress } from '../core/plan/egress.ts'
import { measureText } from '../core/exit-node/rank.ts'
import type { Measured } from '../core/exit-node/rank.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import { localNetworks } from '../core/plan/system-facts.ts'
import { peerByStableId } from '../core/netmap/find-node.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { Egress as EgressJson, ExitNodeRow, ExitNodesPage, ExitProof } from '../../localapi/exit-nodes.ts'
import type { PathRow } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import { settleFailure } from './policy-prefs.ts'
import { ownerOf } from './whois.ts'

export interface ExitNodesSeen {
  readonly model: Model
  readonly egress: Egress
  readonly sinceWallMs: number
  /** The server's time. */
  readonly nowMs: number
  readonly ranked: readonly Measured[]
  readonly isDead: (id: string) => boolean
  /** How packets go to them, by node key. */
  readonly paths: (nodes: readonly Node[]) => ReadonlyMap<string, PathRow>
  readonly proofs: readonly ExitProof[]
  readonly offer: ExitNodesPage['Offer']
}

/** The page without its version. */
export function exitNodesPage(seen: ExitNodesSeen): Omit<ExitNodesPage, 'Version'> {
  const { model, egress } = seen
  const { prefs, extras } = model.saved
  return {
    Chosen: chosenOf(model, seen.sinceWallMs),
    Egress: egressJson(egress),
    AllowLAN: prefs.ExitNodeAllowLANAccess,
    LAN: localNetworks(model.system).map(({ prefix, interface: name }) => ({ Prefix: prefix, Interface: name })),
    Failure: settleFailure(extras.ExitNodeFailure, model.policy),
    Nodes: model.netMap ? rowsOf(seen, model.netMap) : [],
    Proofs: seen.proofs,
    Offer: seen.offer,
  }
}

/** The way out in the JSON of the API. */
export function egressJson(egress: Egress): EgressJson {
  if (egress.kind === 'direct') return { Kind: 'direct' }
  const { id: ID, name: Name, why: Why } = egress
  if (egress.kind !== 'paused') return { Kind: egress.kind, ID, Name, Why }
  return { Kind: 'paused', ID, Name, Why, ...(egress.untilMs === undefined ? {} : { Until: new Date(egress.untilMs).toISOString() }) }
}

/** The best of those that may be used, with the reason: the best measured one, or the only one that is there. */
function suggestionOf(ranked: readonly Measured[], isDead: (id: string) => boolean): { readonly id: string; readonly why: string } | undefined {
  const usable = ranked.filter(({ candidate }) => candidate.fault === undefined && !isDead(candidate.id))
  const measured = usable.filter(({ measure }) => measure !== undefined)
  const best = measured[0]
  if (best) return { id: best.candidate.id, why: `${measured.length > 1 ? `the nearest of ${measured.length}` : 'the only one that answers'}: ${measureText(best.measure!)}` }
  const there = usable.filter(({ candidate }) => candidate.online === true)
  return there.length === 1 ? { id: there[0]!.candidate.id, why: 'the only one that is online, says the server' } : undefined
}

function chosenOf({ saved: { prefs }, netMap }: Model, sinceWallMs: number): ExitNodesPage['Chosen'] {
  const isAuto = (prefs.AutoExitNode ?? '') !== ''
  if (!isAuto && prefs.ExitNodeID === '' && prefs.ExitNodeIP === '') return { Kind: 'none' }
  const ID = prefs.ExitNodeID === UNRESOLVED_EXIT ? '' : prefs.ExitNodeID
  const node = netMap && peerByStableId(netMap, ID)
  return { Kind: isAuto ? 'auto' : 'node', ID, Name: node ? shortName(node, magicDnsSuffix(netMap.self)) : prefs.ExitNodeIP, ...(sinceWallMs === 0 ? {} : { Since: new Date(sinceWallMs).toISOString() }) }
}

function rowsOf(seen: ExitNodesSeen, netMap: NetMap): readonly ExitNodeRow[] {
  const { model, ranked, isDead } = seen
  const suggestion = suggestionOf(ranked, isDead)
  const measures = new Map(ranked.map(({ candidate, measure }) => [candidate.id, measure]))
  const chosen = model.saved.prefs.ExitNodeID
  const nodes = [...netMap.peers.values()].filter((node) => wouldBe(node) || node.StableID === chosen)
  const paths = seen.paths(nodes)
  const rows = nodes.map((node): ExitNodeRow => {
    const measure = measures.get(node.StableID)
    const path = pathOf(paths.get(node.Key)) ?? (measure && { Path: measure.way, LatencyMs: measure.latencyMs })
    const unavailable = unavailableWhy(node, seen.nowMs, isDead(node.StableID))
    const isSuggested = node.StableID === suggestion?.id
    return {
      ID: node.StableID,
      Name: shortName(node, magicDnsSuffix(netMap.self)),
      IP: addressesOf(node)[0] ?? '',
      Owner: (node.Tags ?? []).length > 0 ? node.Tags!.join(', ') : ownerOf(netMap, node).LoginName,
      ...placeOf(node),
      Online: node.Online === true,
      ...path,
      Suggested: isSuggested,
      ...(isSuggested ? { Why: suggestion.why } : {}),
      ...(unavailable === undefined ? {} : { Unavailable: unavailable }),
    }
  })
  return rows.sort((a, b) => Number(b.Suggested) - Number(a.Suggested) || Number(a.Unavailable !== undefined) - Number(b.Unavailable !== undefined)
    || (a.LatencyMs ?? Infinity) - (b.LatencyMs ?? Infinity) || (a.Name < b.Name ? -1 : 1))
}

/** Offers to be one, approved or not. */
function wouldBe(node: Node): boolean {
  return offersExit(node) || hasDefaultRoutes(node.Hostinfo?.RoutableIPs)
}

function unavailableWhy(node: Node, nowMs: number, isDead: boolean): string | undefined {
  if (!offersExit(node)) return wouldBe(node) ? 'not approved on the server' : 'not offered as exit node any more'
  return exitFault(node, nowMs) ?? (isDead ? (node.Online === false ? 'offline, says the server, and does not answer' : 'does not answer') : node.Online === false ? 'offline, says the server' : undefined)
}

function pathOf(row: PathRow | undefined): Pick<ExitNodeRow, 'Path' | 'LatencyMs'> | undefined {
  if (!row || row.kind === 'none' || row.latencyMs === undefined) return undefined
  return { Path: row.kind, LatencyMs: row.latencyMs }
}

function placeOf(node: Node): { readonly Place?: string } {
  const { City, Country } = node.Hostinfo?.Location ?? {}
  const place = [City, Country].filter((part) => part !== undefined && part !== '').join(', ')
  return place === '' ? {} : { Place: place }
}
