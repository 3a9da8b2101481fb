/**
 * Which engine the app speaks with: the service of this computer where this user may use it, else one of the app's own, or the one that was named.
 *
 *   own ── the service answers and lets us; it takes what we are signed in with, or has an account ──▶ service
 *   service ── it is no longer installed and does not answer ──▶ own        named: neither is ever asked for
 *
 * While the service is installed and down no engine is started in its place: its system starts it again, and what holds traffic back stays.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { answersAt, isInstalled, type ServicePlace } from '../client/service-place.ts'
import { LocalApiClient, LocalApiError } from '../client/local-api-client.ts'
import type { EngineLife } from '../localapi/app-state.ts'
import type { MachineWhy } from '../localapi/machine.ts'
import { METHODS } from '../localapi/methods.ts'
import type { HandOverPage } from '../localapi/service.ts'
import { notSupported } from '../web/requests.ts'
import type { EngineHost } from './engine-host.ts'

const LOOK_MS = 2_000
const ASK_LIMIT_MS = 5_000
/** Longer than an adoption is tried. */
const MOVE_LIMIT_MS = 90_000
const MOVE_STEP_MS = 250
const START_LIMIT_MS = 30_000

export type EngineKind = 'app' | 'service' | 'other'

export interface EnginesOptions {
  readonly client: LocalApiClient
  readonly place: ServicePlace
  /** The engine that was named; undefined = the app chooses. */
  readonly named: string | undefined
  /** Where an engine of the app's own serves. */
  readonly ownSocket: string
  readonly makeHost: () => EngineHost
  /** Starts the service again, asking for admin rights; rejects with a code. */
  readonly restartService: () => Promise<void>
  /** Another engine from here on. */
  readonly onKind: (kind: EngineKind) => void
  /** The life of an engine that is not of the app's own. */
  readonly onLife: (life: EngineLife) => void
}

export class Engines {
  readonly #options: EnginesOptions
  #kind: EngineKind
  #host: EngineHost | undefined
  #stop = new AbortController()
  #looking: Promise<MachineWhy | undefined> | undefined
  /** Why ours stays although there is a service; not tried again while that is there. */
  #stays: MachineWhy | undefined
  #goneLooks = 0

  constructor(options: EnginesOptions) {
    this.#options = options
    this.#kind = options.named === undefined ? 'app' : 'other'
    options.client.speakWith(options.named ?? options.ownSocket)
  }

  get kind(): EngineKind {
    return this.#kind
  }

  /** Process id of an engine of our own. */
  get pid(): number | undefined {
    return this.#host?.pid
  }

