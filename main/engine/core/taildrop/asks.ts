/**
 * What a person is asked before files come in, and what was answered. Pure; times are wall time in ms.
 *
 *   asking → accepted → forgotten after 24 h
 *          → refused  → forgotten after 24 h; a stock client's next ones are refused unasked for a minute
 *          → forgotten a day after the sender was last heard of
 *
 * A Bowline names its batch and all that is in it. A stock client sends one file after the other and says nothing of the next:
 * what it sends while a person is asked is one batch, and so is what follows an accepted file at once.
 * A batch's ID is ours: a sender can neither choose one nor name another sender's.
 */
import type { OfferItem } from './wire.ts'

const KEPT_MS = 24 * 3_600_000
/** A Bowline asks again at least every 25 s while it waits. */
const HEARD_MS = 45_000
/** How soon after one file of a stock client another belongs to it. */
const FOLLOWS_MS = 10_000
const REST_AFTER_REFUSAL_MS = 60_000
const MAX_OPEN = 100
const MAX_OPEN_PER_SENDER = 8
const MAX_BATCHES = 1_000
const MAX_ITEMS = 60_000
/** Of those that wait for an answer: what one sender asks for must not take all room. */
const MAX_OPEN_ITEMS = 40_000
const MAX_OPEN_ITEMS_PER_SENDER = 20_000
const MAX_STOCK_ITEMS = 1_000
const MAX_SENDERS = 1_000
/** A file may come again when our answer got lost. */
const TIMES = 3
/** Larger ones are asked for again after a restart. */
const MAX_KEPT_ITEMS = 1_000

export type AskState = 'asking' | 'accepted' | 'refused'

export interface AskBatch {
  readonly id: string
  /** Stable ID. */
  readonly sender: string
  readonly state: AskState
  readonly sinceMs: number
  /** Where a person wants these saved; undefined: where all goes. */
  readonly folder: string | undefined
  readonly items: readonly OfferItem[]
  /** Bytes of all; -1: one of them is not known. */
  readonly size: number
}

/** What is kept over a restart. */
export interface AsksKept {
  /** Stable ID → how often a person accepted. */
  readonly accepted: Readonly<Record<string, number>>
  readonly batches: readonly {
    readonly id: string
    readonly sender: string
    readonly wire?: string
    readonly sinceMs: number
    readonly decidedMs: number
    readonly folder?: string
    readonly items: readonly OfferItem[]
  }[]
}

interface Batch {
  readonly id: string
  readonly sender: string
  /** The sender's own name of it; undefined: a stock client's. */
  readonly wire: string | undefined
  readonly sinceMs: number
  readonly items: OfferItem[]
  size: number
  /** Name → how many times it may still come. */
  readonly left: Map<string, number>
  state: AskState
  /** Not by the rule alone, which may change. */
  isByPerson: boolean
  decidedMs: number
  heardMs: number
  endedMs: number
  folder: string | undefined
  /** Requests that wait for the answer, and files that are coming in. */
  holding: number
  coming: number
}

export class AskBook {
  readonly #batches = new Map<string, Batch>()
  readonly #byWire = new Map<string, Batch>()
  readonly #accepted = new Map<string, number>()
  #items = 0

  constructor(kept?: AsksKept) {
    for (const [sender, count] of Object.entries(kept?.accepted ?? {})) this.#accepted.set(sender, count)
    for (const one of kept?.batches ?? []) {
      const batch = this.#make(one.decidedMs, one.id, one.sender, one.wire, one.items)
      Object.assign(batch, { sinceMs: one.sinceMs, state: 'accepted', isByPerson: true, decidedMs: one.decidedMs, folder: one.folder })
    }
  }

