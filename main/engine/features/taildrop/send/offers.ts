/**
 * The question that a Bowline is asked before anything of a batch is sent, and how it is known that a device is none.
 *
 *   offer → accepted | refused | asking → asked again, each time for up to 25 s, until a person has answered
 *   anything else than a Bowline's answer → stock, for as long as a connection to the device is there
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../../base/env.ts'
import { isDecodeError } from '../../../base/errors.ts'
import { decodeOfferAnswer, decodeRefusal, encodeOffer, MAX_ANSWER_BYTES, MAX_OFFER_BYTES, MAX_OFFER_ITEMS, MAX_OFFER_WAIT_SEC, OFFER_PATH } from '../../../core/taildrop/wire.ts'
import { whyOf } from '../../../core/taildrop/whys.ts'
import type { Parcel, SendEnd } from '../ports.ts'
import { endOfRefusal, endOfWhy } from './answers.ts'
import { exchange } from './conversation.ts'
import { SendFault } from './fault.ts'
import type { PeerLink } from './link.ts'

/** Beyond the wait that was asked for. */
const ANSWER_MS = 20_000
/** A device that cannot read it may close the connection before it is all sent, and what it said would be lost. */
const MAX_BLIND_BYTES = 64 << 10
/** A device that says "asking" at once is not asked faster than this. */
const PAUSE_MS = 1_000
const MAX_ACCEPTED = 1_000

/** `batch`: how the device knows it. */
export type Welcome = { readonly kind: 'stock' } | { readonly kind: 'accepted'; readonly batch: string } | { readonly kind: 'ended'; readonly end: SendEnd }

/** Whether what is to be sent may come, waiting for a person if need be. Rejects with SendFault. */
export async function offer(link: PeerLink, clock: Clock, parcel: Parcel, onAsking: () => void, signal: AbortSignal): Promise<Welcome> {
  if (link.speaks === 'stock') return { kind: 'stock' }
  const batch = batchOf(parcel)
  const { batchItems } = parcel
  if (link.accepted.has(batch)) return { kind: 'accepted', batch }
  const body = encodeOffer({ batch, items: batchItems })
  if (batchItems.length > MAX_OFFER_ITEMS || Buffer.byteLength(body) > MAX_OFFER_BYTES) return { kind: 'ended', end: { kind: 'refused', why: whyOf('peer-too-much') } }
  if (link.speaks === undefined && body.length > MAX_BLIND_BYTES) {
    const refusal = await look(link, clock, signal)
    if (refusal) return refusal
  }
  for (let waitSec = 0; ; waitSec = MAX_OFFER_WAIT_SEC) {
    const beganMs = clock.nowMs()
    const answer = await exchange(link, clock, { method: 'POST', path: `${OFFER_PATH}?wait=${waitSec}`, headers: { 'content-type': 'application/json' }, body, withinMs: waitSec * 1_000 + ANSWER_MS, most: MAX_ANSWER_BYTES, signal })
    if (answer.status !== 200) {
      if (answer.status === 403 || decodeRefusal(answer.text)) return { kind: 'ended', end: endOfRefusal(answer) }
      link.speaks = 'stock'
      return { kind: 'stock' }
    }
    const said = decodeOfferAnswer(answer.text)
    link.speaks = isDecodeError(said) ? 'stock' : 'bowline'
    if (isDecodeError(said)) return { kind: 'stock' }
    if (said.state === 'refused') return { kind: 'ended', end: endOfWhy(said.why) }
    if (said.state === 'accepted') {
      if (link.accepted.size >= MAX_ACCEPTED) link.accepted.clear()
      link.accepted.add(batch)
      return { kind: 'accepted', batch }
    }
    onAsking()
    if (waitSec > 0) await pause(clock, PAUSE_MS - (clock.nowMs() - beganMs), signal)
  }
}

const batches = new WeakMap<Parcel['batchItems'], string>()

/** A device holds on to what was offered first as a batch. Other things, or the same in another size, are another batch. */
function batchOf({ batch, batchItems }: Parcel): string {
  const known = batches.get(batchItems)
  if (known !== undefined) return known
  const made = createHash('sha256').update(encodeOffer({ batch, items: batchItems })).digest('hex').slice(0, 32)
  batches.set(batchItems, made)
  return made
}

/** Whether it is a Bowline, by what it says to a question without a body: that it wants another method. */
async function look(link: PeerLink, clock: Clock, signal: AbortSignal): Promise<Welcome | undefined> {
  const answer = await exchange(link, clock, { method: 'GET', path: OFFER_PATH, withinMs: ANSWER_MS, most: MAX_ANSWER_BYTES, signal })
  if (answer.status === 405) return undefined
  if (answer.status === 403) return { kind: 'ended', end: endOfRefusal(answer) }
  link.speaks = 'stock'
  return { kind: 'stock' }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel()
      reject(new SendFault('aborted', 'nobody wants it any more'))
    }
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}
