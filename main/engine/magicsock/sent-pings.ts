/**
 * Pings of ours that wait for their pong, and the people (or programs) who asked for one. A pong is believed only when
 * its txid is here and it came from the disco key and the kind of path that the ping went to.
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { Path } from '../core/path/types.ts'
import type { RelayMark } from './relay-client.ts'
import type { PeerEntry } from './peer-table.ts'

/** Longer than any pong is waited for. */
const KEEP_MS = 10_000
const MAX_SENT = 20_000
/** An asked ping is repeated until it is answered or its time is over. */
export const ASK_REPEAT_MS = 1000

export interface PingAnswer {
  readonly latencyMs: number
  readonly via: Extract<Path, { kind: 'direct' | 'peer-relay' | 'relay' }>
}

export interface SentPing {
  readonly entry: PeerEntry
  readonly via: PingAnswer['via']
  readonly sentMs: number
  /** The path machine's number; undefined for a ping that only an ask waits for. */
  readonly pingId: number | undefined
  /** Of a ping of a handshake through a peer relay. */
  readonly mark?: RelayMark
}

interface Ask {
  readonly entry: PeerEntry
  readonly sizeBytes: number
  readonly resolve: (answer: PingAnswer) => void
  readonly reject: (error: EngineError) => void
  cancelTimer: () => void
}

export class SentPings {
  readonly #clock: Clock
  readonly #byTxId = new Map<string, SentPing>()
  readonly #asks = new Set<Ask>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(txId: string, ping: SentPing): void {
    for (const [id, { sentMs }] of this.#byTxId) {
      if (ping.sentMs - sentMs < KEEP_MS && this.#byTxId.size < MAX_SENT) break
      this.#byTxId.delete(id)
    }
    this.#byTxId.set(txId, ping)
  }

  /** The ping that a pong answers, once. */
  take(txId: string): SentPing | undefined {
    const ping = this.#byTxId.get(txId)
    this.#byTxId.delete(txId)
    return ping
  }

  /** Asks for a pong; `send` is called now and again until one comes. Rejects with code timeout. */
  ask(entry: PeerEntry, sizeBytes: number, timeoutMs: number, send: () => void): Promise<PingAnswer> {
    return new Promise((resolve, reject) => {
      const ask: Ask = { entry, sizeBytes, resolve, reject, cancelTimer: () => {} }
      const endMs = this.#clock.nowMs() + timeoutMs
      const again = (): void => {
        const leftMs = endMs - this.#clock.nowMs()
        if (leftMs <= 0) {
          this.#asks.delete(ask)
          reject(new EngineError('timeout', 'the peer did not answer the ping in time'))
          return
        }
        ask.cancelTimer = this.#clock.after(Math.min(leftMs, ASK_REPEAT_MS), again)
        send()
      }
      this.#asks.add(ask)
      again()
    })
  }

  /** A pong came: everybody who waits for this peer has an answer. Sized asks wait for their own ping. */
  answer(ping: SentPing, latencyMs: number): void {
    for (const ask of this.#asks) {
      if (ask.entry !== ping.entry || (ask.sizeBytes > 0 && ping.pingId !== undefined)) continue
      this.#asks.delete(ask)
      ask.cancelTimer()
      ask.resolve({ latencyMs, via: ping.via })
    }
  }

  /** Ends the asks for a peer that is gone, or all. */
  drop(entry: PeerEntry | undefined, error: () => EngineError): void {
    for (const ask of this.#asks) {
      if (entry && ask.entry !== entry) continue
      this.#asks.delete(ask)
      ask.cancelTimer()
      ask.reject(error())
    }
  }
}
