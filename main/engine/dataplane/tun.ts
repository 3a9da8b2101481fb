/**
 * The tunnel's device for the whole-computer mode: mark first, then the device; taken back in the other order. The mark goes on before any route
 * can lead into the device, so that our own packets never do.
 *
 *   closed → open (open) → closed (close) | gone (somebody took the device: onGone, then close)
 */

/** What is needed of a Dataplane. */
export interface TunPlane {
  readonly isRunning: boolean
  readonly hasTun: boolean
  openTun(want: { readonly name: string; readonly mtu: number }): { readonly name: string; readonly index: number }
  closeTun(): void
  setForwarding(by: 'system' | 'engine'): void
  setMark(mark: number | undefined): void
  onTunGone(call: (why: string) => void): void
}

export class Tun {
  readonly #plane: TunPlane

  constructor(plane: TunPlane) {
    this.#plane = plane
  }

  /** Rejects with EngineError('access-denied' | 'not-supported' | 'already-running' | 'native-failed' | 'io'); then nothing is changed. */
  async open(want: { readonly name: string; readonly mtu: number; readonly mark: number }): Promise<{ readonly name: string; readonly index: number }> {
    const had = this.#plane.hasTun
    this.#plane.setMark(want.mark)
    try {
      const { name, index } = this.#plane.openTun(want)
      return { name, index }
    } catch (error) {
      // A device of ours that is there already keeps its mark.
      if (!had) this.#plane.setMark(undefined)
      throw error
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.#plane.hasTun) return
    this.#plane.closeTun()
    this.#plane.setMark(undefined)
  }

  /** Who passes packets of peers on to other machines. */
  setForwarding(by: 'system' | 'engine'): void {
    if (this.#plane.isRunning) this.#plane.setForwarding(by)
  }

  onGone(call: (why: string) => void): void {
    this.#plane.onTunGone(call)
  }
}
