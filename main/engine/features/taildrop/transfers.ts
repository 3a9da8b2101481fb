/**
 * The transfers of the profile in use, both ways: the page and the news that clients get, and what they ask for.
 *
 *   LocalAPI action → queue (core/taildrop/queue.ts) → tries → book → disk, bus
 *   what comes in → incoming.ts → book → disk, bus
 *
 * Another profile's transfers are on disk and do not run. What a person asked for is on disk before it is answered.
 */
import { toHex } from '../../base/bytes.ts'
import type { Env } from '../../base/env.ts'
import { EngineError, errorText } from '../../base/errors.ts'
import { peerByStableId } from '../../core/netmap/find-node.ts'
import { magicDnsSuffix, shortName } from '../../core/plan/names.ts'
import type { NetMap } from '../../core/netmap/types.ts'
import { SourceFault } from '../../core/taildrop/files.ts'
import type { Node } from '../../core/tailcfg/types.ts'
import { isMovingState, isOverState, sortRows, type InboxState, type SendItem, type TransferAction, type TransferPath, type TransferResult, type TransfersNews, type TransfersPage } from '../../../localapi/transfers.ts'
import type { Notify } from '../../../localapi/types.ts'
import { parseAction } from './actions.ts'
import { Book } from './book.ts'
import { Incoming } from './incoming.ts'
import { lookAtAll } from './look.ts'
import { News } from './news.ts'
import { Outgoing } from './outgoing.ts'
import type { Asks, Courier, Sources, TaildropNetwork } from './ports.ts'
import { makeRow, nextId, type Row } from './rows.ts'
import { SentElsewhere } from './sent-elsewhere.ts'
import { spooledIds, TransfersStore, type TransfersStorePort } from './transfers-store.ts'

/** How often rate, rest and path of what moves are looked at. */
const TICK_MS = 1_000

export interface TransfersDeps {
  readonly env: Env
  readonly store: TransfersStorePort
  readonly network: Pick<TaildropNetwork, 'netMap' | 'pathTo'>
  readonly profileId: () => string | undefined
  readonly profileIds: () => readonly string[]
  readonly emit: (part: Partial<Notify>) => void
  readonly courier: Courier
  readonly sources: Sources
  readonly asks: () => Asks
  readonly inbox: () => InboxState
  /** Throws EngineError with why nothing can be sent to it. */
  readonly assertTarget: (node: Node) => void
  /** What was given to the spool is needed no longer. */
  readonly dropSpool: (id: string) => void
  /** Whether things in this folder wait with the engine. */
  readonly isStaged: (folder: string) => boolean
  /** Another profile is in use. */
  readonly onProfile: (id: string) => void
  /** Something has come in, or what is partial has changed. */
  readonly onIncoming: () => void
}

export class Transfers {
  readonly incoming: Incoming
  /** What other programs send by themselves. */
  readonly elsewhere: SentElsewhere
  readonly #deps: TransfersDeps
  readonly #book: Book
  readonly #news: News
  readonly #store: TransfersStore
  readonly #outgoing: Outgoing
  #profileId: string | undefined
  #netMap: NetMap | undefined
  #takeBack: (() => void) | undefined
  /** Ways to those that bytes go to or come from; looked at anew each second. */
  readonly #paths = new Map<string, TransferPath | undefined>()
  /** Given up, but perhaps still in the file. */
  #unneeded: string[] = []

