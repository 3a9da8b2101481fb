/**
 * What the person is about to send: files that are chosen and wait for a device, and how they get on their way.
 *
 *   nothing → chosen (dropped on the window, or by a dialog) → sent to a device, or dropped again
 *   with a device known beforehand (dropped on it, its own button) they go at once
 */
import { create } from 'zustand'
import type { Answer, BowlineApi, OfferedFiles } from '../../preload/contract.ts'
import { byteCount, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { look } from './looks.ts'
import { goToPlace } from './route.ts'
import { useSnapshot } from './store.ts'
import { reasonMeans } from './targets.ts'
import { named } from './transfers-words.ts'

export interface Sending {
  /** Chosen, without a device yet. */
  readonly offer: OfferedFiles | undefined
  /** The device that they are being handed over for. */
  readonly toPeer: string | undefined
  /** Devices are shown where there is no room beside the list. */
  readonly isChoosing: boolean
}

export const useSending = create<Sending>(() => ({ offer: undefined, toPeer: undefined, isChoosing: false }))

export type Say = (words: string) => void

/** Files that wait for a device; those that waited before are not wanted any more. */
function holdOffer(api: BowlineApi, offer: OfferedFiles): void {
  const before = useSending.getState().offer
  if (before && before.Offer !== offer.Offer) void api.call('dropOffer', { offer: before.Offer })
  useSending.setState({ offer, isChoosing: true })
  goToPlace('transfers')
}

export function dropOffer(api: BowlineApi): void {
  const { offer } = useSending.getState()
  useSending.setState({ offer: undefined, isChoosing: false })
  if (offer) void api.call('dropOffer', { offer: offer.Offer })
}

/** Sends the files to a device; what came of it is said. */
export async function sendOffer(api: BowlineApi, offer: OfferedFiles, peer: string, say: Say): Promise<boolean> {
  const target = useSnapshot.getState().transferTargets?.Targets.find((one) => one.ID === peer)
  if (target && !target.Usable) {
    say(reasonMeans(target))
    return false
  }
  if (useSending.getState().toPeer !== undefined) return false
  useSending.setState({ toPeer: peer })
  const answer = await api.call('sendFiles', { offer: offer.Offer, peer })
  useSending.setState({ toPeer: undefined })
  if (!answer.ok) {
    say(safeText(answer.message, 200))
    // What is held too long cannot be sent by trying again.
    if (answer.code === 'offer-over' && useSending.getState().offer?.Offer === offer.Offer) useSending.setState({ offer: undefined, isChoosing: false })
    return false
  }
  if (useSending.getState().offer?.Offer === offer.Offer) useSending.setState({ offer: undefined, isChoosing: false })
  const device = named(nameOf(peer), 60)
  say(t(target?.Online === false ? 'transfers.said.later' : 'transfers.said.sending', { what: offeredWords(offer), device }))
  void look(api, 'transferTargets')
  return true
}

/** Has the person choose, then sends to the device, or waits for one. */
export async function chooseToSend(api: BowlineApi, folder: boolean, peer: string | undefined, say: Say): Promise<void> {
  take(api, await api.call('chooseFiles', { folder }), peer, say)
}

/** Files that were dropped, on a device or anywhere. */
export async function offerDropped(api: BowlineApi, files: readonly File[], peer: string | undefined, say: Say): Promise<void> {
  take(api, await api.offer(files), peer, say)
}

function take(api: BowlineApi, answer: Answer<OfferedFiles | null>, peer: string | undefined, say: Say): void {
  if (!answer.ok) return say(safeText(answer.message, 200))
  if (answer.value === null) return
  if (answer.value.LeftOut > 0) say(t('transfers.said.leftOut', { n: answer.value.LeftOut }))
  takeOffer(api, answer.value, peer, say)
}

/** What the host hands over goes to the device at once, where one is named. */
export function takeOffer(api: BowlineApi, offer: OfferedFiles, peer: string | undefined, say: Say): void {
  if (peer === undefined) return holdOffer(api, offer)
  // A refused one is still there: another device can have it.
  void sendOffer(api, offer, peer, say).then((done) => {
    if (!done) holdOffer(api, offer)
  })
}

/** "site-photos.zip and 2 more, 214 MB". */
export function offeredWords(offer: OfferedFiles): string {
  const name = named(offer.Items[0]?.Name ?? '', 60)
  const size = offer.Size < 0 ? t('transfers.size.unknown') : byteCount(offer.Size)
  return t('transfers.offer.what', { name, n: offer.Count - 1, size })
}

function nameOf(peer: string): string {
  const { transferTargets, status } = useSnapshot.getState()
  const target = transferTargets?.Targets.find((one) => one.ID === peer)
  if (target) return target.Name
  return Object.values(status?.Peer ?? {}).find((one) => one.ID === peer)?.DNSName.split('.')[0] ?? ''
}
