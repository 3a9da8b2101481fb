/**
 * Waiting for the disk: few at a time, and a folder once for all that got a name in it meanwhile.
 */
import type { Dir } from './dir.ts'

/** Lets few at a time wait for the disk: each holds one of the process's four threads. */
export class Gate {
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #inside = 0

  constructor(most: number) {
    this.#most = most
  }

  get isFree(): boolean {
    return this.#inside < this.#most
  }

  async pass<T>(run: () => Promise<T>): Promise<T> {
    if (!this.isFree) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#inside++
    try {
      return await run()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#inside--
    }
  }
}

interface Round {
  /** Of those that came while it ran: what they need is done after it only. */
  next: Promise<void> | undefined
  readonly running: Promise<void>
}

/** Makes names in folders last. Many that ask at once are served by one go. */
export class FolderSyncs {
  readonly #gate: Gate
  readonly #rounds = new Map<string, Round>()

  constructor(gate: Gate) {
    this.#gate = gate
  }

  /** `dir` stays open until it resolves. Rejects with the system's error. */
  sync(dir: Dir): Promise<void> {
    const key = `${dir.id.dev}:${dir.id.ino}`
    const round = this.#rounds.get(key)
    if (!round) return this.#run(key, dir)
    // Whoever asks first for the next round holds it open for the others.
    return (round.next ??= round.running.catch(() => {}).then(() => this.#run(key, dir)))
  }

  #run(key: string, dir: Dir): Promise<void> {
    const running = this.#gate.pass(() => dir.sync())
    const round: Round = { running, next: undefined }
    this.#rounds.set(key, round)
    const over = (): void => {
      if (this.#rounds.get(key) === round && !round.next) this.#rounds.delete(key)
    }
    running.then(over, over)
    return running
  }
}
