/**
 * Below /v0/bowline/ of the PeerAPI: what another Bowline asks before it sends, and folders.
 *
 *   POST offer?wait=SEC            may these come? Waits for a person up to SEC
 *   PUT  manifest/BATCH/INDEX      what is in the folder that is that item of the offer
 *   GET  folder/BATCH/INDEX        hashes of the blocks of its files, one after the other, that are here
 *   PUT  folder/BATCH/INDEX        the files one after the other
 *
 * A manifest is kept in memory until its folder has come or an hour went by; few are kept, and a sender brings it again.
 */
import { isDecodeError } from '../../../base/errors.ts'
import type { AskBatch } from '../../../core/taildrop/asks.ts'
import { readPutRequest } from '../../../core/taildrop/put-request.ts'
import { whyOf, type WhyCode } from '../../../core/taildrop/whys.ts'
import {
  decodeManifest, decodeOffer, encodeOfferAnswer, encodePutAnswer, FOLDER_PATH, MANIFEST_PATH, MAX_MANIFEST_BYTES, MAX_OFFER_BYTES, MAX_OFFER_WAIT_SEC, OFFER_PATH, parseItemPath,
  type Offer, type OfferItem,
} from '../../../core/taildrop/wire.ts'
import type { AskDesk } from './desk.ts'
import type { Intake } from './intake.ts'
import { Manifests } from './manifests.ts'
import type { Answer, ReceiverDeps, Route, Visit } from './ports.ts'
import { hashAnswer } from './put.ts'
import { json, line, refusal, taken } from './replies.ts'
import type { Slots } from './slots.ts'
import { Texts } from './texts.ts'
import type { ReceiveTold } from './told.ts'

export class BowlineRoutes {
  readonly routes: readonly Route[] = [
    { path: OFFER_PATH, serve: (visit) => this.#guarded(visit, 'POST', () => this.#offer(visit)) },
    { path: MANIFEST_PATH, serve: (visit) => this.#guarded(visit, 'PUT', () => this.#manifest(visit)) },
    { path: FOLDER_PATH, serve: (visit) => this.#guarded(visit, visit.method === 'GET' ? 'GET' : 'PUT', () => this.#folder(visit)) },
  ]

  readonly #deps: ReceiverDeps
  readonly #desk: AskDesk
  readonly #intake: Intake
  readonly #told: ReceiveTold
  readonly #manifests: Manifests
  readonly #looks: Slots
  readonly #texts: Texts

  constructor(deps: ReceiverDeps, desk: AskDesk, intake: Intake, looks: Slots, told: ReceiveTold) {
    this.#deps = deps
    this.#desk = desk
    this.#intake = intake
    this.#told = told
    this.#looks = looks
    this.#manifests = new Manifests(deps.env.clock)
    this.#texts = new Texts(deps.env.clock)
  }

  async #guarded(visit: Visit, method: string, serve: () => Promise<Answer>): Promise<Answer> {
    const code = this.#intake.refusalOf(visit)
    if (code) {
      this.#told.refused(visit.caller.node.StableID, visit.method, code)
      return refusal(code, true)
    }
    return visit.method === method ? await serve() : line(405, `expected method ${method}`)
  }

  async #offer(visit: Visit): Promise<Answer> {
    const { node } = visit.caller
    const read = await this.#texts.read(visit, MAX_OFFER_BYTES)
    if (typeof read === 'string') return refusal(read, true)
    const offer = decodeOffer(read.text)
    if (isDecodeError(offer)) {
      if (offer.detail === 'name') return this.#refuse(visit, 'bad-name')
      return refusal(offer.reason === 'bad-length' || offer.reason === 'long' ? 'too-much' : 'bad-request', true)
    }
    const code = this.#desk.ruleFor(node) === 'refused' ? 'not-wanted' : await this.#faultFor(offer)
    if (code) return this.#refuse(visit, code)
    const batch = this.#desk.offered(node, offer.batch, offer.items)
    if (batch === 'too-many') return refusal('too-many', true)
    const waitMs = waitMsOf(visit.query)
    const answer = batch.state === 'asking' && waitMs > 0 ? await this.#desk.wait(batch, visit, waitMs) : batch.state
    if (answer === 'refused') return this.#refuse(visit, 'not-wanted')
    return answer === 'too-many' ? refusal('too-many', true) : json(200, encodeOfferAnswer({ state: answer === 'accepted' ? 'accepted' : 'asking' }))
  }

  /** An offer that is refused is a good answer to a question. */
  #refuse(visit: Visit, code: WhyCode): Answer {
    this.#told.refused(visit.caller.node.StableID, 'an offer', code)
    return json(200, encodeOfferAnswer({ state: 'refused', why: { code, text: whyOf(code).Text } }))
  }

