/**
 * How much comes in at once: few files of one sender, not too many of all; the rest waits in line unread, and the line is bounded.
 */
const MOST = 32
const MOST_PER_SENDER = 8
const MOST_WAITING = 512
const MOST_WAITING_PER_SENDER = 160

interface Waiter {
  readonly sender: string
  readonly go: () => void
}

export class Slots {
  readonly #running = new Map<string, number>()
  readonly #waiting = new Map<string, number>()
  readonly #line = new Set<Waiter>()
  #total = 0

  /** Resolves with how to give the slot back; 'too-many': the line is full; 'gone': the signal came first. */
  async enter(sender: string, signal: AbortSignal): Promise<(() => void) | 'too-many' | 'gone'> {
    if (this.#isFree(sender)) return this.#take(sender)
    if (this.#line.size >= MOST_WAITING || (this.#waiting.get(sender) ?? 0) >= MOST_WAITING_PER_SENDER) return 'too-many'
    return await new Promise((resolve) => {
      const leaveLine = (): void => {
        signal.removeEventListener('abort', onAbort)
        this.#line.delete(waiter)
        add(this.#waiting, sender, -1)
      }
      const onAbort = (): void => {
        leaveLine()
        resolve('gone')
      }
      const waiter: Waiter = {
        sender,
        go: () => {
          leaveLine()
          resolve(this.#take(sender))
        },
      }
      if (signal.aborted) return resolve('gone')
      this.#line.add(waiter)
      add(this.#waiting, sender, 1)
      signal.addEventListener('abort', onAbort)
    })
  }

  get running(): number {
    return this.#total
  }

  #isFree(sender: string): boolean {
    return this.#total < MOST && (this.#running.get(sender) ?? 0) < MOST_PER_SENDER
  }

  #take(sender: string): () => void {
    this.#total++
    add(this.#running, sender, 1)
    return () => {
      this.#total--
      add(this.#running, sender, -1)
      for (const waiter of this.#line) if (this.#isFree(waiter.sender)) return waiter.go()
    }
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
