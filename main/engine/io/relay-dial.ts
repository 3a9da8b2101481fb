/**
 * Dials a relay: io/dial with the ways that relays' certificates are checked.
 */
import type { Socket } from 'node:net'
import { dial, type DialWorld } from './dial.ts'

export interface RelayDialOptions {
  readonly tls: boolean
  readonly servername?: string
  readonly timeoutMs: number
  readonly connectTimeoutMs?: number
  readonly addresses?: readonly string[]
  readonly family?: 4 | 6
  /** `roots`: chain and name. `{ name }`: the chain, and this name. `caller`: the caller looks at the certificate. */
  readonly verify?: 'roots' | 'caller' | { readonly name: string }
}

/** A connected socket, TLS done when asked. Rejects with EngineError. */
export function dialRelay(host: string, port: number, options: RelayDialOptions, world: DialWorld): Promise<Socket> {
  const { tls, timeoutMs, connectTimeoutMs, addresses, family, verify = 'roots' } = options
  const how = {
    host,
    port,
    timeoutMs,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(addresses ? { addresses } : {}),
    ...(family === undefined ? {} : { family }),
    ...(tls
      ? { tls: { servername: options.servername ?? host, rejectUnauthorized: verify !== 'caller', ...(typeof verify === 'object' ? { verifyName: verify.name } : {}) } }
      : {}),
  }
  return dial(how, world)
}