  /** Finds out which one it is, and starts our own where it is that. */
  async start(): Promise<void> {
    if (this.#kind === 'other') return
    const { place } = this.#options
    const mine = (await answersAt(place.socket)) ? await this.#mayUse() : isInstalled(place)
    if (mine) this.#switch('service')
    else this.#startOwn()
    void this.#follow()
  }

  /** What the feed sees. */
  handleLife(life: EngineLife): void {
    if (this.#kind === 'app') return this.#host?.handleLife(life)
    const isDown = this.#kind === 'service' && life.engine !== 'running' && life.code !== 'access-denied'
    this.#options.onLife(isDown ? { ...life, code: 'service-stopped' } : life)
  }

  handleResume(): void {
    this.#host?.handleResume()
  }

  tell(message: unknown): void {
    this.#host?.tell(message)
  }

  /** The person wants it anew. Rejects with a code where that is not ours to do. */
  async restart(): Promise<void> {
    if (this.#kind === 'service') return this.#options.restartService()
    if (!this.#host) return notSupported('The engine was not started by this app.')
    this.#host.restart()
  }

  /** Looks now whether the service came or went; answers why ours stays although it is there. */
  async look(): Promise<MachineWhy | undefined> {
    this.#stays = undefined
    await this.#looking
    return this.#lookOnce()
  }

  /** Starts an engine of our own beside the service, which is to give its accounts to it; answers its socket once that answers, undefined = it does not. */
  async prepareOwn(): Promise<string | undefined> {
    if (this.#kind !== 'service') return undefined
    this.#startOwn()
    const end = Date.now() + START_LIMIT_MS
    while (Date.now() < end) {
      if (await answersAt(this.#options.ownSocket)) return this.#options.ownSocket
      await pause(MOVE_STEP_MS)
    }
    await this.dropOwn()
    return undefined
  }

  /** The service stays after all. */
  async dropOwn(): Promise<void> {
    if (this.#kind !== 'service') return
    const host = this.#host
    this.#host = undefined
    await host?.stop()
  }

  /** Ends an engine of our own; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#host?.stop()
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(LOOK_MS, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.#lookOnce()
    }
  }

  #lookOnce(): Promise<MachineWhy | undefined> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #look(): Promise<MachineWhy | undefined> {
    const { place } = this.#options
    const answers = await answersAt(place.socket)
    const isThere = answers || isInstalled(place)
    if (!isThere) this.#stays = undefined
    if (this.#kind === 'service') {
      // Between two versions of it a moment may be without either.
      this.#goneLooks = isThere ? 0 : this.#goneLooks + 1
      if (this.#goneLooks >= 2) this.#toOwn()
      return undefined
    }
    if (this.#kind !== 'app' || !answers || this.#stays || !(await this.#mayUse())) return this.#stays
    this.#stays = await this.#giveToService()
    if (!this.#stays) await this.#toService()
    return this.#stays
  }

  /** Whether the service lets this user change things: asked of it, since its groups and operators are its own to know. */
  async #mayUse(): Promise<boolean> {
    const service = new LocalApiClient(this.#options.place.socket)
    return service.json({ method: 'GET', path: METHODS.storage.path, signal: AbortSignal.timeout(ASK_LIMIT_MS) }).then(() => true, () => false)
  }

  /** Has our engine give its accounts to the service; why they stay, or undefined: there is nothing to stay for. */
  async #giveToService(): Promise<MachineWhy | undefined> {
    const own = new LocalApiClient(this.#options.ownSocket)
    const ask = (): AbortSignal => AbortSignal.timeout(MOVE_LIMIT_MS)
    try {
      let page = (await own.json({ method: 'POST', path: METHODS.handOver.path, body: { Do: 'give', Socket: this.#options.place.socket }, signal: ask() })) as HandOverPage
      const end = Date.now() + MOVE_LIMIT_MS
      while (page.State === 'moving' && Date.now() < end && !this.#stop.signal.aborted) {
        await pause(MOVE_STEP_MS)
        page = (await own.json({ method: 'GET', path: METHODS.handOverPage.path, signal: ask() })) as HandOverPage
      }
      if (page.State === 'given' || page.State === 'none') return undefined
      // Its own account is this computer's; ours rests until there is no service.
      if (page.Why?.Code === 'has-its-own') return undefined
      return page.Why ?? { Code: 'still-moving', Text: 'It is not settled yet.' }
    } catch (error) {
      return { Code: error instanceof LocalApiError ? error.code : 'failed', Text: error instanceof Error ? error.message : String(error) }
    }
  }

  async #toService(): Promise<void> {
    const host = this.#host
    this.#host = undefined
    this.#switch('service')
    await host?.stop()
  }

  #toOwn(): void {
    this.#goneLooks = 0
    if (!this.#host) this.#startOwn()
    this.#switch('app')
  }

  #switch(kind: 'app' | 'service'): void {
    const { client, place, ownSocket, onKind } = this.#options
    this.#kind = kind
    client.speakWith(kind === 'service' ? place.socket : ownSocket)
    onKind(kind)
  }

  #startOwn(): void {
    if (this.#stop.signal.aborted) return
    this.#host = this.#options.makeHost()
    this.#host.start()
  }
}
