/**
 * The peers of a plan as lists in the order of node IDs, kept from one map to the next: a change of a few nodes among
 * 10,000 costs those few and a copy of the lists' pointers. A list in which nothing changed is the same object.
 *
 *   all     every node of the map → its plan
 *   book    the networks behind them, of nodes that cannot be used too
 *   ids     those in use, ascending: usable and not yet expired; dataplane[i] and magicsock[i] belong to ids[i]
 */
import { IdTable } from '../netmap/id-table.ts'
import { noteChanges } from './list-changes.ts'
import type { Node, NodeId } from '../tailcfg/types.ts'
import { planPeer, sameItems, SIGNED_OUT } from './plan-peer.ts'
import type { PeerContext, PeerPlan } from './plan-peer.ts'
import { Owners } from './owners.ts'
import type { RouteRules } from './route-rules.ts'
import { RouteBook } from './routes.ts'
import type { PlannedRoute, RouteOffer } from './routes.ts'
import type { DataplanePeer, MagicsockPeer } from './types.ts'

/** From so many changes on building anew is cheaper than putting each in its place. */
const FEW = 64

export class PeerLists {
  dataplane: readonly DataplanePeer[] = []
  magicsock: readonly MagicsockPeer[] = []
  /** When the next peer in use expires; Infinity = never. */
  nextExpiryMs = Infinity
  /** Nodes that nobody has signed for; another object when it changes. */
  unsigned: ReadonlyMap<NodeId, Node> = new Map()
  #table: IdTable<Node> = IdTable.empty()
  #all = new Map<NodeId, PeerPlan>()
  #ids: NodeId[] = []
  readonly #used = new Map<NodeId, PeerPlan>()
  /** Of addresses and exits. */
  readonly #owners = new Owners()
  /** Two nodes with one key cannot be told apart: the first of them counts. */
  readonly #keys = new Owners()
  readonly #book = new RouteBook((address) => this.#nameOf(this.#owners.ownerOf(address)))
  /** Claims of devices whose key has ended, as they are then. */
  readonly #signedOut = new WeakMap<RouteOffer, RouteOffer>()
  #contextKey = ''

  /** What becomes of each network behind a device, by prefix, IPv4 first. */
  get routes(): readonly PlannedRoute[] {
    return this.#book.rows
  }

  /** Brings the lists to this map and these rules; `nowMs` is the server's time. */
  update(peers: ReadonlyMap<NodeId, Node>, context: PeerContext, rules: RouteRules, nowMs: number): void {
    const table = peers instanceof IdTable ? (peers as IdTable<Node>) : IdTable.of(peers)
    const contextKey = JSON.stringify([context.exitNodeId, context.selfAddresses, context.suffix])
    const isNewContext = contextKey !== this.#contextKey
    this.#contextKey = contextKey
    const { set, removed } = isNewContext ? wholeChange(table, this.#table) : table.changesSince(this.#table)
    this.#table = table
    const touched = new Set<NodeId>()
    for (const id of removed) this.#all.delete(id)
    for (const [id, node] of set) this.#all.set(id, planPeer(node, context, this.#all.get(id)))
    this.#noteUnsigned(set, removed)
    const some = [...removed, ...set.map(([id]) => id)]
    const changed = nowMs >= this.nextExpiryMs ? [...this.#used.keys(), ...some] : some
    let expiryMoved = nowMs >= this.nextExpiryMs
    for (const id of changed) expiryMoved = this.#use(id, nowMs, touched) || expiryMoved
    this.#book.setRules(rules)
    this.#book.settle(touched)
    if (touched.size > FEW) this.#rebuild()
    else if (touched.size > 0) this.#mend(touched)
    if (expiryMoved) this.#findNextExpiry()
  }

  #noteUnsigned(set: readonly (readonly [NodeId, Node])[], removed: readonly NodeId[]): void {
    const come = set.filter(([, node]) => node.UnsignedPeerAPIOnly === true)
    const gone = [...removed, ...set.map(([id]) => id)].filter((id) => this.unsigned.has(id))
    if (come.length === 0 && gone.length === 0) return
    const next = new Map(this.unsigned)
    for (const id of gone) next.delete(id)
    for (const [id, node] of come) next.set(id, node)
    this.unsigned = next
  }

  /** Takes a peer into use or out of it; true when the next expiry has to be looked for. */
  #use(id: NodeId, nowMs: number, touched: Set<NodeId>): boolean {
    const plan = this.#all.get(id)
    const before = this.#used.get(id)
    const after = plan?.usable === true && plan.expiresAtMs > nowMs ? plan : undefined
    this.#book.setOffer(id, plan?.offer && plan.usable && !after ? this.#withoutSignIn(plan.offer) : plan?.offer, touched)
    if (before === after) return false
    if (after) this.#used.set(id, after)
    else this.#used.delete(id)
    if (before?.dataplane !== after?.dataplane || before?.magicsock !== after?.magicsock) touched.add(id)
    if (before?.dataplane.routes !== after?.dataplane.routes) {
      if (before) this.#owners.release(id, before.dataplane.routes, touched)
      if (after) this.#owners.claim(id, after.dataplane.routes, touched)
    }
    if (before?.dataplane.routes !== after?.dataplane.routes || before?.magicsock.name !== after?.magicsock.name) {
      this.#book.noteAddresses([...(before?.dataplane.routes ?? []), ...(after?.dataplane.routes ?? [])])
    }
    if (before?.dataplane.key !== after?.dataplane.key) {
      if (before) this.#keys.release(id, [before.dataplane.key], touched)
      if (after) this.#keys.claim(id, [after.dataplane.key], touched)
    }
    if (after && after.expiresAtMs < this.nextExpiryMs) this.nextExpiryMs = after.expiresAtMs
    return before !== undefined && before.expiresAtMs === this.nextExpiryMs && before.expiresAtMs !== Infinity
  }

