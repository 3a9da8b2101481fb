/**
 * Gives this engine's accounts to another engine of the same computer: a person's to the service, or back. The giver's side.
 *
 *   here ── asked, the other is ready ──▶ moving: marker on disk, everything down, no key in use ── offer ──▶ asks until it is settled
 *   moving ── kept there ──▶ given: wiped here, marker gone        moving ── refused there ──▶ here: read from disk, goes on as before
 *
 * The marker (`hand-over`: { id, socket, uid }) is written before the keys leave. While it is there no key is used, also by an engine that starts:
 * it asks first. The other side decides alone, and an ID that it never heard of it refuses for good; so it never matters where either is killed.
 */
import { EngineError, errorText } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import { toHex } from '../base/bytes.ts'
import type { MachineWhy } from '../../localapi/machine.ts'
import type { AdoptPage, HandOverPage } from '../../localapi/service.ts'
import type { Model } from './model.ts'
import type { Adopter, MovingPort, StorePort } from './ports.ts'
import type { Profiles } from './profiles.ts'
import type { ProfileSwitch } from './profile-switch.ts'

const FILE = 'hand-over'
const ASK_MS = 250
/** Once it has been silent for a while. */
const ASK_RARELY_MS = 3_000

export interface HandOverDeps {
  readonly env: Env
  readonly model: Model
  readonly store: StorePort
  readonly profiles: Profiles
  readonly switch: ProfileSwitch
  /** undefined: nothing moves. */
  readonly moving: MovingPort | undefined
  /** The state was read from disk. */
  readonly loaded: () => void
  /** Throws EngineError where settings or a policy hold the accounts here. */
  readonly assertMayGo: () => void
  readonly refreshWarnings: () => void
}

interface Offer extends Adopter {
  readonly id: string
}

export class HandOver {
  readonly #deps: HandOverDeps
  #page: HandOverPage = { State: 'none' }
  #offer: Offer | undefined
  #isBusy = false
  #cancel: (() => void) | undefined
  #silentSince: number | undefined
  #stopped = false

  constructor(deps: HandOverDeps) {
    this.#deps = deps
  }

  page(): HandOverPage {
    return this.#page
  }

  /** Whether an offer of an earlier life is not settled: then nothing of the state may be used before it is. Starts to ask. */
  resume(): boolean {
    const found = this.#deps.store.load(FILE, parseOffer)
    if (!found) return false
    this.#deps.profiles.hold()
    this.#begin(found.value)
    this.#askSoon(0)
    return true
  }