  async #faultFor({ items }: Offer): Promise<WhyCode | undefined> {
    const { freeBytes, fault } = await this.#deps.inbox.look(this.#deps.folder())
    if (fault) return fault.code
    const known = wholeOf(items)
    return freeBytes >= 0 && known > freeBytes ? 'no-space' : undefined
  }

  async #manifest(visit: Visit): Promise<Answer> {
    const found = this.#itemOf(visit, MANIFEST_PATH)
    if (typeof found === 'string') return refusal(found, true)
    const read = await this.#texts.read(visit, MAX_MANIFEST_BYTES)
    if (typeof read === 'string') return refusal(read, true)
    const entries = decodeManifest(read.text)
    if (isDecodeError(entries)) {
      if (entries.detail === 'name') this.#told.refused(visit.caller.node.StableID, found.item.name, 'bad-name')
      return refusal(entries.detail === 'name' ? 'bad-name' : entries.reason === 'bad-length' ? 'too-much' : 'bad-request', true)
    }
    const size = wholeOf(entries)
    const files = entries.filter((entry) => entry.size >= 0).length
    if ((found.item.size >= 0 && size !== found.item.size) || files > found.item.files) return refusal('wrong-size', true)
    if (!this.#manifests.put(visit.caller.node.StableID, found.key, entries)) return refusal('too-many', true)
    return json(200, encodePutAnswer({ name: found.item.name, size, sha256: '' }))
  }

  async #folder(visit: Visit): Promise<Answer> {
    const found = this.#itemOf(visit, FOLDER_PATH)
    if (typeof found === 'string') return refusal(found, true)
    const { item, key, wire } = found
    const place = this.#intake.placeOf(visit, item.name, wire)
    const manifest = this.#manifests.get(visit.caller.node.StableID, key)
    if (visit.method === 'GET') {
      await this.#intake.yieldSilent(place)
      return await hashAnswer(this.#deps.inbox, this.#looks, visit, place, manifest ?? [])
    }
    if (!manifest) return refusal('ask-first', true)
    const request = readPutRequest(visit.headers)
    if (typeof request === 'string') return refusal(request, true)
    const size = wholeOf(manifest)
    if (request.size >= 0 && request.size !== size) return refusal('wrong-size', true)
    const files = manifest.filter((entry) => entry.size >= 0).length
    const end = await this.#intake.take(visit, { name: item.name, isFolder: true, files, request: { ...request, size, batch: wire }, manifest })
    if (end.kind === 'saved') {
      this.#manifests.drop(visit.caller.node.StableID, key)
      return taken(end.saved, true)
    }
    return refusal(end.kind === 'gone' ? 'stopped' : end.code, true)
  }

  /** The folder that a path names, of an offer that is not refused. */
  #itemOf(visit: Visit, prefix: string): { readonly item: OfferItem; readonly batch: AskBatch; readonly key: string; readonly wire: string } | WhyCode {
    const named = parseItemPath(visit.path.slice(prefix.length))
    if (!named) return 'bad-request'
    const batch = this.#desk.named(visit.caller.node, named.batch)
    if (!batch) return 'ask-first'
    if (batch.state === 'refused') return 'not-wanted'
    const item = batch.items[named.index]
    return item?.isFolder === true ? { item, batch, key: `${named.batch}/${named.index}`, wire: named.batch } : 'bad-request'
  }
}

/** Bytes of all whose size is known. */
function wholeOf(things: readonly { readonly size: number }[]): number {
  return things.reduce((all, { size }) => all + Math.max(0, size), 0)
}

function waitMsOf(query: string): number {
  const [, digits] = /(?:^|&)wait=(\d{1,3})(?:&|$)/.exec(query) ?? []
  return digits === undefined ? 0 : Math.min(Number(digits), MAX_OFFER_WAIT_SEC) * 1_000
}
