/**
 * Dials a relay: io/dial with the ways that relays' certificates are checked, and one address family when asked for.
 */
import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { EngineError, errorText } from '../base/errors.ts'
import { dial } from './dial.ts'

export interface RelayDialOptions {
  readonly tls: boolean
  readonly servername?: string
  readonly timeoutMs: number
  readonly addresses?: readonly string[]
  readonly family?: 4 | 6
  /** `roots`: chain and name. `{ name }`: the chain, and this name. `caller`: the caller looks at the certificate. */
  readonly verify?: 'roots' | 'caller' | { readonly name: string }
}

/** A connected socket, TLS done when asked. Rejects with EngineError. */
export async function dialRelay(host: string, port: number, options: RelayDialOptions): Promise<Socket> {
  const { tls, timeoutMs, verify = 'roots' } = options
  const addresses = options.addresses ?? (options.family === undefined || isIP(host) !== 0 ? undefined : await lookupFamily(host, options.family))
  return dial({
    host,
    port,
    timeoutMs,
    ...(addresses ? { addresses } : {}),
    ...(tls
      ? { tls: { servername: options.servername ?? host, rejectUnauthorized: verify !== 'caller', ...(typeof verify === 'object' ? { verifyName: verify.name } : {}) } }
      : {}),
  })
}

async function lookupFamily(host: string, family: 4 | 6): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true, family })).map((found) => found.address)
  } catch (error) {
    throw new EngineError('io', `${host}: ${errorText(error)}`, { cause: error })
  }
}
