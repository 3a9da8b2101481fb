/**
 * The peers that path finding knows, by node key and by disco key (several nodes may share one). A peer costs little
 * until it is used: its path machine is made at the first traffic, ping or call.
 */
import type { DiscoPublicKey, NodePublicKey } from '../base/keys.ts'
import type { PeerPath } from '../core/path/peer-path.ts'
import type { Path } from '../core/path/types.ts'
import { listChanges } from '../core/plan/list-changes.ts'
import type { MagicsockPeer } from '../core/plan/types.ts'

/** Pings whose repetition is noticed, for each sender. */
const REMEMBERED_PINGS = 64

export interface PeerEntry {
  /** As the map says, but for the disco key that the peer itself told since. */
  config: MagicsockPeer
  /** A disco key that the peer told inside the tunnel, and the map's at that time: it counts until the map names another. */
  told: { readonly disco: DiscoPublicKey; readonly over: DiscoPublicKey | undefined } | undefined
  machine: PeerPath | undefined
  /** As the data plane was told. */
  path: Path
  sinceMs: number
  /** Relay region where it was heard last; 0 = none. */
  heardRegion: number
  /** Round trip of the last ping that a person sent through a relay, and when that was. */
  relayed?: { readonly latencyMs: number; readonly atMs: number }
  readonly recentPings: Set<string>
}

export interface PeerChanges {
  readonly added: readonly PeerEntry[]
  readonly changed: readonly PeerEntry[]
  readonly removed: readonly PeerEntry[]
}

export class PeerTable {
  readonly #byKey = new Map<NodePublicKey, PeerEntry>()
  readonly #byDisco = new Map<DiscoPublicKey, PeerEntry[]>()
  #list: readonly MagicsockPeer[] = []

  get size(): number {
    return this.#byKey.size
  }

  get(key: NodePublicKey): PeerEntry | undefined {
    return this.#byKey.get(key)
  }

  /** Nodes with that disco key; empty for a stranger. */
  withDisco(key: DiscoPublicKey): readonly PeerEntry[] {
    return this.#byDisco.get(key) ?? NONE
  }

  values(): Iterable<PeerEntry> {
    return this.#byKey.values()
  }

  /** Takes over the whole list. */
  set(nowMs: number, peers: readonly MagicsockPeer[]): PeerChanges {
    const { gone, come } = listChanges(this.#list, peers)
    this.#list = peers
    const added: PeerEntry[] = []
    const changed: PeerEntry[] = []
    const left = new Set(gone.map(({ key }) => key))
    for (const config of come) {
      left.delete(config.key)
      const known = this.#byKey.get(config.key)
      if (!known) added.push(this.#add(nowMs, config))
      else {
        if (known.told && known.told.over !== config.disco) known.told = undefined
        const meant = known.told ? { ...config, disco: known.told.disco } : config
        if (!isSame(known.config, meant)) {
          this.#unlinkDisco(known)
          known.config = meant
          this.#linkDisco(known)
          changed.push(known)
        } else known.config = meant
      }
    }
    const removed: PeerEntry[] = []
    for (const key of left) {
      const entry = this.#byKey.get(key)!
      this.#byKey.delete(key)
      this.#unlinkDisco(entry)
      removed.push(entry)
    }
    return { added, changed, removed }
  }

  /** The peer itself says what its disco key is. False when that was known. */
  tellDisco(entry: PeerEntry, disco: DiscoPublicKey): boolean {
    if (entry.config.disco === disco) return false
    const over = entry.told ? entry.told.over : entry.config.disco
    this.#unlinkDisco(entry)
    entry.told = over === disco ? undefined : { disco, over }
    entry.config = { ...entry.config, disco }
    this.#linkDisco(entry)
    return true
  }

  #add(nowMs: number, config: MagicsockPeer): PeerEntry {
    const entry: PeerEntry = { config, told: undefined, machine: undefined, path: { kind: 'none' }, sinceMs: nowMs, heardRegion: 0, recentPings: new Set() }
    this.#byKey.set(config.key, entry)
    this.#linkDisco(entry)
    return entry
  }

  #linkDisco(entry: PeerEntry): void {
    const disco = entry.config.disco
    if (disco === undefined) return
    const sharing = this.#byDisco.get(disco)
    if (sharing) sharing.push(entry)
    else this.#byDisco.set(disco, [entry])
  }

  #unlinkDisco(entry: PeerEntry): void {
    const disco = entry.config.disco
    if (disco === undefined) return
    const rest = (this.#byDisco.get(disco) ?? []).filter((one) => one !== entry)
    if (rest.length > 0) this.#byDisco.set(disco, rest)
    else this.#byDisco.delete(disco)
  }
}

const NONE: readonly PeerEntry[] = []

/** Notes a ping's txid; false when it was seen before: a repetition or a replay. */
export function notePingOnce(entry: PeerEntry, txId: string): boolean {
  if (entry.recentPings.has(txId)) return false
  entry.recentPings.add(txId)
  if (entry.recentPings.size > REMEMBERED_PINGS) entry.recentPings.delete(entry.recentPings.values().next().value!)
  return true
}

function isSame(a: MagicsockPeer, b: MagicsockPeer): boolean {
  if (a === b) return true
  const sameEndpoints =
    a.endpoints === b.endpoints ||
    (a.endpoints.length === b.endpoints.length && a.endpoints.every((one, i) => one.ip === b.endpoints[i]!.ip && one.port === b.endpoints[i]!.port))
  return sameEndpoints && a.disco === b.disco && a.homeDerp === b.homeDerp && a.expired === b.expired && a.name === b.name && a.ip === b.ip && a.id === b.id && a.wireGuardOnly === b.wireGuardOnly && a.canPeerRelay === b.canPeerRelay
}
