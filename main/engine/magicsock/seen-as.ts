/**
 * Where peers see us: a pong names the address that our ping came from. When the same path shows another one, a router on our side
 * forgot us and gave another; nothing on this machine tells of that, and what the peer sends goes to where we were.
 */
import type { AddrPort } from '../base/ip.ts'
import { formatAddrPort } from '../base/ip.ts'

/** A peer may lie: it costs one look at the network in this time, whatever it says. */
const AGAIN_MS = 5_000

export class SeenAs {
  readonly #last = new WeakMap<object, { readonly to: string; readonly src: string }>()
  #changedMs = Number.NEGATIVE_INFINITY

  /** Notes a pong of a peer at `to`; true when it shows that we are somewhere else. */
  note(nowMs: number, peer: object, to: AddrPort, src: AddrPort): boolean {
    const before = this.#last.get(peer)
    const now = { to: formatAddrPort(to), src: formatAddrPort(src) }
    this.#last.set(peer, now)
    if (!before || before.to !== now.to || before.src === now.src || nowMs - this.#changedMs < AGAIN_MS) return false
    this.#changedMs = nowMs
    return true
  }
}
