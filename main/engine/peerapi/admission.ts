/**
 * How many connections are open at once: in all, and from one address, so that no peer can keep the others out. Who finds no place
 * waits in line, unread; the line is bounded too.
 */
const MAX_CONNECTIONS = 1_024
const MAX_PER_ADDRESS = 64
const MAX_WAITING = 2_048
const MAX_WAITING_PER_ADDRESS = 1_024

/** Gives a place back; to be called once. */
export type Leave = () => void

interface Waiter {
  readonly ip: string
  readonly call: (leave: Leave) => void
}

export class Admission {
  readonly #perAddress = new Map<string, number>()
  readonly #line = new Set<Waiter>()
  readonly #waitingPerAddress = new Map<string, number>()
  #total = 0

  /** Takes a place. undefined: there is none. */
  enter(ip: string): Leave | undefined {
    const held = this.#perAddress.get(ip) ?? 0
    if (this.#total >= MAX_CONNECTIONS || held >= MAX_PER_ADDRESS) return undefined
    this.#total++
    this.#perAddress.set(ip, held + 1)
    return () => {
      this.#total--
      add(this.#perAddress, ip, -1)
      this.#callNext()
    }
  }

  /** Stands in line: `call` is called once with a place. Answers how to step out of it. undefined: the line is full. */
  wait(ip: string, call: (leave: Leave) => void): (() => void) | undefined {
    if (this.#line.size >= MAX_WAITING || (this.#waitingPerAddress.get(ip) ?? 0) >= MAX_WAITING_PER_ADDRESS) return undefined
    const waiter = { ip, call }
    this.#line.add(waiter)
    add(this.#waitingPerAddress, ip, 1)
    return () => this.#stepOut(waiter)
  }

  /** Whether somebody at this address is in line. */
  isWaitedFor(ip: string): boolean {
    return this.#waitingPerAddress.has(ip)
  }

  get total(): number {
    return this.#total
  }

  #stepOut(waiter: Waiter): void {
    if (this.#line.delete(waiter)) add(this.#waitingPerAddress, waiter.ip, -1)
  }

  #callNext(): void {
    for (const waiter of this.#line) {
      const leave = this.enter(waiter.ip)
      if (!leave) continue
      this.#stepOut(waiter)
      return waiter.call(leave)
    }
  }
}

function add(counts: Map<string, number>, ip: string, by: number): void {
  const count = (counts.get(ip) ?? 0) + by
  if (count === 0) counts.delete(ip)
  else counts.set(ip, count)
}
