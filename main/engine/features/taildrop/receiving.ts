/**
 * The receiver of the profile in use. Another profile's devices may bear the same IDs, so what people answered there counts for
 * nothing here: each profile has a receiver of its own, and the PeerAPI's paths lead to the one that is in use.
 */
import type { Env } from '../../base/env.ts'
import { EngineError, errorText } from '../../base/errors.ts'
import { loadAsks, saveAsks } from './asks-store.ts'
import type { Asks } from './ports.ts'
import type { Answer, Receiver, ReceiverDeps, Route, Visit } from './receive/ports.ts'
import { makeReceiver } from './receive/receiver.ts'
import type { TransfersStorePort } from './transfers-store.ts'

export interface ReceivingDeps extends Omit<ReceiverDeps, 'kept' | 'keep'> {
  readonly env: Env
  readonly store: TransfersStorePort
}

export class Receiving implements Asks {
  /** Lead to whichever receiver is in use. */
  readonly routes: readonly Route[]
  readonly #deps: ReceivingDeps
  #receiver: Receiver
  #counted: Readonly<Record<string, number>> = {}

  constructor(deps: ReceivingDeps) {
    this.#deps = deps
    this.#receiver = makeReceiver(deps)
    this.routes = this.#receiver.routes.map(({ path }) => ({ path, serve: (visit: Visit) => this.#serve(path, visit) }))
  }

  /** Another profile is in use: all that comes in for the old one is broken off. */
  open(profileId: string): void {
    const { store, env } = this.#deps
    this.#receiver.stop()
    this.#counted = this.counters()
    this.#receiver = makeReceiver({
      ...this.#deps,
      kept: loadAsks(store, profileId),
      keep: (kept) => {
        try {
          saveAsks(store, profileId, kept)
        } catch (error) {
          env.log.error('what a person answered could not be saved; it is asked again after a restart', { error: errorText(error) })
        }
      },
    })
  }

  all(): ReturnType<Asks['all']> {
    return this.#receiver.asks.all()
  }

  answer(...what: Parameters<Asks['answer']>): void {
    this.#receiver.asks.answer(...what)
  }

  changed(): void {
    this.#receiver.changed()
  }

  counters(): Readonly<Record<string, number>> {
    const before = this.#counted
    return Object.fromEntries(Object.entries(this.#receiver.counters()).map(([name, count]) => [name, count + (name.endsWith('_running') ? 0 : (before[name] ?? 0))]))
  }

  stop(): void {
    this.#receiver.stop()
  }

  #serve(path: string, visit: Visit): Promise<Answer> {
    const route = this.#receiver.routes.find((one) => one.path === path)
    if (!route) throw new EngineError('not-found', 'There is no such path.')
    return route.serve(visit)
  }
}
