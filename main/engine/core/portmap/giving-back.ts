/**
 * Gives a mapping back to the router: says so, once more when no answer comes, then lets it be. Pure machine.
 */
import { encodePcpMapRequest } from './pcp.ts'
import { encodePmpMapRequest } from './pmp.ts'
import type { PortMapOutput, PortMapping, RouterLink } from './types.ts'

const RESEND_MS = 250
const GIVE_UP_MS = 600

export class GivingBack {
  readonly #nonce: Uint8Array
  #waiting: { readonly output: PortMapOutput; readonly resendAtMs: number; readonly endsAtMs: number } | undefined

  constructor(nonce: Uint8Array) {
    this.#nonce = nonce
  }

  /** Whether the router's answer is still awaited. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  get dueMs(): number {
    const waiting = this.#waiting
    return waiting ? Math.min(waiting.resendAtMs, waiting.endsAtMs) : Number.POSITIVE_INFINITY
  }

  /** What is to be sent now. */
  start(nowMs: number, link: RouterLink, mapping: PortMapping): PortMapOutput {
    const { service, control, internalPort, external } = mapping
    if (service === 'upnp') return { kind: 'upnp-unmap', link, control: control!, externalPort: external.port }
    const bytes = service === 'pmp'
      ? encodePmpMapRequest(internalPort, 0, 0)
      : encodePcpMapRequest({ selfIp: link.selfIp, nonce: this.#nonce, internalPort, externalPort: 0, lifetimeSec: 0 })
    const output: PortMapOutput = { kind: 'send', link, bytes }
    this.#waiting = { output, resendAtMs: nowMs + RESEND_MS, endsAtMs: nowMs + GIVE_UP_MS }
    return output
  }

  /** A port is asked for next: said once more, this would take that one away. Its answer may still come. */
  sayNoMore(): void {
    if (this.#waiting) this.#waiting = { ...this.#waiting, resendAtMs: Number.POSITIVE_INFINITY }
  }

  /** The router took note; false when nothing was given back. */
  handleAnswer(): boolean {
    const was = this.isWaiting
    this.#waiting = undefined
    return was
  }

  /** What is to be sent again, if anything. */
  handleTimeout(nowMs: number): PortMapOutput | undefined {
    const waiting = this.#waiting
    if (!waiting) return undefined
    if (nowMs >= waiting.endsAtMs) this.#waiting = undefined
    else if (nowMs >= waiting.resendAtMs) {
      this.sayNoMore()
      return waiting.output
    }
    return undefined
  }
}
