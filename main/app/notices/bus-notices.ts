/**
 * Notifications of Linux desktops over the session bus, since Electron's have neither buttons nor a place that can be used again there.
 *
 *   → Notify(app, replaces, icon, summary, body, actions, hints, timeout) → id     CloseNotification(id)
 *   ← ActionInvoked(id, action)   NotificationClosed(id, reason)
 *
 * Bodies may be markup: where a service says so, what comes from others is escaped. Only signals of whoever serves the name are believed.
 * Source: freedesktop.org Desktop Notifications Specification 1.3.
 */
import type { BusSignal, SessionBus } from '../session-bus.ts'
import type { Cause } from './machine.ts'
import type { NoticeSink, SinkFacts } from './sink.ts'

const SERVICE = 'org.freedesktop.Notifications'
const AT = { to: SERVICE, path: '/org/freedesktop/Notifications', iface: SERVICE } as const
/** Reasons of NotificationClosed: the time was over; we closed it ourselves. */
const CLOSED_BY_CALL = 3
/** What may wait for a slow service. */
const QUEUE_LIMIT = 200

export interface BusNoticesDeps {
  readonly bus: Pick<SessionBus, 'call' | 'follow' | 'watchName' | 'hasService'> | undefined
  readonly icon: string
  /** A variant of the bus, for hints. */
  readonly variant: (signature: string, value: unknown) => unknown
}

export class BusNotices implements NoticeSink {
  readonly #deps: BusNoticesDeps
  readonly #facts: SinkFacts
  readonly #ids = new Map<string, number>()
  #owner = ''
  #following: Promise<void> | undefined
  /** One after the other, so that a place is known before it is used again. */
  #queue: Promise<void> = Promise.resolve()
  #queued = 0

  constructor(deps: BusNoticesDeps, facts: SinkFacts) {
    this.#deps = deps
    this.#facts = facts
  }

  show(cause: Cause): void {
    this.#later(() => this.#show(cause), () => this.#facts.onFailed(cause.key))
  }

  close(key: string): void {
    this.#later(async () => {
      const id = this.#ids.get(key)
      this.#ids.delete(key)
      if (id !== undefined) await this.#deps.bus?.call({ ...AT, member: 'CloseNotification', signature: 'u', body: [id] })
    })
  }

  stop(): void {
    for (const key of this.#ids.keys()) this.close(key)
  }

  #later(run: () => Promise<void>, failed: () => void = () => {}): void {
    if (this.#queued >= QUEUE_LIMIT) return failed()
    this.#queued++
    this.#queue = this.#queue.then(run).catch(failed).finally(() => this.#queued--)
  }

  async #show(cause: Cause): Promise<void> {
    const { bus, icon, variant } = this.#deps
    if (!bus || !(await bus.hasService(SERVICE))) throw new Error('nobody shows notifications')
    this.#following ??= this.#follow()
    await this.#following
    const [abilities] = await bus.call({ ...AT, member: 'GetCapabilities' })
    const can = Array.isArray(abilities) ? (abilities as unknown[]) : []
    const actions = can.includes('actions') ? ['default', cause.title, ...cause.actions.flatMap(({ label }, index) => [`action-${index}`, label])] : []
    const hints = { urgency: variant('y', 1), 'desktop-entry': variant('s', 'bowline') }
    const body = can.includes('body-markup') ? escaped(cause.body) : cause.body
    const [id] = await bus.call({ ...AT, member: 'Notify', signature: 'susssasa{sv}i', body: ['Bowline', this.#ids.get(cause.key) ?? 0, icon, cause.title, body, actions, hints, -1] })
    if (typeof id !== 'number') throw new Error('no notification was made')
    this.#ids.set(cause.key, id)
    this.#facts.onShown()
  }

  async #follow(): Promise<void> {
    const { bus } = this.#deps
    await bus!.follow(SERVICE, (signal) => this.#take(signal))
    await bus!.watchName(SERVICE, (owner) => {
      // A service that began anew knows nothing of what another one showed.
      if (owner !== this.#owner) this.#ids.clear()
      this.#owner = owner
    })
  }

  #take({ sender, member, body: [id, what] }: BusSignal): void {
    const key = [...this.#ids].find(([, known]) => known === id)?.[0]
    if (sender !== this.#owner || key === undefined) return
    if (member === 'ActionInvoked') {
      const index = /^action-(\d)$/.exec(String(what))?.[1]
      if (index !== undefined) this.#facts.onUsed(key, Number(index))
      else if (what === 'default') this.#facts.onUsed(key, 'open')
    } else if (member === 'NotificationClosed') {
      this.#ids.delete(key)
      if (what !== CLOSED_BY_CALL) this.#facts.onClosed(key)
    }
  }
}

/** Text as itself in a body that is read as markup. */
export const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
