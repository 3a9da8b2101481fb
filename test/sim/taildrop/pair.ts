/**
 * Two devices of one owner with everything that Taildrop is made of (queue, courier, PeerAPI, receiver, inbox on a real disk), and in
 * place of the tunnel connections in memory, which a test may cut.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { duplexPair, Transform, type Duplex } from 'node:stream'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { NetMap } from '../../../main/engine/core/netmap/types.ts'
import type { Node, UserProfile } from '../../../main/engine/core/tailcfg/types.ts'
import { makeCourier } from '../../../main/engine/features/taildrop/send/courier.ts'
import { Taildrop } from '../../../main/engine/features/taildrop/taildrop.ts'
import { DiskInbox } from '../../../main/engine/io/inbox/inbox.ts'
import { makeSources } from '../../../main/engine/io/outgoing/sources.ts'
import { Spool } from '../../../main/engine/io/spool.ts'
import { Store } from '../../../main/engine/io/store.ts'
import { PeerApiListener } from '../../../main/engine/peerapi/listener.ts'
import { DEFAULT_TAILDROP, type SendItem, type TaildropSettings, type TransferRow } from '../../../main/localapi/transfers.ts'
import { waitFor } from '../../support/wait.ts'
import { seededRandom, systemClock } from '../clock.ts'

const OWNER: UserProfile = { ID: 1, LoginName: 'alice', DisplayName: 'Alice' }

function nodeOf(id: number, name: string): Node {
  return {
    ID: id, StableID: `s${id}`, Name: `${name}.lab.internal.`, User: 1, Key: `nodekey:${id}`, Online: true, Addresses: [`100.64.0.${id}/32`], Cap: 113,
    CapMap: { 'https://tailscale.com/cap/file-sharing': null }, Hostinfo: { OS: 'linux', Services: [{ Proto: 'peerapi4', Port: 4000 }] },
  }
}

/** One device; `stop` and `start` are an engine that ends and begins again on the same disk. */
export class Device {
  readonly node: Node
  readonly stateDir: string
  readonly inboxDir: string
  readonly journal: JournalEntry[] = []
  settings: TaildropSettings
  taildrop!: Taildrop
  /** undefined: it cannot be reached. */
  peerApi: PeerApiListener | undefined
  readonly #pair: Pair
  #courier: ReturnType<typeof makeCourier> | undefined
  #store: Store | undefined

  constructor(pair: Pair, id: number, name: string, folder: string) {
    this.#pair = pair
    this.node = nodeOf(id, name)
    this.stateDir = join(folder, name)
    this.inboxDir = join(folder, `${name}-inbox`)
    mkdirSync(this.inboxDir)
    this.settings = { ...DEFAULT_TAILDROP, Folder: this.inboxDir }
  }