  #withoutSignIn(offer: RouteOffer): RouteOffer {
    let signedOut = this.#signedOut.get(offer)
    if (!signedOut) this.#signedOut.set(offer, (signedOut = { ...offer, trouble: SIGNED_OUT }))
    return signedOut
  }

  #nameOf(id: NodeId | undefined): string | undefined {
    return id === undefined ? undefined : this.#used.get(id)?.magicsock.name
  }

  #findNextExpiry(): void {
    let next = Infinity
    for (const { expiresAtMs } of this.#used.values()) if (expiresAtMs < next) next = expiresAtMs
    this.nextExpiryMs = next
  }

  /** A few peers put in their places, in copies of the lists that change. */
  #mend(touched: ReadonlySet<NodeId>): void {
    const dataplane = new Edit(this.dataplane)
    const magicsock = new Edit(this.magicsock)
    for (const id of touched) {
      const at = placeOf(this.#ids, id)
      const isListed = this.#ids[at] === id
      const plan = this.#listed(id)
      if (plan) {
        dataplane.put(at, isListed, this.#owned(id, plan, isListed ? dataplane.at(at) : undefined))
        magicsock.put(at, isListed, plan.magicsock)
        if (!isListed) this.#ids.splice(at, 0, id)
      } else if (isListed) {
        dataplane.remove(at)
        magicsock.remove(at)
        this.#ids.splice(at, 1)
      }
    }
    this.dataplane = dataplane.done()
    this.magicsock = magicsock.done()
  }

  #listed(id: NodeId): PeerPlan | undefined {
    const plan = this.#used.get(id)
    return plan && this.#keys.ownedBy(id, [plan.dataplane.key]).length === 1 ? plan : undefined
  }

  #rebuild(): void {
    const before = new Map(this.#ids.map((id, i) => [id, this.dataplane[i]!]))
    this.#ids = [...this.#used.keys()].filter((id) => this.#listed(id)).sort((a, b) => a - b)
    const plans = this.#ids.map((id) => this.#used.get(id)!)
    const dataplane = plans.map((plan, i) => this.#owned(this.#ids[i]!, plan, before.get(this.#ids[i]!)))
    const magicsock = plans.map((plan) => plan.magicsock)
    if (!sameItems(dataplane, this.dataplane)) this.dataplane = dataplane
    if (!sameItems(magicsock, this.magicsock)) this.magicsock = magicsock
  }

  /** The peer with what is its own and the networks behind it; the object of before when that says the same. */
  #owned(id: NodeId, { dataplane, offer }: PeerPlan, before: DataplanePeer | undefined): DataplanePeer {
    const own = this.#owners.ownedBy(id, dataplane.routes)
    if (own === dataplane.routes && offer === undefined) return dataplane
    const allowedSources = offer ? joined(dataplane.allowedSources, this.#book.sourcesOf(id)) : dataplane.allowedSources
    const routes = offer ? joined(own, this.#book.carriedBy(id)) : own
    if (sameItems(allowedSources, dataplane.allowedSources) && sameItems(routes, dataplane.routes)) return dataplane
    const isSame = before && before.key === dataplane.key && before.jailed === dataplane.jailed && before.bare === dataplane.bare
    return isSame && sameItems(before.allowedSources, allowedSources) && sameItems(before.routes, routes) ? before : { ...dataplane, allowedSources, routes }
  }
}

/** Own addresses stay first; exits and networks follow in the order of their texts. */
function joined(own: readonly string[], networks: readonly string[]): readonly string[] {
  if (networks.length === 0) return own
  const isExit = (prefix: string): boolean => prefix.endsWith('/0')
  return own.some(isExit) ? [...own.filter((prefix) => !isExit(prefix)), ...[...own.filter(isExit), ...networks].sort()] : [...own, ...networks]
}

/** The next of a list: copied at the first change, with a note of what changed. */
class Edit<T extends object> {
  readonly #before: readonly T[]
  #after: T[] | undefined
  readonly #gone = new Set<T>()
  readonly #come = new Set<T>()

  constructor(before: readonly T[]) {
    this.#before = before
  }

  at(index: number): T | undefined {
    return (this.#after ?? this.#before)[index]
  }

  put(index: number, replaces: boolean, item: T): void {
    if (replaces && this.at(index) === item) return
    if (replaces) this.#lose(this.at(index)!)
    if (!this.#gone.delete(item)) this.#come.add(item)
    this.#copy().splice(index, replaces ? 1 : 0, item)
  }

  remove(index: number): void {
    this.#lose(this.at(index)!)
    this.#copy().splice(index, 1)
  }

  done(): readonly T[] {
    if (!this.#after) return this.#before
    noteChanges(this.#before, this.#after, { gone: [...this.#gone], come: [...this.#come] })
    return this.#after
  }

  #lose(item: T): void {
    if (!this.#come.delete(item)) this.#gone.add(item)
  }

  #copy(): T[] {
    return (this.#after ??= this.#before.slice())
  }
}

function wholeChange(table: IdTable<Node>, before: IdTable<Node>): { set: [NodeId, Node][]; removed: NodeId[] } {
  return { set: [...table], removed: [...before.keys()].filter((id) => !table.has(id)) }
}

/** Where `id` is in the ascending list, or belongs. */
function placeOf(ids: readonly NodeId[], id: NodeId): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ids[middle]! < id) low = middle + 1
    else high = middle
  }
  return low
}
