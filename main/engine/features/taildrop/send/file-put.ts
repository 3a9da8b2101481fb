/**
 * Sending on what another program gives us byte by byte (LocalAPI file-put): one try, answered with what the device answered.
 *
 * It is in the list of transfers like any other; only it cannot be paused or tried again, since its bytes pass by once.
 */
import type { Readable } from 'node:stream'
import { toHex } from '../../../base/bytes.ts'
import type { Env } from '../../../base/env.ts'
import { decodeRefusal } from '../../../core/taildrop/wire.ts'
import { whyOf } from '../../../core/taildrop/whys.ts'
import type { OutgoingBook, Parcel, ParcelSource, SendEnd, SendStep } from '../ports.ts'
import { CallerReader } from './caller-reader.ts'
import type { Delivery } from './courier.ts'

/** As long as a person at the device is given to answer. */
const ASKING_MS = 600_000
/** What a stock daemon says once it has a file. */
const TAKEN = '{}\n'

export interface FilePutDeps {
  readonly env: Env
  readonly courier: { deliver(parcel: Parcel, source: ParcelSource, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<Delivery> }
  readonly book: OutgoingBook
}

export interface PutRequest {
  /** Of this file on the bus; a new one when the program has none. */
  readonly id?: string
  /** Stable ID of a device that files may be sent to. */
  readonly peer: string
  readonly name: string
  /** -1 unknown. */
  readonly size: number
  readonly content: Readable
  /** The program is gone. */
  readonly signal: AbortSignal
}

/** An HTTP answer for the program. */
export interface PutReply {
  readonly status: number
  readonly text: string
}

export class FilePut {
  readonly #deps: FilePutDeps

  constructor(deps: FilePutDeps) {
    this.#deps = deps
  }

  /** Resolves once the device has answered or cannot. What is not read of the content is the caller's to throw away. */
  async put({ id, peer, name, size, content, signal }: PutRequest): Promise<PutReply> {
    const { env, courier, book } = this.#deps
    const abort = new AbortController()
    const leave = (): void => abort.abort()
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    const batch = toHex(env.random.bytes(16))
    const row = book.begin({ peer, batch, name, size }, leave)
    let isUnanswered = false
    let stopAsking: (() => void) | undefined
    const onStep = (step: SendStep): void => {
      row.step(step)
      if (step.kind === 'asking') {
        stopAsking ??= env.clock.after(ASKING_MS, () => {
          isUnanswered = true
          leave()
        })
      } else stopAsking?.()
    }
    const item = { id: id ?? toHex(env.random.bytes(15)), name, isFolder: false, files: 1, size }
    const parcel: Parcel = { ...item, batch, peer, batchItems: [item] }
    const source: ParcelSource = { manifest: () => Promise.resolve([]), open: () => Promise.resolve(new CallerReader(content, size)) }
    const delivery = await courier.deliver(parcel, source, onStep, abort.signal)
    stopAsking?.()
    signal.removeEventListener('abort', leave)
    const end: SendEnd = isUnanswered ? { kind: 'refused', why: whyOf('peer-not-answered') } : delivery.end
    row.end(end)
    return replyOf(end, delivery)
  }
}

/** As it is, but for what a terminal would obey. */
const shown = (text: string): string => text.replace(/[^\P{C}\n]/gu, '')

function replyOf(end: SendEnd, { answer }: Delivery): PutReply {
  if (end.kind === 'delivered') return { status: 200, text: TAKEN }
  if (end.kind === 'aborted') return { status: 500, text: 'the transfer was canceled' }
  const isRefused = answer !== undefined && answer.status >= 400
  // A stock daemon hands on its own line, which its command shows.
  if (isRefused) return { status: answer.status, text: decodeRefusal(answer.text) ? end.why.Text : shown(answer.text) }
  return { status: end.kind === 'refused' ? 403 : 502, text: end.why.Text }
}
