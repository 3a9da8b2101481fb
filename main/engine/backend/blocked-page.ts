/**
 * What did not get through lately, both ways: bowline/blocked, and the journal of it. Equal ones are folded into one row with a
 * count; rows are bounded, and a flood is told in the journal once a minute a row at most.
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { blockedText, placeText, protoName } from '../core/filter/blocked-words.ts'
import type { BlockedFlow, BlockedReason } from '../core/filter/blocked-words.ts'
import { nodeByKey } from '../core/netmap/find-node.ts'
import { carrierOf } from '../core/plan/carrier.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { BlockedPage, BlockedRow } from '../../localapi/blocked.ts'
import type { Model } from './model.ts'
import type { DataplanePort, FlowReject, MagicsockPort } from './ports.ts'

const MAX_ROWS = 200
const TELL_EVERY_MS = 60_000

/** Names of counts on the page ← counters of the packet thread. */
const COUNTERS: Readonly<Record<string, string>> = {
  rules: 'in_filtered_rules', 'shields-up': 'in_filtered_shields_up', 'not-ours': 'in_filtered_not_local', 'foreign-source': 'in_bad_source',
  icmp: 'in_filtered_icmp', fragments: 'in_filtered_fragment', 'unknown-protocol': 'in_filtered_unknown_proto', 'impossible-address': 'in_filtered_martian',
  'cut-off': 'in_filtered_cut', malformed: 'in_malformed',
}

interface Row {
  flow: BlockedFlow
  readonly peerKey: string
  /** Of which network this is. */
  readonly self: string
  count: number
  readonly firstMs: number
  lastMs: number
  toldMs: number
}

interface Deps {
  readonly env: Env
  readonly model: Model
  readonly dataplane: Pick<DataplanePort, 'counters'>
  readonly magicsock: Pick<MagicsockPort, 'pathTo'>
}

export class BlockedPages {
  readonly #deps: Deps
  readonly #sinceMs: number
  /** By what makes them equal; the latest last. */
  readonly #rows = new Map<string, Row>()

  constructor(deps: Deps) {
    this.#deps = deps
    this.#sinceMs = deps.env.clock.wallMs()
  }

  /** A filter refused something, ours or a peer's. */
  handleReject(reject: FlowReject): void {
    const { proto, from, to, count } = reject
    const direction = reject.direction === 'outbound' ? 'out' : 'in'
    const { netMap, saved } = this.#deps.model
    const node = netMap && nodeByKey(netMap, reject.peer)
    const jailed = direction === 'in' && reject.reason === 'shields-up' && !saved.prefs.ShieldsUp && node?.IsJailed === true
    this.#add(reject.peer, { direction, proto, from, to, reason: jailed ? 'jailed' : reject.reason }, count)
  }

  /** A connection through the tunnel had no answer in time: what is known about why becomes a row. */
  handleUnanswered(to: AddrPort): void {
    const key = carrierOf(this.#deps.model.plan.dataplane.peers, to.ip)
    if (key === undefined) return
    const { netMap } = this.#deps.model
    const node = netMap && nodeByKey(netMap, key)
    const path = this.#deps.magicsock.pathTo(key)?.path.kind
    const reason: BlockedReason = node?.Online === false ? 'offline' : path === 'none' ? 'no-path' : 'no-answer'
    this.#add(key, { direction: 'out', proto: 6, from: { ip: '', port: 0 }, to, reason }, 1)
  }

  page(): BlockedPage {
    const self = this.#self()
    const counters = this.#deps.dataplane.counters()
    return {
      Since: new Date(this.#sinceMs).toISOString(),
      Rows: [...this.#rows.values()].filter((row) => row.self === self).reverse().map(rowOf),
      Dropped: Object.fromEntries(Object.entries(COUNTERS).map(([name, counter]) => [name, counters[counter] ?? 0])),
    }
  }

  #add(peerKey: string, flow: Omit<BlockedFlow, 'peer' | 'isPeerItself'>, count: number): void {
    const { env, model: { netMap } } = this.#deps
    const node = netMap && nodeByKey(netMap, peerKey)
    const named: BlockedFlow = {
      ...flow,
      peer: node && netMap ? shortName(node, magicDnsSuffix(netMap.self)) : '',
      isPeerItself: !node || addressesOf(node).includes(flow.to.ip),
    }
    const nowMs = env.clock.wallMs()
    const self = this.#self()
    const id = [self, flow.direction, peerKey, flow.proto, flow.reason, placeText(flow.to), flow.reason === 'foreign-source' ? flow.from.ip : ''].join(' ')
    const before = this.#rows.get(id)
    this.#rows.delete(id)
    const row: Row = before ?? { flow: named, peerKey, self, count: 0, firstMs: nowMs, lastMs: nowMs, toldMs: -Infinity }
    row.flow = named
    row.count += count
    row.lastMs = nowMs
    this.#rows.set(id, row)
    for (const [oldest] of this.#rows) {
      if (this.#rows.size <= MAX_ROWS) break
      this.#rows.delete(oldest)
    }
    const why = blockedText(named)
    if (nowMs - row.toldMs >= TELL_EVERY_MS || nowMs < row.toldMs) {
      row.toldMs = nowMs
      const { direction, proto, from, to, peer, reason } = named
      env.journal.add({ part: 'filter', kind: 'rejected', why, direction, proto: protoName(proto), from: placeText(from), to: placeText(to), peer, reason, count: row.count })
    }
  }

  #self(): string {
    return this.#deps.model.netMap?.self.StableID ?? ''
  }
}

function rowOf({ flow, peerKey, count, firstMs, lastMs }: Row): BlockedRow {
  return {
    Direction: flow.direction, Proto: protoName(flow.proto), Peer: flow.peer, PeerKey: peerKey,
    From: placeText(flow.from), To: placeText(flow.to), Reason: flow.reason, Why: blockedText(flow), Count: count,
    First: new Date(firstMs).toISOString(), Last: new Date(lastMs).toISOString(),
  }
}
