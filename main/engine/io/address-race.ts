/**
 * Connects TCP to the first of several addresses that answers (happy eyeballs, RFC 8305): 250 ms apart, at once after a
 * failure. Addresses may join while the race is on, as DNS tells them; the first connection wins, the others are closed.
 */
import type { Socket } from 'node:net'
import type { Wires } from './wires.ts'

const ATTEMPT_DELAY_MS = 250
const MAX_ADDRESSES = 12

/** Which failure tells most, where several addresses failed in different ways. */
const TELLING = ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'EACCES', 'ENETUNREACH']

export class AddressRace {
  /** The connected socket, which the caller owns. Rejects with Node's error, the source's, or the signal's reason. */
  readonly winner: Promise<Socket>
  readonly #wires: Wires
  readonly #port: number
  readonly #waiting: string[] = []
  readonly #known = new Set<string>()
  readonly #open = new Set<Socket>()
  readonly #failures: Error[] = []
  readonly #signal: AbortSignal
  #settle: { resolve: (socket: Socket) => void; reject: (why: unknown) => void } | undefined
  #timer: NodeJS.Timeout | undefined
  #isWhole = false
  #sourceFailure: unknown

  constructor(wires: Wires, port: number, signal: AbortSignal) {
    this.#wires = wires
    this.#port = port
    this.#signal = signal
    this.winner = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    this.winner.catch(() => {})
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  add(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#known.has(address) || this.#known.size >= MAX_ADDRESSES) continue
      this.#known.add(address)
      this.#waiting.push(address)
    }
    if (this.#open.size === 0 || this.#timer === undefined) this.#next()
  }

  /** No more addresses will come; `failure`: why the source has none. */
  end(failure?: unknown): void {
    this.#isWhole = true
    this.#sourceFailure = failure
    if (this.#waiting.length === 0) this.#next()
  }

  #next(): void {
    if (!this.#settle) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const host = this.#waiting.shift()
    if (host === undefined) {
      if (this.#isWhole && this.#open.size === 0) this.#finish(undefined, this.#sourceFailure ?? this.#mostTelling())
      return
    }
    const socket = this.#wires.connect(host, this.#port)
    this.#open.add(socket)
    const onError = (error: Error): void => {
      this.#failures.push(error)
      if (this.#open.delete(socket)) this.#next()
    }
    socket.on('error', onError)
    socket.once('connect', () => {
      if (!this.#open.has(socket)) return
      socket.off('error', onError)
      this.#finish(socket)
    })
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#next()
    }, ATTEMPT_DELAY_MS)
  }

  #mostTelling(): Error {
    const rank = (error: Error): number => {
      const place = TELLING.indexOf((error as NodeJS.ErrnoException).code ?? '')
      return place < 0 ? TELLING.length : place
    }
    return this.#failures.toSorted((a, b) => rank(a) - rank(b))[0] ?? new Error('no address')
  }

  readonly #onAbort = (): void => this.#finish(undefined, this.#signal.reason)

  #finish(winner: Socket | undefined, failure?: unknown): void {
    const settle = this.#settle
    if (!settle) return
    this.#settle = undefined
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
    for (const socket of this.#open) if (socket !== winner) socket.destroy()
    if (winner) settle.resolve(winner)
    else settle.reject(failure)
  }
}