  /** Gives everything to the engine at `to`; answers once it is under way. Throws EngineError with nothing changed. */
  async give(to: Adopter): Promise<HandOverPage> {
    const { model, env, store, profiles, moving } = this.#deps
    const adopter = moving?.adopter
    this.#deps.assertMayGo()
    if (!moving || !adopter) throw new EngineError('not-supported', 'This engine cannot tell whose engine serves a socket, so it gives nothing away.')
    if (this.#isBusy || this.#offer) throw new EngineError('bad-argument', 'The accounts are being moved already.')
    this.#isBusy = true
    try {
      if (profiles.list().length === 0) return (this.#page = { State: 'none' })
      if (model.saveFailure !== undefined) throw new EngineError('io', `The state is not safe on disk (${model.saveFailure}), so nothing is given away.`)
      const not = (await moving.whyNotNow()) ?? notReady(await adopter.ask(to, undefined))
      if (not) return (this.#page = { State: 'kept', Why: not })
      const offer: Offer = { ...to, id: toHex(env.random.bytes(16)) }
      const request = { ID: offer.id, State: profiles.secretText(), Trust: moving.trusted() }
      store.save(FILE, JSON.stringify(offer))
      this.#deps.switch.exchange('the accounts are given to another engine of this computer', () => {
        profiles.hold()
        this.#begin(offer)
      })
      this.#take(await adopter.offer(to, request).catch((error: unknown) => this.#unknown(error)))
      return this.#page
    } finally {
      this.#isBusy = false
    }
  }

  /** A person says that the other engine is gone for good. Throws EngineError while somebody still serves there. */
  async takeBack(): Promise<HandOverPage> {
    const [offer, adopter] = [this.#offer, this.#deps.moving?.adopter]
    if (!offer || !adopter) return this.#page
    const answered = await adopter.ask(offer, offer.id).catch((error: unknown) => {
      if (error instanceof EngineError && error.code === 'not-found') return undefined
      throw error
    })
    if (answered) this.#take(answered)
    else this.#keep({ Code: 'taken-back', Text: 'A person took the accounts back; the other engine was gone.' })
    return this.#page
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  #begin(offer: Offer): void {
    this.#offer = offer
    this.#page = { State: 'moving' }
    this.#deps.model.closedWhy = `it is being moved to the engine at ${offer.socket}`
    this.#deps.env.log.info('accounts: here → moving (another engine of this computer takes them)')
    this.#deps.env.journal.add({ part: 'backend', kind: 'hand-over', why: 'the accounts are given to another engine of this computer; none of the keys is used here until that is settled' })
    this.#deps.refreshWarnings()
  }

  /** What came of an offer or a question that failed: nobody knows, so it is asked again. */
  #unknown(error: unknown): undefined {
    this.#silentSince ??= this.#deps.env.clock.nowMs()
    this.#page = { State: 'moving', Why: { Code: 'no-answer', Text: `The other engine does not answer: ${errorText(error)}` } }
    return undefined
  }

  #take(page: AdoptPage | undefined): void {
    if (this.#stopped || !this.#offer) return
    if (page) this.#silentSince = undefined
    if (page?.Phase === 'kept') return this.#gone()
    if (page?.Phase === 'refused') return this.#keep(page.Why ?? { Code: 'refused', Text: 'The other engine did not take it.' })
    if (page) this.#page = { State: 'moving' }
    const silentMs = this.#silentSince === undefined ? 0 : this.#deps.env.clock.nowMs() - this.#silentSince
    this.#askSoon(silentMs > ASK_RARELY_MS ? ASK_RARELY_MS : ASK_MS)
  }

  #askSoon(ms: number): void {
    this.#cancel?.()
    const { env } = this.#deps
    if (this.#stopped) return
    this.#cancel = env.clock.after(ms, () => {
      const offer = this.#offer
      if (offer) void this.#deps.moving?.adopter?.ask(offer, offer.id).catch((error: unknown) => this.#unknown(error)).then((page) => this.#take(page)).catch((error: unknown) => {
        // The disk is full, perhaps: what was half settled is settled again.
        env.log.warn('the end of the hand-over could not be written down', { error: errorText(error) })
        this.#askSoon(ASK_RARELY_MS)
      })
    })
  }

  /** The other engine runs with it: nothing of it stays here. */
  #gone(): void {
    this.#settle({ State: 'given' }, 'forget', 'the other engine runs with the accounts')
  }

  #keep(why: MachineWhy): void {
    this.#settle({ State: 'kept', Why: why }, 'read', why.Text)
  }

  #settle(page: HandOverPage, how: 'read' | 'forget', why: string): void {
    const { env, model, store, profiles } = this.#deps
    this.#cancel?.()
    model.closedWhy = undefined
    // What is left behind by a failure or a crash between these is settled the same way again.
    this.#deps.switch.exchange(why, () => {
      profiles.release(how)
      this.#deps.loaded()
    })
    store.remove(FILE)
    this.#page = page
    this.#offer = undefined
    env.log.info(`accounts: moving → ${page.State === 'given' ? 'given' : 'here'} (${why})`)
    env.journal.add({ part: 'backend', kind: 'hand-over-end', why, given: page.State === 'given' })
    this.#deps.refreshWarnings()
  }
}

const notReady = ({ Phase, Why }: AdoptPage): MachineWhy | undefined => (Phase === 'ready' ? undefined : (Why ?? { Code: 'not-ready', Text: 'The other engine takes nothing now.' }))

function parseOffer(text: string): Offer | undefined {
  try {
    const { id, socket, uid } = JSON.parse(text) as Record<string, unknown>
    if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id) || typeof socket !== 'string' || (uid !== undefined && !Number.isInteger(uid))) return undefined
    return { id, socket, uid: uid as number | undefined }
  } catch {
    return undefined
  }
}
