/**
 * How many connections are open at once: in all, and from one address, so that no peer can keep the others out.
 */
const MAX_CONNECTIONS = 1_024
const MAX_PER_ADDRESS = 64

export class Admission {
  readonly #perAddress = new Map<string, number>()
  #total = 0

  /** Takes a place; the returned function gives it back and is to be called once. undefined: there is none. */
  enter(ip: string): (() => void) | undefined {
    const held = this.#perAddress.get(ip) ?? 0
    if (this.#total >= MAX_CONNECTIONS || held >= MAX_PER_ADDRESS) return undefined
    this.#total++
    this.#perAddress.set(ip, held + 1)
    return () => {
      this.#total--
      const left = this.#perAddress.get(ip)! - 1
      if (left === 0) this.#perAddress.delete(ip)
      else this.#perAddress.set(ip, left)
    }
  }

  get total(): number {
    return this.#total
  }
}
