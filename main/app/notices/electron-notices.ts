/**
 * Notifications of macOS and Windows, through Electron. One of the same key is closed before the next is shown.
 */
import { Notification } from 'electron'
import type { Cause } from './machine.ts'
import type { NoticeSink, SinkFacts } from './sink.ts'

export class ElectronNotices implements NoticeSink {
  readonly #facts: SinkFacts
  /** Kept, since one that is collected loses its events. */
  readonly #shown = new Map<string, Notification>()

  constructor(facts: SinkFacts) {
    this.#facts = facts
  }

  show(cause: Cause): void {
    this.close(cause.key)
    if (!Notification.isSupported()) return this.#facts.onFailed(cause.key)
    const actions = cause.actions.map(({ label }) => ({ type: 'button' as const, text: label }))
    const notice = new Notification({ title: cause.title, body: cause.body, actions })
    const { key } = cause
    const ours = (run: () => void) => (): void => {
      if (this.#shown.get(key) === notice) run()
    }
    notice.on('show', ours(() => this.#facts.onShown()))
    notice.on('click', ours(() => this.#facts.onUsed(key, 'open')))
    notice.on('action', (_event, index) => ours(() => this.#facts.onUsed(key, index))())
    notice.on('close', ours(() => {
      this.#shown.delete(key)
      this.#facts.onClosed(key)
    }))
    notice.on('failed', ours(() => {
      this.#shown.delete(key)
      this.#facts.onFailed(key)
    }))
    this.#shown.set(key, notice)
    notice.show()
  }

  close(key: string): void {
    const notice = this.#shown.get(key)
    this.#shown.delete(key)
    notice?.close()
  }

  stop(): void {
    for (const key of this.#shown.keys()) this.close(key)
  }
}
