/**
 * People who wait for a direct path to a device: told the moment that path finding proves one, never by asking again.
 */
import type { Clock } from '../base/env.ts'
import type { NodePublicKey } from '../base/keys.ts'
import type { PathView } from '../core/path/types.ts'
import type { MagicsockPort } from './ports.ts'

export class DirectWaits {
  readonly #deps: { clock: Clock; magicsock: MagicsockPort }
  readonly #waiting = new Map<NodePublicKey, Set<() => void>>()

  constructor(deps: { clock: Clock; magicsock: MagicsockPort }) {
    this.#deps = deps
  }

  /** A path is another one. */
  handlePath({ peer, path }: PathView): void {
    if (path.kind === 'direct') for (const tell of this.#waiting.get(peer) ?? []) tell()
  }

  /** true as soon as packets to the peer go directly, false when they do not within `timeoutMs`. */
  wait(peer: NodePublicKey, timeoutMs: number): Promise<boolean> {
    if (this.#deps.magicsock.pathTo(peer)?.path.kind === 'direct') return Promise.resolve(true)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(peer) ?? new Set()
      this.#waiting.set(peer, waiting)
      const end = (isDirect: boolean): void => {
        cancel()
        waiting.delete(tell)
        if (waiting.size === 0) this.#waiting.delete(peer)
        resolve(isDirect)
      }
      const tell = (): void => end(true)
      const cancel = this.#deps.clock.after(timeoutMs, () => end(false))
      waiting.add(tell)
    })
  }
}