  constructor(deps: TransfersDeps) {
    this.#deps = deps
    const { env, emit } = deps
    this.#book = new Book(env, {
      touched: (row) => this.#touched(row),
      gone: (id) => this.#news.gone(id),
      kept: () => this.#store.soon(),
    })
    this.#store = new TransfersStore(env, deps.store, () => this.#book.rows(), () => this.#dropUnneeded())
    this.#news = new News(env, {
      changes: (ids) => ({ Rows: this.#book.json([...ids].flatMap((id) => this.#book.get(id) ?? [])), Totals: this.#book.totals() }),
      asks: () => deps.asks().all(),
      inbox: deps.inbox,
      whole: () => this.page(),
      emit: (news: TransfersNews) => emit({ Transfers: news }),
    })
    const nameOf = (peer: string): string => this.#nameOf(peer)
    this.#outgoing = new Outgoing({ ...deps, book: this.#book, over: (row) => this.#giveUp(row) })
    this.elsewhere = new SentElsewhere({ env, book: this.#book, nameOf })
    this.incoming = new Incoming({
      env, book: this.#book, nameOf, isStaged: deps.isStaged,
      emit: (IncomingFiles) => emit({ IncomingFiles }),
      asksChanged: () => this.#news.asks(),
      ended: deps.onIncoming,
    })
  }

  page(): TransfersPage {
    return { Asks: this.#deps.asks().all(), Rows: sortRows(this.#book.json()), Totals: this.#book.totals(), Inbox: this.#deps.inbox() }
  }

  /** The profile, the map or the state are others now. */
  changed(): void {
    const { network, profileId } = this.#deps
    const id = profileId()
    if (id !== undefined && id !== this.#profileId) this.#open(id)
    const netMap = network.netMap()
    if (netMap === this.#netMap) return
    this.#netMap = netMap
    this.#outgoing.handle({ kind: 'network', devices: devicesOf(netMap) })
  }

  /** When a transfer to the device of that stable ID was last begun here, RFC 3339. */
  used(peer: string): string | undefined {
    const ms = this.#book.usedMs(peer)
    return ms === undefined ? undefined : new Date(ms).toISOString()
  }

  inboxChanged(): void {
    this.#news.inbox()
  }

  /** A packet came from a device. */
  heard(peer: string): void {
    this.#outgoing.handle({ kind: 'heard', peer })
  }

  /** What was known of ways to devices may hold no longer. */
  moved(): void {
    this.#outgoing.handle({ kind: 'moved' })
  }

  /** Things in the spool that are still to be sent. */
  spooled(): ReadonlySet<string> {
    return new Set(spooledIds(this.#book.rows()))
  }

  /** Takes those that broke off before `beforeMs` (wall time) out of the list: what was partial of them is gone. */
  forgetBroken(beforeMs: number): void {
    for (const row of this.#book.rows()) if (row.direction === 'in' && row.state === 'stopped' && (row.finishedMs ?? 0) < beforeMs) this.#book.remove(row.id)
  }

  /** Does what a client asks for; `mayNamePaths`: it may read and write what the engine may. Rejects with EngineError. */
  async act(body: unknown, mayNamePaths: boolean): Promise<TransferResult> {
    const action = parseAction(body, mayNamePaths)
    switch (action.Do) {
      case 'send': return this.#send(action.Peer, action.Items)
      case 'accept': case 'refuse': return this.#answer(action)
      case 'forget': this.#forget(action.ID); break
      case 'retry': {
        const rows = this.#rowsOf(action.ID)
        if (rows.every(({ direction, state }) => direction === 'out' && isOverState(state))) return this.#sendAgain(rows, mayNamePaths)
        await this.#retry(rows, mayNamePaths)
        break
      }
      case 'pause': case 'resume': case 'cancel': this.#intend(action.Do, this.#rowsOf(action.ID))
    }
    this.#store.now()
    return {}
  }

  stop(): void {
    this.#takeBack?.()
    this.#outgoing.stop()
    this.incoming.stop()
    this.#news.stop()
    this.#store.flush()
  }

  #open(profileId: string): void {
    if (this.#profileId !== undefined && this.#deps.profileIds().includes(this.#profileId)) this.#store.flush()
    else this.#store.drop()
    this.#profileId = profileId
    this.incoming.stop()
    this.#deps.onProfile(profileId)
    const rows = this.#store.open(profileId)
    this.#book.load(rows)
    this.#netMap = this.#deps.network.netMap()
    this.#outgoing.load(rows, devicesOf(this.#netMap))
    this.#news.whole()
    const open = rows.filter((row) => !isOverState(row.state))
    if (open.length > 0) this.#deps.env.journal.add({ part: 'taildrop', kind: 'loaded', why: `${open.length} transfers of this profile go on`, count: open.length })
  }

  async #send(peer: string, items: readonly SendItem[]): Promise<TransferResult> {
    const { env, network } = this.#deps
    const netMap = network.netMap()
    if (!netMap) throw new EngineError('no-netmap', 'Files can be sent once this device is connected.')
    const node = peerByStableId(netMap, peer)
    if (!node) throw new EngineError('no-such-peer', 'There is no such device in this network.')
    this.#deps.assertTarget(node)
    this.#book.assertRoom(items.length)
    const profile = this.#profileId
    const looks = await lookAtAll(this.#deps.sources, items)
    if (profile !== this.#profileId) throw new EngineError('aborted', 'Another profile is in use now.')
    this.#book.assertRoom(items.length)
    const batch = toHex(env.random.bytes(16))
    const peerName = shortName(node, magicDnsSuffix(netMap.self))
    const createdMs = env.clock.wallMs()
    const rows = looks.map(({ ref, name, look }) => makeRow({
      id: nextId(env), batch, direction: 'out', peer, peerName, name, kind: look.isFolder ? 'folder' : 'file', files: look.files, size: look.size,
      state: 'queued', createdMs, source: { ref, isFolder: look.isFolder, size: look.size, print: look.print, of: looks.length },
    }))
    for (const row of rows) this.#book.add(row)
    try {
      this.#store.now()
    } catch (error) {
      for (const row of rows) this.#book.remove(row.id)
      throw error
    }
    env.journal.add({ part: 'taildrop', kind: 'added', why: 'a person wants it sent', batch, peer, count: rows.length })
    env.log.part('taildrop').info(`to ${peerName}: ${rows.length === 1 ? 'one thing' : `${rows.length} things`} to send`, { batch })
    this.#outgoing.add(rows)
    return { Batch: batch, IDs: rows.map(({ id }) => id) }
  }

  async #answer(action: TransferAction & { Do: 'accept' | 'refuse' }): Promise<TransferResult> {
    const folder = action.Do === 'accept' ? action.Folder : undefined
    this.#deps.asks().answer(action.Batch, { accept: action.Do === 'accept', ...(folder === undefined ? {} : { folder }), ...(action.Always === undefined ? {} : { always: action.Always }) })
    return {}
  }

  /** Throws EngineError('not-found'). */
  #rowsOf(id: string): readonly Row[] {
    const row = this.#book.get(id)
    const rows = row ? [row] : [...this.#book.rows()].filter(({ batch }) => batch === id)
    if (rows.length === 0) throw new EngineError('not-found', 'There is no such transfer.')
    return rows
  }

  #intend(kind: 'pause' | 'resume' | 'retry' | 'cancel', rows: readonly Row[]): void {
    this.#outgoing.handle({ kind, ids: rows.flatMap((row) => (row.source ? [row.id] : [])) })
    if (kind !== 'cancel') return
    for (const row of rows) if (!row.source && !this.elsewhere.cancel(row.id)) this.incoming.cancel(row)
  }

  /** What was chosen may be another by now: that is what a person wants sent then, if it is theirs to choose; else what was chosen or nothing. */
  async #retry(rows: readonly Row[], mayNamePaths: boolean): Promise<void> {
    if (!rows.some(({ source }) => source)) throw new EngineError('bad-argument', 'Only who has it can send it again: it is not in the queue of this device.')
    for (const row of rows) {
      if (!row.source || row.state !== 'stopped' || (row.source.ref.kind === 'path' && !mayNamePaths)) continue
      try {
        const look = await this.#deps.sources.look(row.source.ref)
        if (this.#book.get(row.id) !== row) return
        row.source.print = look.print
        row.source.size = row.size = look.size
        row.files = look.files
        this.#outgoing.renewed(row)
      } catch (error) {
        if (!(error instanceof SourceFault)) throw error
        row.why = { Code: error.code, Text: errorText(error) }
        this.#book.changed(row)
        if (rows.length === 1) throw new EngineError('bad-argument', error.message, { cause: error })
      }
    }
    this.#intend('retry', rows)
  }

  /** What is over stays as it is in the list; the same goes out once more, as it is now. Rejects with EngineError. */
  #sendAgain(rows: readonly Row[], mayNamePaths: boolean): Promise<TransferResult> {
    if (!mayNamePaths) throw new EngineError('access-denied', 'Files of another user are not read by their path: give them to bowline/spool, and send what it answers.')
    const items = rows.map(({ name, source }) => {
      if (source?.ref.kind === 'path') return { Path: source.ref.path, Name: name }
      throw new EngineError('bad-argument', `${JSON.stringify(name)} was given to be sent once, and is not kept here: choose it again.`)
    })
    return this.#send(rows[0]!.peer, items)
  }

  #forget(id: string | undefined): void {
    const rows = id === undefined ? [...this.#book.rows()] : this.#rowsOf(id)
    for (const row of rows) {
      // One that stopped is still there to be tried again, unless a person names it.
      if (id !== undefined && row.state === 'stopped') this.#intend('cancel', [row])
      const isLeft = row.state === 'stopped' && row.direction === 'out' && !row.source
      if (isLeft || isOverState(row.state)) this.#book.remove(row.id)
    }
  }

  #giveUp({ source }: Row): void {
    if (source?.ref.kind === 'spool') this.#unneeded.push(source.ref.id)
  }

  /** Only now: a row that is on disk must find its bytes. */
  #dropUnneeded(): void {
    for (const id of this.#unneeded.splice(0)) this.#deps.dropSpool(id)
  }

  #nameOf(peer: string): string {
    const netMap = this.#deps.network.netMap()
    const node = netMap && peerByStableId(netMap, peer)
    return node ? shortName(node, magicDnsSuffix(netMap.self)) : peer
  }

  #touched(row: Row): void {
    this.#news.row(row.id, row.finishedMs !== undefined)
    if (!isMovingState(row.state)) return
    if (!this.#paths.has(row.peer)) this.#paths.set(row.peer, this.#pathTo(row.peer))
    row.path = this.#paths.get(row.peer)
    this.#takeBack ??= this.#deps.env.clock.after(TICK_MS, () => this.#tick())
  }

  #pathTo(peer: string): TransferPath | undefined {
    const { network } = this.#deps
    const netMap = network.netMap()
    const node = netMap && peerByStableId(netMap, peer)
    return node && network.pathTo(node)
  }

  /** Rates sink and paths change without any news of the transfer. */
  #tick(): void {
    this.#takeBack = undefined
    this.#paths.clear()
    for (const row of this.#book.rows()) if (isMovingState(row.state)) this.#book.moved(row)
  }
}

function devicesOf(netMap: NetMap | undefined): ReadonlyMap<string, boolean> | undefined {
  return netMap && new Map([...netMap.peers.values()].map((node) => [node.StableID, node.Online === true]))
}
