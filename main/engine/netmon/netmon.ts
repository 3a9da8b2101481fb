/**
 * Watches this machine's network: link events from the system, a slow look where there are none, and sleep.
 *
 * The first event is looked at once, those that follow it are gathered for 100 ms; news that changes nothing is swallowed.
 * Sleep is seen in three ways, whichever tells first: the system's own event, the app's, and a timer that fires much later
 * than it was set for (a frozen process, a paused machine), since the engine's clock counts time asleep.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import { compareStates } from './network-state.ts'
import type { LinkEvents, NetmonFacts, NetworkChangeKind, NetworkState } from './ports.ts'

const GATHER_MS = 100
const LOOK_WITH_EVENTS_MS = 60_000
const LOOK_WITHOUT_EVENTS_MS = 5_000
/** A timer so late means that the process did not run: no scheduler of a live machine is that late. */
const SLEEP_MS = 5_000
/** How often the timer is set: frozen for twice as long, it is late enough. */
const TICK_MS = 5_000
/** One sleep may be told by several; the later ones are the same wake-up. */
const SAME_WAKE_MS = 3_000

export class Netmon {
  readonly #env: Env
  readonly #read: () => NetworkState
  readonly #links: LinkEvents | undefined
  #facts: NetmonFacts | undefined
  #state: NetworkState
  #lookedMs = Number.NEGATIVE_INFINITY
  #wokeMs = Number.NEGATIVE_INFINITY
  #cancelTick: (() => void) | undefined
  #cancelGather: (() => void) | undefined
  #stopLinks: (() => void) | undefined

  constructor(deps: { env: Env; read: () => NetworkState; links?: LinkEvents | undefined }) {
    this.#env = deps.env
    this.#read = deps.read
    this.#links = deps.links
    this.#state = deps.read()
  }

  /** As it was seen last. */
  get state(): NetworkState {
    return this.#state
  }

  start(facts: NetmonFacts): void {
    this.#facts = facts
    this.#stopLinks = this.#links?.start((event) => (event === 'wake' ? this.#wake('the system woke up') : this.#gather()))
    this.#look('the start')
    this.#tick()
  }

  stop(): void {
    this.#cancelTick?.()
    this.#cancelGather?.()
    this.#stopLinks?.()
    this.#facts = undefined
  }

  /** What the app is told by the system. */
  handlePower(event: 'suspend' | 'resume'): void {
    if (event === 'suspend') this.#env.journal.add({ part: 'netmon', kind: 'suspend', why: 'the system goes to sleep' })
    else this.#wake('the system woke up, the app says')
  }

  #wake(why: string): void {
    const nowMs = this.#env.clock.nowMs()
    if (!this.#facts || nowMs - this.#wokeMs < SAME_WAKE_MS) return
    this.#wokeMs = nowMs
    const before = this.#state
    this.#refresh()
    const also = compareStates(before, this.#state)
    this.#tell(also ? `${why}, ${also.why}` : why, true, ['wake', ...(also?.kinds ?? [])])
  }

  #tick(): void {
    const dueMs = this.#env.clock.nowMs() + TICK_MS
    this.#cancelTick = this.#env.clock.after(TICK_MS, () => {
      const nowMs = this.#env.clock.nowMs()
      const lateMs = nowMs - dueMs
      if (lateMs >= SLEEP_MS) this.#wake(`slept for about ${Math.round(lateMs / 1000)} s`)
      else if (nowMs - this.#lookedMs >= (this.#links ? LOOK_WITH_EVENTS_MS : LOOK_WITHOUT_EVENTS_MS)) this.#look('a look at the interfaces')
      if (this.#facts) this.#tick()
    })
  }

  #gather(): void {
    if (this.#cancelGather) return
    const sinceMs = this.#env.clock.nowMs() - this.#lookedMs
    if (sinceMs >= GATHER_MS) return this.#look('a link event')
    this.#cancelGather = this.#env.clock.after(GATHER_MS - sinceMs, () => {
      this.#cancelGather = undefined
      this.#look('a link event')
    })
  }

  #look(source: string): void {
    const before = this.#state
    this.#refresh()
    const difference = compareStates(before, this.#state)
    if (difference) this.#tell(`${difference.why} (${source})`, difference.major, difference.kinds)
  }

  /** A system that does not answer for once leaves what was known. */
  #refresh(): void {
    this.#lookedMs = this.#env.clock.nowMs()
    const before = JSON.stringify(this.#state)
    try {
      this.#state = this.#read()
      if (JSON.stringify(this.#state) !== before) this.#facts?.onState?.(this.#state)
    } catch (error) {
      this.#env.log.warn('the networks of this machine could not be read', { error: errorText(error) })
    }
  }

  #tell(why: string, major: boolean, kinds: readonly NetworkChangeKind[]): void {
    const state = this.#state
    this.#env.log.info(`network changed (${why})`)
    this.#env.journal.add({
      part: 'netmon', kind: 'network-change', why, major, kinds,
      interface4: state.defaultRoute4?.interface, gateway4: state.defaultRoute4?.gateway,
      interface6: state.defaultRoute6?.interface, gateway6: state.defaultRoute6?.gateway,
    })
    this.#facts?.onChange({ state, why, major, kinds })
  }
}
