/**
 * One thing that comes in, a file or the content of a folder, from the first look at who sends it to its final name.
 *
 *   may it? → rule, ask → a slot → open at the offset → the body → size, hash, may it still? → final name
 *
 * What breaks off stays partial, to be gone on with. A second try of the same thing ends a first one whose sender has gone silent:
 * its connection is most likely dead without anybody knowing.
 */
import { join } from 'node:path'
import { errorText } from '../../../base/errors.ts'
import type { AskBatch } from '../../../core/taildrop/asks.ts'
import { partialName } from '../../../core/taildrop/names.ts'
import { sendRefusal } from '../../../core/taildrop/permission.ts'
import type { PutRequest } from '../../../core/taildrop/put-request.ts'
import { codeOfFault, whyOf, type WhyCode } from '../../../core/taildrop/whys.ts'
import { HASH_TRAILER, isHash } from '../../../core/taildrop/wire.ts'
import type { IncomingRow, InboxPlace, ManifestEntry, Receiving, Saved } from '../ports.ts'
import type { AskDesk } from './desk.ts'
import type { ReceiverDeps, Visit } from './ports.ts'
import { pour, type PourEnd } from './pour.ts'
import type { Slots } from './slots.ts'
import type { ReceiveTold } from './told.ts'

/** How long a sender whose request is not read may wait for a person. */
const HELD_MS = 600_000
/** A reception that got nothing for this long gives way to another try. */
const SILENT_MS = 5_000
const PROGRESS_MS = 200

/** One thing that a request brings. */
export interface Incoming {
  readonly name: string
  readonly isFolder: boolean
  readonly files: number
  readonly request: PutRequest
  readonly manifest?: readonly ManifestEntry[]
}

export type IntakeEnd = { readonly kind: 'saved'; readonly saved: Saved } | { readonly kind: 'refused'; readonly code: WhyCode } | { readonly kind: 'gone' }

interface Running {
  heardMs: number
  readonly stop: AbortController
  readonly isUnwanted: () => boolean
  readonly over: Promise<void>
}

/** What one reception goes by, once it is let in. */
interface Admitted {
  readonly batch: AskBatch
  readonly row: IncomingRow
  readonly place: InboxPlace
}

const refused = (code: WhyCode): IntakeEnd => ({ kind: 'refused', code })
const GONE: IntakeEnd = { kind: 'gone' }

export class Intake {
  readonly #deps: ReceiverDeps
  readonly #desk: AskDesk
  readonly #slots: Slots
  readonly #told: ReceiveTold
  readonly #running = new Map<string, Running>()
  #isStopped = false

  constructor(deps: ReceiverDeps, desk: AskDesk, slots: Slots, told: ReceiveTold) {
    this.#deps = deps
    this.#desk = desk
    this.#slots = slots
    this.#told = told
  }

  /** Why the caller may not send here at all; undefined: it may. */
  refusalOf({ caller, from }: Visit): WhyCode | undefined {
    return this.#isStopped ? 'turned-off' : sendRefusal(this.#deps.network.netMap(), caller.node, from)
  }

  /** The same with what the rules say by now. */
  #refusalNow(visit: Visit): WhyCode | undefined {
    return this.refusalOf(visit) ?? (this.#isUnwanted(visit) ? 'not-wanted' : undefined)
  }

