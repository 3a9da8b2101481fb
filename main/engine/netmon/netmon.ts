/**
 * Watches this machine's network: link events from the system, a slow look where there are none, and sleep.
 *
 * Events come in bursts (an address, a route, a neighbour), so they are settled for 150 ms and the address sets are then
 * compared: news that changes nothing is swallowed. Sleep shows as a timer that fires much later than it was set for,
 * because the engine's clock counts time asleep.
 */
import type { Env } from '../base/env.ts'
import type { InterfaceAddress, LinkEvents, NetmonFacts } from './ports.ts'

const SETTLE_MS = 150
const LOOK_WITH_EVENTS_MS = 60_000
const LOOK_WITHOUT_EVENTS_MS = 5_000
/** A timer this late means that the machine slept: no scheduler on a live machine is that late. */
const SLEEP_MS = 10_000

export class Netmon {
  readonly #env: Env
  readonly #interfaces: () => readonly InterfaceAddress[]
  readonly #links: LinkEvents | undefined
  #facts: NetmonFacts | undefined
  #last = ''
  #cancelLook: (() => void) | undefined
  #cancelSettle: (() => void) | undefined
  #stopLinks: (() => void) | undefined

  constructor(deps: { env: Env; interfaces: () => readonly InterfaceAddress[]; links?: LinkEvents | undefined }) {
    this.#env = deps.env
    this.#interfaces = deps.interfaces
    this.#links = deps.links
  }

  start(facts: NetmonFacts): void {
    this.#facts = facts
    this.#last = this.#fingerprint()
    this.#stopLinks = this.#links?.start(() => this.#settle())
    this.#arm()
  }

  stop(): void {
    this.#cancelLook?.()
    this.#cancelSettle?.()
    this.#stopLinks?.()
    this.#facts = undefined
  }

  /** Tells of a wake-up that somebody else saw (the app's power events). */
  handleWake(why: string): void {
    this.#last = this.#fingerprint()
    this.#tell(why, true)
  }

  #arm(): void {
    const waitMs = this.#links ? LOOK_WITH_EVENTS_MS : LOOK_WITHOUT_EVENTS_MS
    const dueMs = this.#env.clock.nowMs() + waitMs
    this.#cancelLook = this.#env.clock.after(waitMs, () => {
      const lateMs = this.#env.clock.nowMs() - dueMs
      if (lateMs >= SLEEP_MS) this.handleWake(`slept for about ${Math.round(lateMs / 1000)} s`)
      else this.#look('a look at the interfaces')
      if (this.#facts) this.#arm()
    })
  }

  #settle(): void {
    this.#cancelSettle?.()
    this.#cancelSettle = this.#env.clock.after(SETTLE_MS, () => this.#look('a link event'))
  }

  #look(source: string): void {
    const now = this.#fingerprint()
    if (now === this.#last) return
    const before = new Set(this.#last.split(' '))
    const after = new Set(now.split(' '))
    const gone = [...before].filter((entry) => entry !== '' && !after.has(entry)).length
    const added = [...after].filter((entry) => entry !== '' && !before.has(entry)).length
    this.#last = now
    this.#tell(`${gone} address(es) gone, ${added} new (${source})`, true)
  }

  #tell(why: string, major: boolean): void {
    this.#env.log.info(`network changed (${why})`)
    this.#env.journal.add({ part: 'netmon', kind: 'network-change', why, major })
    this.#facts?.onChange({ why, major })
  }

  /** The addresses that could carry traffic, sorted, as one text. */
  #fingerprint(): string {
    return this.#interfaces()
      .filter((address) => !address.internal)
      .map((address) => `${address.name}=${address.ip}`)
      .sort()
      .join(' ')
  }
}
