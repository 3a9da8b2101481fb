/**
 * One try to bring one thing to one device.
 *
 *   find the device → offer (Bowline) → what has it already? (hashes) → PUT from there on → its answer
 *
 *   to a Bowline    a file, or a folder as manifest and stream; the hash of the whole goes behind it and comes back
 *   to any other    a file, or a folder as one zip file; its 200 comes after its last rename, and says no more
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Clock, Journal } from '../../../base/env.ts'
import { BATCH_HEADER, encodeManifest, FOLDER_PATH, MANIFEST_PATH, MAX_ANSWER_BYTES, MAX_MANIFEST_BYTES, PUT_PATH, SIZE_HEADER } from '../../../core/taildrop/wire.ts'
import { whyOf } from '../../../core/taildrop/whys.ts'
import type { TransferKind } from '../../../../localapi/transfers.ts'
import type { OutgoingFile } from '../../../../localapi/types.ts'
import type { Courier, Parcel, ParcelSource, SendEnd, SendStep, SourceReader, TaildropEnv } from '../ports.ts'
import { endOfFault, endOfRefusal, endOfUpload } from './answers.ts'
import { compare } from './compare.ts'
import { exchange } from './conversation.ts'
import type { Answer } from './conversation.ts'
import type { PeerLink } from './link.ts'
import { PeerLinks } from './links.ts'
import { offer } from './offers.ts'
import { OutgoingFiles } from './outgoing-files.ts'
import { mayHavePart, notePart } from './partials.ts'
import { upload } from './upload.ts'

const STEP_MS = 250
const STALL_MS = 60_000
/** A stock device may ask its person before it reads; what is on the way by then fills the buffers in between. */
const HELD_MS = 600_000
const HELD_BYTES = 16 << 20
const MANIFEST_MS = 60_000

/** The end of a try, and what the device answered if it came to that. */
export interface Delivery {
  readonly end: SendEnd
  readonly answer?: Answer
}

/** How a thing goes to a device. */
interface Way {
  readonly as: TransferKind
  readonly opened: 'plain' | 'stream' | 'archive'
  readonly path: string
  /** What a partial of it is listed as; undefined: it is not listed. */
  readonly listed: string | undefined
  /** As a Bowline knows it; undefined: the device is of another make. */
  readonly batch: string | undefined
}

interface Try {
  readonly link: PeerLink
  readonly parcel: Parcel
  readonly source: ParcelSource
  readonly onStep: (step: SendStep) => void
  readonly signal: AbortSignal
}

export interface CourierDeps extends Pick<TaildropEnv, 'env' | 'network'> {
  /** To the bus. */
  readonly tell: (files: readonly OutgoingFile[]) => void
  /** Told of bytes that went out in buffers. */
  readonly passed?: (bytes: number) => void
}

export class PeerCourier implements Courier {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #links: PeerLinks
  readonly #passed: (bytes: number) => void
  readonly #outgoing: OutgoingFiles

  constructor({ env, network, tell, passed = () => {} }: CourierDeps) {
    this.#passed = passed
    this.#clock = env.clock
    this.#journal = env.journal
    this.#links = new PeerLinks(env.clock, network)
    this.#outgoing = new OutgoingFiles(env, tell)
  }