  start(): void {
    const env: Env = { clock: systemClock, random: seededRandom(this.node.ID * 1_000 + this.journal.length), log: silentLog, journal: { add: (event) => void this.journal.push(event) } }
    const store = new Store({ dir: this.stateDir, clock: systemClock })
    this.#store = store
    const spool = new Spool({ dir: join(this.stateDir, 'spool'), random: env.random })
    const network = {
      netMap: () => this.#pair.mapOf(this.node),
      pathTo: () => ({ Kind: 'direct', Via: '' }) as const,
      dial: (ip: string) => this.#pair.dial(this.node, ip),
    }
    this.#courier = makeCourier({ env, network, tell: () => {} })
    this.taildrop = new Taildrop({
      env, store, network, spool, settings: () => this.settings, setRule: (id, rule) => void (this.settings = { ...this.settings, Senders: { ...this.settings.Senders, [id]: rule } }),
      profileId: () => 'p', profileIds: () => ['p'], emit: () => {}, courier: this.#courier, sources: makeSources({ spool: spool.dir }),
      inbox: new DiskInbox({ env }), owner: () => OWNER, stagedFolder: (name) => join(this.stateDir, name),
    })
    this.peerApi = new PeerApiListener({ env, directory: { callerAt: (ip) => this.#pair.callerAt(this.node, ip) }, routes: this.taildrop.routes })
    this.taildrop.changed()
  }

  /** As an engine that is told to end; `isKilled`: as one that is not asked. */
  stop(isKilled = false): void {
    this.peerApi?.close()
    this.peerApi = undefined
    this.#courier?.close()
    // What a killed one would still have written is lost.
    if (isKilled) this.#store!.save = () => {}
    this.taildrop.stop()
  }

  async send(to: Device, items: readonly SendItem[]): Promise<readonly string[]> {
    return (await this.taildrop.transfers.act({ Do: 'send', Peer: to.node.StableID, Items: items }, true)).IDs!
  }

  get rows(): readonly TransferRow[] {
    return this.taildrop.transfers.page().Rows
  }

  states(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { State } of this.rows) counts[State] = (counts[State] ?? 0) + 1
    return counts
  }

  /** Waits until every row is what it should be. */
  async until(what: string, holds: (rows: readonly TransferRow[]) => boolean): Promise<readonly TransferRow[]> {
    await waitFor(what, () => holds(this.rows) || Promise.reject(new Error(JSON.stringify(this.states()))), { withinMs: 60_000, everyMs: 20 })
    return this.rows
  }
}

export class Pair {
  readonly a: Device
  readonly b: Device
  /** Ends of the dialling side, of connections that stand. */
  readonly wires = new Set<Duplex>()
  /** Bytes from a to b on all connections. */
  carried = 0
  /** Cuts the connection that carries the byte of this number. */
  cutAt: number | undefined
  /** Lets nothing more through from this byte on, until `release`. */
  holdAt: number | undefined
  readonly #held: (() => void)[] = []

  constructor(folder: string) {
    this.a = new Device(this, 1, 'one', folder)
    this.b = new Device(this, 2, 'two', folder)
  }

  mapOf(self: Node): NetMap {
    const other = self === this.a.node ? this.b.node : this.a.node
    return (this.#maps[self.StableID] ??= { self, peers: new Map([[other.ID, other]]), userProfiles: new Map([[1, OWNER]]), packetFilters: new Map() } as unknown as NetMap)
  }

  readonly #maps: Record<string, NetMap> = {}

  callerAt(self: Node, ip: string): { node: Node; user: UserProfile; self: Node } | undefined {
    const node = [...this.mapOf(self).peers.values()].find(({ Addresses }) => Addresses?.includes(`${ip}/32`))
    return node && { node, user: OWNER, self }
  }

  async dial(from: Node, ip: string): Promise<Duplex> {
    const to = [this.a, this.b].find(({ node }) => node.Addresses![0] === `${ip}/32`)
    if (!to?.peerApi) throw new EngineError('timeout', 'nobody answers')
    const [near, middle] = duplexPair({ highWaterMark: 65_536 })
    const [other, far] = duplexPair({ highWaterMark: 65_536 })
    const cut = (): void => {
      for (const end of [near, middle, other, far]) end.destroy()
    }
    const gauge = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (from === this.a.node) this.carried += chunk.length
        if (this.cutAt !== undefined && this.carried >= this.cutAt) {
          this.cutAt = undefined
          return cut()
        }
        if (this.holdAt !== undefined && this.carried >= this.holdAt) return void this.#held.push(() => done(null, chunk))
        done(null, chunk)
      },
    })
    for (const end of [near, middle, other, far]) {
      end.on('error', () => {})
      end.once('close', cut)
    }
    middle.pipe(gauge).pipe(other)
    other.pipe(middle)
    // What the tunnel gives is a socket.
    Object.assign(near, { setKeepAlive: () => near, setNoDelay: () => near, setTimeout: () => near, ref: () => near, unref: () => near })
    this.wires.add(near)
    near.once('close', () => this.wires.delete(near))
    to.peerApi.accept({ socket: far, from: { ip: from.Addresses![0]!.replace('/32', ''), port: 1 } })
    return near
  }

  /** Whether something is held. */
  get isHeld(): boolean {
    return this.#held.length > 0
  }

  release(): void {
    this.holdAt = undefined
    for (const go of this.#held.splice(0)) go()
  }

  /** Every connection breaks. */
  cut(): void {
    for (const wire of this.wires) wire.destroy()
  }
}
