/**
 * Where a sender waits for a person's answer: rules, asks (core/taildrop/asks.ts), and requests that are held meanwhile.
 *
 * A held request is not read, so the sender's own connection keeps the rest of the file with it.
 */
import { EngineError } from '../../../base/errors.ts'
import { toHex } from '../../../base/bytes.ts'
import { peerByStableId } from '../../../core/netmap/find-node.ts'
import { magicDnsSuffix, shortName } from '../../../core/plan/names.ts'
import { AskBook, type AskBatch, type AskState } from '../../../core/taildrop/asks.ts'
import { isOwn } from '../../../core/taildrop/targets.ts'
import type { OfferItem } from '../../../core/taildrop/wire.ts'
import type { Node } from '../../../core/tailcfg/types.ts'
import type { IncomingRule, TransferAsk } from '../../../../localapi/transfers.ts'
import type { Asks } from '../ports.ts'
import type { ReceiverDeps, Visit } from './ports.ts'
import type { ReceiveTold } from './told.ts'

const MOST_HELD = 256
const MOST_HELD_PER_SENDER = 48
const MOST_SHOWN = 10

const STATES: Readonly<Record<IncomingRule, AskState>> = { accept: 'accepted', ask: 'asking', refuse: 'refused' }

export type Answered = 'accepted' | 'refused' | 'not-answered' | 'gone' | 'too-many'

export class AskDesk implements Asks {
  readonly #deps: ReceiverDeps
  readonly #told: ReceiveTold
  readonly #book: AskBook
  /** Batch → those who wait for its answer. */
  readonly #held = new Map<string, Set<() => void>>()
  readonly #heldBySender = new Map<string, number>()
  #heldTotal = 0
  #cancelTimer: (() => void) | undefined
  #isStopped = false

  constructor(deps: ReceiverDeps, told: ReceiveTold) {
    this.#deps = deps
    this.#told = told
    this.#book = new AskBook(deps.kept)
  }

  /** What the rules say of a device now. */
  ruleFor(node: Node): AskState {
    const settings = this.#deps.settings()
    const { [node.StableID]: rule } = settings.Senders
    const self = this.#deps.network.netMap()?.self
    return STATES[rule ?? (self && isOwn(self, node) ? settings.Own : settings.Others)]
  }

  /** A Bowline offers a batch: what becomes of it now. */
  offered(node: Node, wire: string, items: readonly OfferItem[]): AskBatch | 'too-many' {
    const isNew = this.#book.named(this.#nowMs(), node.StableID, wire, this.ruleFor(node)) === undefined
    const batch = this.#book.offered(this.#nowMs(), node.StableID, wire, items, this.ruleFor(node), this.#newId)
    if (batch !== 'too-many' && batch.state === 'asking') this.#asking(batch, isNew)
    return batch
  }

