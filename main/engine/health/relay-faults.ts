/**
 * Tells of relays that cannot be used because of their certificate, of a box that opens TLS, or of the proxy: such faults
 * do not pass by themselves, and nothing else names them. The control server's own are told by its session.
 *
 * Each kind is one warning, of the host that failed last; it ends when every host of the kind was reached, or is not tried
 * any more (a relay that left the map, or is used no longer).
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { CertificateError } from '../core/trust/certificate-fault.ts'
import type { WarnableCode, WarningArgs } from './warnables.ts'

export interface FaultWarnings {
  set(code: WarnableCode, args: WarningArgs): void
  clear(code: WarnableCode): void
}

/** Hosts that are kept in mind. */
const MAX_HOSTS = 256
/** A relay that is wanted is tried every few seconds. */
const FORGET_MS = 300_000

interface Fault {
  readonly code: WarnableCode
  readonly forget: () => void
}

export class RelayFaults {
  readonly #warnings: FaultWarnings
  readonly #clock: Clock
  readonly #faults = new Map<string, Fault>()

  constructor(deps: { clock: Clock; warnings: FaultWarnings }) {
    this.#clock = deps.clock
    this.#warnings = deps.warnings
  }

  stop(): void {
    for (const { forget } of this.#faults.values()) forget()
  }

  /** The same dialler, watched. */
  watch<Options, Stream>(dial: (host: string, port: number, options: Options) => Promise<Stream>): (host: string, port: number, options: Options) => Promise<Stream> {
    return async (host, port, options) => {
      try {
        const stream = await dial(host, port, options)
        this.#well(host)
        return stream
      } catch (error) {
        this.#failed(host, error)
        throw error
      }
    }
  }

  #failed(host: string, error: unknown): void {
    if (!(error instanceof EngineError)) return
    const code = warnableOf(error)
    const before = this.#faults.get(host)
    if (before?.code !== code) this.#well(host)
    before?.forget()
    if (code === undefined || (this.#faults.size >= MAX_HOSTS && !this.#faults.has(host))) return
    this.#faults.set(host, { code, forget: this.#clock.after(FORGET_MS, () => this.#well(host)) })
    const issuer = error instanceof CertificateError && error.issuer !== '' ? { manufacturer: error.issuer } : {}
    this.#warnings.set(code, { 'server-name': host, error: error.message, ...issuer })
  }

  #well(host: string): void {
    const fault = this.#faults.get(host)
    if (!fault) return
    fault.forget()
    this.#faults.delete(host)
    if (![...this.#faults.values()].some(({ code }) => code === fault.code)) this.#warnings.clear(fault.code)
  }
}

function warnableOf({ code }: EngineError): WarnableCode | undefined {
  if (code === 'cert-intercepted') return 'blockblame-mitm-detected'
  if (code.startsWith('cert-')) return 'tls-connection-failed'
  return code.startsWith('proxy-') ? 'proxy-failed' : undefined
}