  /** A Bowline offers. The same batch again is the first one still. `rule` is what holds for the sender. 'too-many': there is no room to remember it. */
  offered(nowMs: number, sender: string, wire: string, items: readonly OfferItem[], rule: AskState, newId: () => string): AskBatch | 'too-many' {
    this.#forget(nowMs)
    const known = this.#byWire.get(wireKey(sender, wire))
    if (known) return view(heard(known, nowMs, rule))
    if (!this.#hasRoom(sender, items.length, rule)) return 'too-many'
    return view(heard(this.#make(nowMs, newId(), sender, wire, items), nowMs, rule))
  }

  /** The batch that a Bowline names, if it has offered it. */
  named(nowMs: number, sender: string, wire: string, rule: AskState): AskBatch | undefined {
    this.#forget(nowMs)
    const batch = this.#byWire.get(wireKey(sender, wire))
    return batch && view(heard(batch, nowMs, rule))
  }

  /** A file comes without an offer, or is not in it. `rule` as before; what a person accepted goes before being asked again. */
  wanted(nowMs: number, sender: string, item: OfferItem, rule: AskState, newId: () => string): AskBatch | 'too-many' {
    this.#forget(nowMs)
    // Nothing of it is remembered: who is refused must not push out what others were let in with.
    if (rule === 'refused') return { id: newId(), sender, state: rule, sinceMs: nowMs, folder: undefined, items: [], size: 0 }
    const own = [...this.#batches.values()].filter((batch) => batch.sender === sender)
    const stock = own.filter((batch) => batch.wire === undefined)
    if (rule === 'accepted') {
      const followed = stock.find((batch) => batch.state === 'accepted' && isFollowed(batch, nowMs))
      if (followed) return view(followed)
    }
    if (rule === 'asking') {
      const known = own.find((batch) => batch.isByPerson && batch.state === 'accepted' && hasLeft(batch, item)) ?? this.#joined(stock, item, nowMs)
      if (known) return view(known)
    }
    if (!this.#hasRoom(sender, 1, rule)) return 'too-many'
    return view(heard(this.#make(nowMs, newId(), sender, undefined, rule === 'asking' ? [item] : []), nowMs, rule))
  }

  /** Whether this is one of the things that a person sees, or saw, in the batch. */
  covers(id: string, item: OfferItem): boolean {
    const batch = this.#batches.get(id)
    return batch !== undefined && hasLeft(batch, item)
  }

  /** A person answers; undefined: nobody asks for that any more. */
  answer(nowMs: number, id: string, accept: boolean, folder?: string): AskBatch | undefined {
    const batch = this.#batches.get(id)
    if (batch?.state !== 'asking') return undefined
    if (accept && (this.#accepted.size < MAX_SENDERS || this.#accepted.has(batch.sender))) this.#accepted.set(batch.sender, (this.#accepted.get(batch.sender) ?? 0) + 1)
    if (accept) batch.folder = folder
    batch.isByPerson = true
    decide(batch, nowMs, accept ? 'accepted' : 'refused')
    return view(batch)
  }

  /** Rules have changed: what need not be asked any more is decided by them. Answers the IDs of those batches. */
  review(nowMs: number, ruleFor: (sender: string) => AskState): readonly string[] {
    const decided: string[] = []
    for (const batch of this.#batches.values()) {
      const rule = batch.state === 'asking' ? ruleFor(batch.sender) : 'asking'
      if (rule === 'asking') continue
      decide(batch, nowMs, rule)
      decided.push(batch.id)
    }
    return decided
  }

  /** A request begins (or ends, -1) to wait for the answer. */
  hold(nowMs: number, id: string, by: 1 | -1): void {
    const batch = this.#batches.get(id)
    if (!batch) return
    batch.holding += by
    batch.heardMs = nowMs
  }

  /** A file of it begins to come in. */
  began(id: string): void {
    const batch = this.#batches.get(id)
    if (batch) batch.coming++
  }

  ended(nowMs: number, id: string, name: string, isWhole: boolean): void {
    const batch = this.#batches.get(id)
    if (!batch) return
    batch.coming--
    batch.endedMs = nowMs
    if (isWhole) batch.left.set(name, (batch.left.get(name) ?? 0) - 1)
  }

  /** Those that wait for an answer, the oldest first. */
  open(nowMs: number): readonly AskBatch[] {
    this.#forget(nowMs)
    return [...this.#batches.values()].filter((batch) => batch.state === 'asking').map(view)
  }

  get(id: string): AskBatch | undefined {
    const batch = this.#batches.get(id)
    return batch && view(batch)
  }

  /** Where a person wants what comes from a sender under this name; undefined: nobody said. */
  folderFor(sender: string, name: string): string | undefined {
    for (const batch of this.#batches.values()) if (batch.sender === sender && batch.folder !== undefined && batch.state === 'accepted' && (batch.left.get(name) ?? 0) > 0) return batch.folder
    return undefined
  }

  /** Whether the sender is still there and begins at once. */
  isHeld(nowMs: number, id: string): boolean {
    const batch = this.#batches.get(id)
    return batch !== undefined && (batch.holding > 0 || (batch.wire !== undefined && isWithin(nowMs - batch.heardMs, HEARD_MS)))
  }

  acceptedBefore(sender: string): number {
    return this.#accepted.get(sender) ?? 0
  }

  /** When something changes by itself; undefined: nothing will. */
  nextTimeout(nowMs: number): number | undefined {
    let atMs: number | undefined
    for (const batch of this.#batches.values()) {
      if (batch.state !== 'asking') continue
      const lost = batch.heardMs + HEARD_MS
      const at = batch.wire !== undefined && batch.holding === 0 && lost > nowMs ? lost : forgetAt(batch)
      if (atMs === undefined || at < atMs) atMs = at
    }
    return atMs
  }

  kept(): AsksKept {
    const batches = [...this.#batches.values()].filter(({ isByPerson, state, items }) => isByPerson && state === 'accepted' && items.length <= MAX_KEPT_ITEMS)
    return {
      accepted: Object.fromEntries(this.#accepted),
      batches: batches.map(({ id, sender, wire, sinceMs, decidedMs, folder, items }) => ({
        id, sender, sinceMs, decidedMs, items, ...(wire === undefined ? {} : { wire }), ...(folder === undefined ? {} : { folder }),
      })),
    }
  }

  /** The batch of a stock client's other files that this one belongs to: accepted just now, refused just now, or being asked for. */
  #joined(stock: readonly Batch[], item: OfferItem, nowMs: number): Batch | undefined {
    const refused = stock.find((batch) => batch.isByPerson && batch.state === 'refused' && isWithin(nowMs - batch.decidedMs, REST_AFTER_REFUSAL_MS))
    if (refused) return refused
    const batch = stock.find((one) => (one.state === 'asking' || (one.isByPerson && one.state === 'accepted' && isFollowed(one, nowMs))) && one.items.length < MAX_STOCK_ITEMS)
    if (!batch) return undefined
    batch.heardMs = nowMs
    if (!batch.items.some((one) => isCovered(one, item))) {
      batch.items.push(item)
      batch.size = sum(batch.size, item.size)
      this.#items++
    }
    batch.left.set(item.name, Math.max(1, batch.left.get(item.name) ?? TIMES))
    return batch
  }

  #make(nowMs: number, id: string, sender: string, wire: string | undefined, items: readonly OfferItem[]): Batch {
    const left = new Map<string, number>()
    for (const { name } of items) left.set(name, (left.get(name) ?? 0) + TIMES)
    const size = items.reduce((all, item) => sum(all, item.size), 0)
    const batch: Batch = { id, sender, wire, sinceMs: nowMs, items: [...items], size, left, state: 'asking', isByPerson: false, decidedMs: 0, heardMs: nowMs, endedMs: 0, folder: undefined, holding: 0, coming: 0 }
    this.#batches.set(id, batch)
    if (wire !== undefined) this.#byWire.set(wireKey(sender, wire), batch)
    this.#items += items.length
    return batch
  }

  /** Makes room by forgetting what was decided longest ago. */
  #hasRoom(sender: string, items: number, rule: AskState): boolean {
    if (rule === 'asking') {
      const open = [...this.#batches.values()].filter((batch) => batch.state === 'asking')
      const own = open.filter((batch) => batch.sender === sender)
      if (open.length >= MAX_OPEN || own.length >= MAX_OPEN_PER_SENDER) return false
      if (countOf(open) + items > MAX_OPEN_ITEMS || countOf(own) + items > MAX_OPEN_ITEMS_PER_SENDER) return false
    }
    for (const batch of this.#batches.values()) {
      if (this.#batches.size < MAX_BATCHES && this.#items + items <= MAX_ITEMS) break
      if (batch.state !== 'asking' && batch.coming === 0 && batch.holding === 0) this.#drop(batch)
    }
    return this.#batches.size < MAX_BATCHES && this.#items + items <= MAX_ITEMS
  }

  #forget(nowMs: number): void {
    for (const batch of this.#batches.values()) if (batch.holding === 0 && batch.coming === 0 && nowMs >= forgetAt(batch)) this.#drop(batch)
  }

  #drop(batch: Batch): void {
    this.#batches.delete(batch.id)
    if (batch.wire !== undefined) this.#byWire.delete(wireKey(batch.sender, batch.wire))
    this.#items -= batch.items.length
  }
}

const wireKey = (sender: string, wire: string): string => `${sender} ${wire}`
/** What the rule alone decided of a stock client's file matters only to those that follow it at once. */
const forgetAt = (batch: Batch): number =>
  batch.wire === undefined && !batch.isByPerson && batch.state !== 'asking' ? batch.endedMs + FOLLOWS_MS : (batch.state === 'asking' ? batch.heardMs : batch.decidedMs) + KEPT_MS

const hasLeft = (batch: Batch, item: OfferItem): boolean => (batch.left.get(item.name) ?? 0) > 0 && batch.items.some((one) => isCovered(one, item))
/** A size that was told is held to, also by who tells none later. */
const isCovered = (told: OfferItem, item: OfferItem): boolean => told.name === item.name && told.isFolder === item.isFolder && (told.size < 0 || told.size === item.size)
const countOf = (batches: readonly Batch[]): number => batches.reduce((all, { items }) => all + items.length, 0)

/** A sign of life, and what the rule makes of the batch: only where it asks does a person's answer count. */
function heard(batch: Batch, nowMs: number, rule: AskState): Batch {
  batch.heardMs = nowMs
  if (rule === 'asking' && batch.isByPerson) return batch
  if (batch.state !== rule) {
    batch.isByPerson = false
    decide(batch, nowMs, rule)
  }
  return batch
}

function decide(batch: Batch, nowMs: number, state: AskState): void {
  batch.state = state
  batch.decidedMs = nowMs
  batch.endedMs = nowMs
}

const isFollowed = (batch: Batch, nowMs: number): boolean => batch.coming > 0 || batch.holding > 0 || isWithin(nowMs - batch.endedMs, FOLLOWS_MS)
/** A clock that was set back makes nothing last longer. */
const isWithin = (agoMs: number, mostMs: number): boolean => agoMs >= 0 && agoMs < mostMs
const sum = (a: number, b: number): number => (a < 0 || b < 0 ? -1 : a + b)

function view({ id, sender, state, sinceMs, folder, items, size }: Batch): AskBatch {
  return { id, sender, state, sinceMs, folder, items, size }
}
