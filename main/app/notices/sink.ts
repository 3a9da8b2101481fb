/**
 * Where notifications are shown. What cannot be shown is told as failed, and nothing else happens.
 */
import type { Cause } from './machine.ts'

export interface SinkFacts {
  /** A button, by its place, or the notification itself. */
  onUsed(key: string, action: number | 'open'): void
  /** The person closed it, or its time was over. */
  onClosed(key: string): void
  onFailed(key: string): void
  onShown(): void
}

export interface NoticeSink {
  /** In place of the one of the same key. */
  show(cause: Cause): void
  close(key: string): void
  stop(): void
}
