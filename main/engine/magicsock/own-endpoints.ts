/**
 * What our own addresses are made of, apart from the last look at the network: the port, what the router gave, what a person wrote,
 * what was found a moment ago.
 */
import type { AddrPort } from '../base/ip.ts'
import type { NetcheckReport } from '../core/netcheck/report.ts'
import { localEndpoints } from './local-endpoints.ts'
import type { Endpoint, LocalInterface } from './ports.ts'
import { SeenEndpoints } from './seen-endpoints.ts'

export class OwnEndpoints {
  readonly #seen = new SeenEndpoints()
  #port = 0
  #isFixedPort = true
  /** What the router gave. */
  portMapped: AddrPort | undefined
  /** "ip:port", as a person wrote them. */
  explicit: readonly string[] = []

  setPort(port: number, isFixed: boolean): void {
    this.#port = port
    this.#isFixedPort = isFixed
    this.forget()
  }

  /** Another network: what was found on the one before is not ours any more. */
  forget(): void {
    this.#seen.clear()
  }

  list(nowMs: number, report: NetcheckReport | undefined, interfaces: readonly LocalInterface[]): Endpoint[] {
    return localEndpoints(report, interfaces, this.#port, {
      portMapped: this.portMapped,
      isFixedPort: this.#isFixedPort,
      explicit: this.explicit,
      remember: (found) => this.#seen.update(nowMs, found),
    })
  }
}
