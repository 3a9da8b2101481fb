/**
 * The bytes of a source on their way to a device, as fast as the device takes them and no faster.
 *
 *   two pieces at most wait to be taken; the next is read meanwhile
 *   pieces are large while they are taken at once, and small on a slow way, where a large one would look like a standstill
 *   an answer that comes before all is said ends it: it is read, not lost in a write that fails
 *
 * Before each write the loop goes round a whole turn, so that an answer which is here already is read first: a device that refuses
 * closes its connection, and a write to that would throw away what it said.
 */
import type { ClientRequest } from 'node:http'
import type { Hash } from 'node:crypto'
import type { Clock } from '../../../base/env.ts'
import { SourceFault } from '../../../core/taildrop/files.ts'
import { HASH_TRAILER, MAX_ANSWER_BYTES } from '../../../core/taildrop/wire.ts'
import type { SourceReader } from '../ports.ts'
import { Conversation } from './conversation.ts'
import type { Answer } from './conversation.ts'
import { SendFault } from './fault.ts'
import type { PeerLink } from './link.ts'
import { Patience } from './patience.ts'

const MAX_PIECE_BYTES = 512 << 10
const FIRST_PIECE_BYTES = 64 << 10
const MIN_PIECE_BYTES = 16 << 10
const QUICK_MS = 250
const SLOW_MS = 2_000
const MAX_WAITING = 2
/** The device finishes: it may have much to write to its disk, and a person to ask. */
const ANSWER_MS = 600_000

export interface Upload {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly reader: SourceReader
  /** Where the reader stands, and where the device goes on. */
  readonly offset: number
  /** Of the whole; -1 unknown. */
  readonly size: number
  /** Of the whole, with what is before `offset` in it; the device is told its end. */
  readonly whole: Hash | undefined
  /** How long nothing may move once `sent` bytes were taken. */
  readonly stallMs: (sent: number) => number
  /** Bytes of the whole that are there or under way. */
  readonly onTaken: (done: number) => void
  /** Told of each block that was taken. */
  readonly passed: (bytes: number) => void
  readonly onAllTaken: () => void
  readonly signal: AbortSignal
}

/** `sha256`: of the whole, when it was hashed. */
export interface Uploaded extends Answer {
  readonly size: number
  readonly sha256: string | undefined
}

/** Rejects with SourceFault and SendFault; the connection is gone then, and the device keeps what it has. */
export async function upload(link: PeerLink, clock: Clock, what: Upload): Promise<Uploaded> {
  const { reader, offset, size, whole } = what
  const length = size < 0 ? -1 : size - offset
  const talk = new Conversation(link, clock, { method: 'PUT', path: what.path, headers: headersOf(what, length), signal: what.signal })
  const flow = new Outflow(talk, clock, what)
  try {
    const said = await pour(talk, flow, reader, length, whole)
    const sha256 = whole?.digest('hex')
    if (said) flow.end(sha256)
    const { statusCode = 0 } = await talk.response
    if (statusCode < 300 && !said) throw new SendFault('nonsense', 'the device says it has what was not sent yet')
    const answer = await talk.answer(MAX_ANSWER_BYTES)
    if (!said) talk.fail(new SendFault('broken', 'it was refused'))
    return { ...answer, size: offset + flow.given, sha256 }
  } catch (error) {
    talk.fail(error instanceof SendFault ? error : new SendFault('broken', 'the source ended'))
    throw error
  } finally {
    flow.close()
  }
}

/** Whether all was said when it ended; not when the answer or a fault came first. */
async function pour(talk: Conversation, flow: Outflow, reader: SourceReader, length: number, whole: Hash | undefined): Promise<boolean> {
  // In chunks nothing is said whole before the last one.
  const isSaid = (): boolean => !whole && flow.given === length
  for (;;) {
    const bytes = await read(talk, reader, flow.pieceBytes)
    if (talk.isSettled) return isSaid()
    if (bytes.length === 0) break
    if (length >= 0 && flow.given + bytes.length > length) throw new SourceFault('source-changed', 'there is more to send than there was')
    whole?.update(bytes)
    await flow.room()
    await wholeTurn()
    if (talk.isSettled) return isSaid()
    flow.write(bytes)
  }
  if (flow.given < length) throw new SourceFault('source-changed', 'there is less to send than there was')
  return true
}

/** Once the loop has looked for what arrived. */
async function wholeTurn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

async function read(talk: Conversation, reader: SourceReader, most: number): Promise<Uint8Array> {
  try {
    return await reader.read(most)
  } catch (error) {
    if (talk.isSettled) return new Uint8Array()
    throw error
  }
}

function headersOf({ headers, offset, whole }: Upload, length: number): Record<string, string> {
  return {
    ...headers,
    ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    ...(whole ? { trailer: HASH_TRAILER } : {}),
    ...(whole || length < 0 ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(length) }),
  }
}

/** What was given to the connection, and what it took. */
class Outflow {
  given = 0
  pieceBytes = FIRST_PIECE_BYTES
  readonly #clock: Clock
  readonly #talk: Conversation
  readonly #request: ClientRequest
  readonly #what: Upload
  readonly #patience: Patience
  #waiting = 0
  #taken = 0
  #onRoom: (() => void) | undefined

  constructor(talk: Conversation, clock: Clock, what: Upload) {
    this.#clock = clock
    this.#talk = talk
    this.#request = talk.request
    this.#what = what
    this.#patience = new Patience(clock, () => talk.fail(new SendFault('silent', 'the device takes nothing any more')))
    talk.onSettled = () => {
      this.#patience.rest()
      this.#onRoom?.()
      // A source that waits for its own bytes is let go of.
      void what.reader.close()
    }
  }

  write(bytes: Uint8Array): void {
    this.given += bytes.length
    if (this.#waiting++ === 0) this.#wait()
    const beganMs = this.#clock.nowMs()
    this.#request.write(bytes, (error) => {
      if (!error) this.#took(bytes.length, this.#clock.nowMs() - beganMs)
    })
  }

  /** Resolves when there is room for another block, or none will be needed. */
  async room(): Promise<void> {
    if (this.#waiting < MAX_WAITING || this.#request.destroyed) return
    await new Promise<void>((resolve) => (this.#onRoom = resolve))
    this.#onRoom = undefined
  }

  end(sha256: string | undefined): void {
    if (sha256 !== undefined) this.#request.addTrailers({ [HASH_TRAILER]: sha256 })
    if (this.#request.destroyed) return
    if (!this.#talk.isSettled) this.#patience.renew(ANSWER_MS)
    this.#request.end(() => this.#what.onAllTaken())
  }

  close(): void {
    this.#patience.rest()
  }

  #took(length: number, withinMs: number): void {
    this.#taken += length
    if (withinMs < QUICK_MS) this.pieceBytes = Math.min(MAX_PIECE_BYTES, this.pieceBytes * 2)
    else if (withinMs > SLOW_MS) this.pieceBytes = Math.max(MIN_PIECE_BYTES, this.pieceBytes / 2)
    this.#waiting--
    this.#what.passed(length)
    this.#what.onTaken(this.#what.offset + this.#taken)
    if (!this.#request.writableEnded) {
      if (this.#waiting > 0) this.#wait()
      else this.#patience.rest()
    }
    this.#onRoom?.()
  }

  #wait(): void {
    this.#patience.renew(this.#what.stallMs(this.#taken))
  }
}