  async send(parcel: Parcel, source: ParcelSource, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<SendEnd> {
    return (await this.deliver(parcel, source, onStep, signal)).end
  }

  /** As `send`, with the device's own answer. Never rejects. */
  async deliver(parcel: Parcel, source: ParcelSource, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<Delivery> {
    const found = this.#links.to(parcel.peer)
    if (found.kind === 'none') return { end: { kind: 'broken', why: found.why, isAway: found.isAway } }
    const { id } = parcel
    const told = (step: SendStep): void => {
      if (step.kind === 'sending') this.#outgoing.sent(id, step.done)
      onStep(step)
    }
    this.#outgoing.begin(parcel)
    let delivery: Delivery
    try {
      delivery = await this.#try({ link: found.link, parcel, source, onStep: told, signal })
    } catch (error) {
      delivery = { end: signal.aborted ? { kind: 'aborted' } : endOfFault(error) }
    }
    this.#outgoing.end(id, delivery.end.kind === 'delivered')
    return delivery
  }

  /** Ends connections that wait for more. */
  close(): void {
    this.#links.close()
    this.#outgoing.stop()
  }

  async #try(what: Try): Promise<Delivery> {
    const { link, parcel, onStep, signal } = what
    const welcome = await offer(link, this.#clock, parcel, () => onStep({ kind: 'asking' }), signal)
    if (welcome.kind === 'ended') return { end: welcome.end }
    const way = wayOf(parcel, welcome.kind === 'accepted' ? welcome.batch : undefined)
    if (!way) return { end: { kind: 'refused', why: whyOf('peer-bad-name') } }
    if (way.as === 'folder' && way.batch !== undefined) {
      const refusal = await this.#tellManifest(what, way.batch)
      if (refusal) return refusal
    }
    const reader = await what.source.open(way.opened)
    try {
      return await this.#bring(what, way, reader)
    } finally {
      await reader.close()
    }
  }

  async #tellManifest({ link, parcel, source, signal }: Try, batch: string): Promise<Delivery | undefined> {
    const body = encodeManifest(await source.manifest())
    if (Buffer.byteLength(body) > MAX_MANIFEST_BYTES) return { end: { kind: 'refused', why: whyOf('peer-too-much') } }
    const path = `${MANIFEST_PATH}${batch}/${indexOf(parcel)}`
    const answer = await exchange(link, this.#clock, { method: 'PUT', path, headers: { 'content-type': 'application/json' }, body, withinMs: MANIFEST_MS, most: MAX_ANSWER_BYTES, signal })
    if (answer.status === 200) return undefined
    // It may have forgotten the batch: it is offered anew.
    link.accepted.delete(batch)
    return { end: answer.status === 404 ? { kind: 'broken', why: whyOf('peer-failed'), isAway: false } : endOfRefusal(answer), answer }
  }

  async #bring(what: Try, way: Way, reader: SourceReader): Promise<Delivery> {
    const { link, onStep, signal } = what
    const isBowline = way.batch !== undefined
    const whole = isBowline ? createHash('sha256') : undefined
    const offset = await this.#offset(what, way, reader, whole)
    if (typeof offset !== 'number') return { end: endOfRefusal(offset), answer: offset }
    if (way.listed !== undefined) notePart(link, way.listed, true)
    this.#journal.add({
      part: 'taildrop', kind: 'put', why: `${offset > 0 ? 'it goes on behind what the device has' : 'the device has nothing of it'}; ${isBowline ? 'a Bowline checks it' : 'it goes as to any client'}`,
      id: what.parcel.id, peer: what.parcel.peer, as: way.as, offset, size: reader.size,
    })
    const told = this.#teller(onStep, way.as, reader.size)
    told(offset)
    const uploaded = await upload(link, this.#clock, {
      path: way.path, headers: way.batch !== undefined ? { [BATCH_HEADER]: way.batch, ...(reader.size < 0 ? {} : { [SIZE_HEADER]: String(reader.size) }) } : {},
      reader, offset, size: reader.size, whole, signal, onTaken: told, passed: this.#passed, onAllTaken: () => onStep({ kind: 'checking' }),
      stallMs: (sent) => (!isBowline && sent < HELD_BYTES ? HELD_MS : STALL_MS),
    })
    const end = endOfUpload(uploaded)
    if (end.kind === 'delivered' && way.listed !== undefined) notePart(link, way.listed, false)
    return { end, answer: uploaded }
  }

  /** How much the device has of it already; or the answer by which nothing may be sent. */
  async #offset({ link, onStep, signal }: Try, way: Way, reader: SourceReader, whole: Hash | undefined): Promise<number | Answer> {
    if (way.listed !== undefined) {
      const may = await mayHavePart(link, this.#clock, way.listed, signal)
      if (may === false) return 0
      if (may !== true) return may
    }
    onStep({ kind: 'comparing' })
    return compare(link, this.#clock, { path: way.path, reader, whole, signal })
  }

  /** Tells how far it is, at most four times a second. */
  #teller(onStep: (step: SendStep) => void, as: TransferKind, size: number): (done: number) => void {
    let nextMs = -Infinity
    return (done) => {
      const now = this.#clock.nowMs()
      if (now < nextMs && done !== size) return
      nextMs = now + STEP_MS
      onStep({ kind: 'sending', as, done, size })
    }
  }
}

/** Brings things to devices; what it needs of the engine is all there is to give it. */
export function makeCourier(deps: CourierDeps): PeerCourier {
  return new PeerCourier(deps)
}

/** undefined: the name cannot be part of a path. */
function wayOf(parcel: Parcel, batch: string | undefined): Way | undefined {
  if (parcel.isFolder && batch !== undefined) return { as: 'folder', opened: 'stream', path: `${FOLDER_PATH}${batch}/${indexOf(parcel)}`, listed: undefined, batch }
  const name = parcel.isFolder ? `${parcel.name}.zip` : parcel.name
  try {
    return { as: parcel.isFolder ? 'archive' : 'file', opened: parcel.isFolder ? 'archive' : 'plain', path: `${PUT_PATH}${encodeURIComponent(name)}`, listed: name, batch }
  } catch {
    return undefined
  }
}

/** Its place in the offer. */
function indexOf({ batchItems, id }: Parcel): number {
  return batchItems.findIndex((item) => item.id === id)
}