  #isUnwanted({ caller }: Visit): boolean {
    return this.#desk.ruleFor(caller.node) === 'refused'
  }

  /** Takes the body of a request in. Never rejects. */
  async take(visit: Visit, what: Incoming): Promise<IntakeEnd> {
    const { node } = visit.caller
    const end = await this.#admit(visit, what)
    if (end.kind === 'refused') this.#told.refused(node.StableID, what.name, end.code)
    return end
  }

  /** Ends what is coming in from this sender under this name if nothing has come for a while, so that it can be looked at or begun again. */
  async yieldSilent(place: InboxPlace): Promise<void> {
    const before = this.#running.get(keyOf(place))
    if (!before || this.#deps.env.clock.nowMs() - before.heardMs < SILENT_MS) return
    before.stop.abort()
    await before.over
  }

  /** Where something of this sender's is kept while it comes. */
  placeOf(visit: Visit, name: string, wire: string | undefined): InboxPlace {
    const batch = wire === undefined ? undefined : this.#desk.named(visit.caller.node, wire)
    const folder = batch?.folder ?? this.#desk.folderFor(visit.caller.node, name) ?? this.#deps.folder()
    return { folder, sender: visit.caller.node.StableID, name, from: visit.caller.node.Name }
  }

  /** Rules have changed: what a rule refuses now is not waited for. */
  review(): void {
    for (const { isUnwanted, stop } of this.#running.values()) if (isUnwanted()) stop.abort()
  }

  stop(): void {
    this.#isStopped = true
    for (const { stop } of this.#running.values()) stop.abort()
  }

  async #admit(visit: Visit, what: Incoming): Promise<IntakeEnd> {
    const { node } = visit.caller
    const { name, isFolder, files, request } = what
    if (partialName(name, node.StableID) === undefined) return refused('bad-name')
    const batch = this.#desk.batchOf(node, { name, isFolder, files, size: request.size }, request.batch)
    if (batch === 'too-many') return refused('too-many')
    if (batch.state === 'refused') return refused('not-wanted')
    const place = { folder: batch.folder ?? this.#deps.folder(), sender: node.StableID, name }
    if (batch.state === 'accepted') return await this.#inSlot(visit, what, batch, place)
    // A row that ends at once would take the place of one that a person wants to see.
    if (!this.#desk.mayWait(node.StableID)) return refused('too-many')
    return await this.#afterAnswer(visit, what, batch, place)
  }

  async #afterAnswer(visit: Visit, what: Incoming, batch: AskBatch, place: InboxPlace): Promise<IntakeEnd> {
    const row = this.#begin(visit, what, batch, place.folder)
    row.waiting()
    const answer = await this.#desk.wait(batch, { hold: visit.hold, over: AbortSignal.any([visit.over, row.signal]) }, HELD_MS)
    if (answer === 'accepted') {
      const now = this.#desk.byId(batch.id) ?? batch
      return await this.#inSlot(visit, what, now, { ...place, folder: now.folder ?? place.folder }, row)
    }
    if (answer === 'gone') {
      if (row.signal.aborted) return refused('canceled-here')
      row.broken(whyOf('stopped'))
      return GONE
    }
    const code = answer === 'refused' ? 'not-wanted' : answer
    row.refused(whyOf(code))
    return refused(code)
  }

  #begin(visit: Visit, { name, isFolder, files, request }: Incoming, batch: AskBatch, folder: string): IncomingRow {
    const sender = visit.caller.node.StableID
    const partialPath = join(folder, partialName(name, sender)!)
    return this.#deps.book.begin({ peer: sender, batch: batch.id, name, kind: isFolder ? 'folder' : 'file', files, size: request.size, folder, partialPath })
  }

  async #inSlot(visit: Visit, what: Incoming, batch: AskBatch, place: InboxPlace, asked?: IncomingRow): Promise<IntakeEnd> {
    const release = visit.hold()
    const leave = await this.#slots.enter(place.sender, asked ? AbortSignal.any([visit.over, asked.signal]) : visit.over)
    release()
    if (leave === 'too-many') {
      asked?.refused(whyOf('too-many'))
      return refused('too-many')
    }
    if (leave === 'gone') {
      if (asked?.signal.aborted === true) return refused('canceled-here')
      asked?.broken(whyOf('stopped'))
      return GONE
    }
    this.#desk.began(batch)
    let end: IntakeEnd | undefined
    try {
      const code = this.#refusalNow(visit)
      if (code) asked?.refused(whyOf(code))
      else await this.yieldSilent(place)
      return (end = code ? refused(code) : await this.#receive(visit, what, { batch, place, row: asked ?? this.#begin(visit, what, batch, place.folder) }))
    } finally {
      this.#desk.ended(batch, what.name, end?.kind === 'saved')
      leave()
    }
  }

  async #receive(visit: Visit, what: Incoming, admitted: Admitted): Promise<IntakeEnd> {
    const { request, manifest } = what
    const { row, place } = admitted
    const key = keyOf(place)
    let receiving: Receiving
    try {
      receiving = await this.#deps.inbox.open(place, request.offset, request.size, manifest)
    } catch (error) {
      return this.#fault(row, error)
    }
    let free = (): void => {}
    const running: Running = { heardMs: this.#deps.env.clock.nowMs(), stop: new AbortController(), isUnwanted: () => this.#isUnwanted(visit), over: new Promise((resolve) => (free = resolve)) }
    this.#running.set(key, running)
    try {
      return await this.#body(visit, what, admitted, receiving, running)
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key)
      free()
    }
  }

  async #body(visit: Visit, { request }: Incoming, admitted: Admitted, receiving: Receiving, running: Running): Promise<IntakeEnd> {
    const { row } = admitted
    const { clock } = this.#deps.env
    let toldMs = clock.nowMs()
    row.progress(receiving.received)
    try {
      const end = await pour(visit.body, receiving, {
        clock, size: request.size, signal: AbortSignal.any([running.stop.signal, row.signal]),
        onBytes: (received) => {
          running.heardMs = clock.nowMs()
          if (running.heardMs - toldMs < PROGRESS_MS) return
          toldMs = running.heardMs
          row.progress(received)
        },
      })
      row.progress(receiving.received)
      return end === 'whole' ? await this.#finish(visit, request, admitted, receiving) : await this.#broken(visit, admitted, receiving, end)
    } catch (error) {
      // A fault of the disk: what is there is as good as it was.
      await receiving.keep().catch(() => undefined)
      return this.#fault(row, error)
    }
  }

  async #finish(visit: Visit, request: PutRequest, { row }: Admitted, receiving: Receiving): Promise<IntakeEnd> {
    const { node } = visit.caller
    row.checking()
    const said = request.batch === undefined ? undefined : visit.trailers()[HASH_TRAILER]
    const code = (row.signal.aborted ? 'canceled-here' : this.#refusalNow(visit)) ?? (said !== undefined && !isHash(said) ? 'bad-request' : undefined)
    if (code) {
      await receiving.discard()
      row.refused(whyOf(code))
      return refused(code)
    }
    try {
      const saved = await receiving.finish({ ...(request.size < 0 ? {} : { size: request.size }), ...(said === undefined ? {} : { sha256: said as string }), from: node.Name })
      row.received(saved, said !== undefined)
      this.#told.received(saved)
      return { kind: 'saved', saved }
    } catch (error) {
      return this.#fault(row, error)
    }
  }

  async #broken(visit: Visit, { row }: Admitted, receiving: Receiving, end: Exclude<PourEnd, 'whole'>): Promise<IntakeEnd> {
    const isUnwanted = end === 'aborted' && this.#isUnwanted(visit)
    if (row.signal.aborted || end === 'long' || isUnwanted) {
      await receiving.discard()
      if (row.signal.aborted) return refused('canceled-here')
      const code = isUnwanted ? 'not-wanted' : 'wrong-size'
      row.refused(whyOf(code))
      return refused(code)
    }
    await receiving.keep()
    const code = this.#isStopped ? 'turned-off' : 'stopped'
    row.broken(whyOf(code))
    this.#told.count('broken')
    return end === 'gone' ? GONE : refused(code)
  }

  /** What the disk says. Only the record here gets its sentence, which may name the folder. */
  #fault(row: IncomingRow, error: unknown): IntakeEnd {
    const code = codeOfFault(error)
    if (code === 'io') this.#deps.env.log.part('taildrop').warn('the folder for incoming files has a fault', { error: errorText(error) })
    row.refused(whyOf(code, errorText(error)))
    return refused(code)
  }
}

const keyOf = ({ folder, sender, name }: InboxPlace): string => `${folder}\0${sender}\0${name}`
