/**
 * Which node something belongs to that several claim, an address or a node key: the one with the lowest ID. Kept as claims
 * come and go, so that a change costs what it touches.
 */
import type { NodeId } from '../tailcfg/types.ts'

export class Owners {
  /** Name → its only claimant, or all of them in ascending order. */
  readonly #claims = new Map<string, NodeId | readonly NodeId[]>()

  /** Adds a peer's claims; tells the other claimants, who may have won or lost something, through `touched`. */
  claim(id: NodeId, names: readonly string[], touched: Set<NodeId>): void {
    for (const name of names) {
      const now = this.#claims.get(name)
      if (now === undefined) {
        this.#claims.set(name, id)
        continue
      }
      const ids = typeof now === 'number' ? [now] : now
      for (const other of ids) touched.add(other)
      if (!ids.includes(id)) this.#claims.set(name, [...ids, id].sort((a, b) => a - b))
    }
  }

  /** Takes a peer's claims back. */
  release(id: NodeId, names: readonly string[], touched: Set<NodeId>): void {
    for (const name of names) {
      const now = this.#claims.get(name)
      const rest = typeof now === 'number' ? [] : (now ?? []).filter((one) => one !== id)
      for (const other of rest) touched.add(other)
      if (rest.length > 1) this.#claims.set(name, rest)
      else if (rest.length === 1) this.#claims.set(name, rest[0]!)
      else this.#claims.delete(name)
    }
  }

  /** Whose a name is. */
  ownerOf(name: string): NodeId | undefined {
    const claim = this.#claims.get(name)
    return typeof claim === 'number' ? claim : claim?.[0]
  }

  /** Of a peer's claims those that are its own; the same list when all are. */
  ownedBy(id: NodeId, names: readonly string[]): readonly string[] {
    const owns = (name: string): boolean => this.ownerOf(name) === id
    return names.every(owns) ? names : names.filter(owns)
  }
}