  /** The batch that a Bowline names and that holds the item; else the one that a file without an offer belongs to. */
  batchOf(node: Node, item: OfferItem, wire: string | undefined): AskBatch | 'too-many' {
    const [nowMs, rule] = [this.#nowMs(), this.ruleFor(node)]
    const named = wire === undefined ? undefined : this.#book.named(nowMs, node.StableID, wire, rule)
    if (named && (rule !== 'asking' || named.state === 'refused' || this.#book.covers(named.id, item))) return named
    const before = this.#book.open(nowMs).length
    const batch = this.#book.wanted(nowMs, node.StableID, item, rule, this.#newId)
    if (batch !== 'too-many' && batch.state === 'asking') this.#asking(batch, this.#book.open(nowMs).length > before)
    return batch
  }

  /** The batch of an offer made before. */
  named(node: Node, wire: string): AskBatch | undefined {
    return this.#book.named(this.#nowMs(), node.StableID, wire, this.ruleFor(node))
  }

  byId(id: string): AskBatch | undefined {
    return this.#book.get(id)
  }

  /** Where a person wants what a stock client sends under this name; undefined: nobody said. */
  folderFor(node: Node, name: string): string | undefined {
    return this.#book.folderFor(node.StableID, name)
  }

  /** Whether there is room for one more request of this sender that is held. */
  mayWait(sender: string): boolean {
    return this.#heldTotal < MOST_HELD && (this.#heldBySender.get(sender) ?? 0) < MOST_HELD_PER_SENDER
  }

  /** Waits for the answer of a batch that is asked for, `mostMs` at most. */
  async wait(batch: AskBatch, visit: Pick<Visit, 'hold' | 'over'>, mostMs: number): Promise<Answered> {
    const { id, sender } = batch
    if (!this.mayWait(sender)) return 'too-many'
    this.#count(sender, 1)
    this.#book.hold(this.#nowMs(), id, 1)
    this.#changed()
    const release = visit.hold()
    const end = await this.#answerOf(id, visit.over, mostMs)
    release()
    this.#count(sender, -1)
    this.#book.hold(this.#nowMs(), id, -1)
    this.#changed()
    return end
  }

  /** Around each file that comes in. */
  began(batch: AskBatch): void {
    this.#book.began(batch.id)
  }

  ended(batch: AskBatch, name: string, isWhole: boolean): void {
    this.#book.ended(this.#nowMs(), batch.id, name, isWhole)
  }

  all(): readonly TransferAsk[] {
    return this.#book.open(this.#nowMs()).map((batch) => this.#shown(batch))
  }

  answer(id: string, { accept, folder, always }: { readonly accept: boolean; readonly folder?: string; readonly always?: boolean }): void {
    const batch = this.#book.answer(this.#nowMs(), id, accept, folder)
    if (!batch) throw new EngineError('not-found', 'Nobody asks for that any more.')
    this.#told.answered(batch.sender, accept, always === true ? 'a person said so, for now and always' : 'a person said so')
    this.#wake(id)
    if (always === true) this.#deps.setRule(batch.sender, accept ? 'accept' : 'refuse')
    this.#deps.keep?.(this.#book.kept())
    this.#changed()
    this.review()
  }

  /** Rules may have changed: what is asked needlessly is not asked any more. */
  review(): void {
    const { network } = this.#deps
    const decided = this.#book.review(this.#nowMs(), (sender) => {
      const netMap = network.netMap()
      const node = netMap && peerByStableId(netMap, sender)
      return node ? this.ruleFor(node) : 'asking'
    })
    for (const id of decided) {
      const batch = this.#book.get(id)!
      this.#told.answered(batch.sender, batch.state === 'accepted', 'the rule for this device says so')
      this.#wake(id)
    }
    if (decided.length > 0) this.#changed()
  }

  /** Lets go of all who wait. */
  stop(): void {
    this.#isStopped = true
    for (const id of this.#held.keys()) this.#wake(id)
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #answerOf(id: string, over: AbortSignal, mostMs: number): Promise<Answered> {
    return new Promise((resolve) => {
      const done = (end: Answered): void => {
        cancelTimer()
        over.removeEventListener('abort', onOver)
        const waiting = this.#held.get(id)
        waiting?.delete(onAnswer)
        if (waiting?.size === 0) this.#held.delete(id)
        resolve(end)
      }
      const onAnswer = (): void => {
        const state = this.#isStopped ? undefined : this.#book.get(id)?.state
        if (state !== 'asking') done(state ?? 'not-answered')
      }
      const onOver = (): void => done('gone')
      const cancelTimer = this.#deps.env.clock.after(mostMs, () => done('not-answered'))
      over.addEventListener('abort', onOver)
      this.#held.set(id, (this.#held.get(id) ?? new Set()).add(onAnswer))
      if (over.aborted) onOver()
      else onAnswer()
    })
  }

  #wake(id: string): void {
    for (const call of this.#held.get(id) ?? []) call()
  }

  #asking(batch: AskBatch, isNew: boolean): void {
    if (isNew) this.#told.asked(batch.sender, batch.items.length)
    this.#changed()
  }

  /** Tells, and again when somebody who waited is not heard any more. */
  #changed(): void {
    this.#deps.book.asksChanged()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#isStopped) return
    const atMs = this.#book.nextTimeout(this.#nowMs())
    if (atMs !== undefined) this.#cancelTimer = this.#deps.env.clock.after(Math.max(1, atMs - this.#nowMs()), () => this.#changed())
  }

  #shown(batch: AskBatch): TransferAsk {
    const netMap = this.#deps.network.netMap()
    const node = netMap && peerByStableId(netMap, batch.sender)
    const path = node && this.#deps.network.pathTo(node)
    const owner = node && netMap.userProfiles.get(node.User)
    return {
      Batch: batch.id,
      Peer: batch.sender,
      PeerName: node ? shortName(node, magicDnsSuffix(netMap.self)) : '',
      Owner: owner?.DisplayName || owner?.LoginName || '',
      Items: batch.items.slice(0, MOST_SHOWN).map(({ name, isFolder, size, files }) => ({ Name: name, Kind: isFolder ? 'folder' : 'file', Size: size, Files: files })),
      Count: batch.items.length,
      Size: batch.size,
      Since: new Date(batch.sinceMs).toISOString(),
      Held: this.#book.isHeld(this.#nowMs(), batch.id),
      Accepted: this.#book.acceptedBefore(batch.sender),
      ...(path ? { Path: path } : {}),
    }
  }

  #count(sender: string, by: 1 | -1): void {
    this.#heldTotal += by
    const count = (this.#heldBySender.get(sender) ?? 0) + by
    if (count === 0) this.#heldBySender.delete(sender)
    else this.#heldBySender.set(sender, count)
  }

  readonly #newId = (): string => toHex(this.#deps.env.random.bytes(16))

  #nowMs(): number {
    return this.#deps.env.clock.wallMs()
  }
}
