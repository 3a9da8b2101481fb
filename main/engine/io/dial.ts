/**
 * Dials TCP and TLS: looks the name up, tries its addresses in turn without waiting for the slow ones (happy eyeballs,
 * RFC 8305: families alternate, 250 ms apart), then starts TLS when asked. The first connection wins, the others are
 * closed. Everything ends at the timeout or the abort.
 *
 * Rejects with EngineError: 'timeout', 'aborted', 'io' (its cause is Node's error with the system's code).
 */
import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { EngineError, errorText } from '../base/errors.ts'
import { startTls, type TlsOptions } from './tls.ts'

const ATTEMPT_DELAY_MS = 250
const MAX_ADDRESSES = 8

export interface DialOptions {
  /** Name or address, without brackets. */
  readonly host: string
  readonly port: number
  readonly tls?: TlsOptions
  /** For all of it: lookup, connection, TLS. */
  readonly timeoutMs: number
  /** Addresses to use in place of a lookup. */
  readonly addresses?: readonly string[]
  readonly signal?: AbortSignal
}

/** A connected socket (a TLSSocket with `tls`), which the caller owns. */
export async function dial(options: DialOptions): Promise<Socket> {
  const limit = new AbortController()
  const late = (): void => limit.abort(new EngineError('timeout', `${options.host}:${options.port} did not answer in time`))
  const timer = setTimeout(late, options.timeoutMs)
  const abort = (): void => limit.abort(new EngineError('aborted', 'the connection attempt was called off'))
  if (options.signal?.aborted === true) abort()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    return await dialWithin(options, limit.signal)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', abort)
  }
}

async function dialWithin(options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const addresses = await untilAborted(resolveAddresses(options), signal)
  const socket = await race(addresses.slice(0, MAX_ADDRESSES), options.port, signal)
  socket.setNoDelay(true)
  if (!options.tls) return socket
  const giveUp = (): void => void socket.destroy()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await startTls(socket, options.tls)
  } catch (error) {
    throw signal.aborted ? signal.reason : wrap(error, options)
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

async function resolveAddresses(options: DialOptions): Promise<readonly string[]> {
  if (options.addresses && options.addresses.length > 0) return options.addresses
  if (isIP(options.host) !== 0) return [options.host]
  try {
    return alternate((await lookup(options.host, { all: true, verbatim: true })).map((found) => found.address))
  } catch (error) {
    throw wrap(error, options)
  }
}

/** The addresses with families taking turns, the first one's family first. */
function alternate(addresses: readonly string[]): string[] {
  const first = addresses[0] === undefined ? 0 : isIP(addresses[0])
  const ours = addresses.filter((address) => isIP(address) === first)
  const others = addresses.filter((address) => isIP(address) !== first)
  const out: string[] = []
  for (let i = 0; i < Math.max(ours.length, others.length); i++) {
    for (const list of [ours, others]) if (list[i] !== undefined) out.push(list[i]!)
  }
  return out
}

/** Connects to the addresses 250 ms apart, at once after a failure; the first connection wins. */
function race(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>()
    let next = 0
    let timer: NodeJS.Timeout | undefined
    let lastError: unknown = new Error('no address')
    const finish = (winner: Socket | undefined): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      for (const socket of open) if (socket !== winner) socket.destroy()
      if (winner) resolve(winner)
      else reject(signal.aborted ? signal.reason : wrap(lastError, { host: addresses[0] ?? '', port }))
    }
    const onAbort = (): void => finish(undefined)
    const attempt = (): void => {
      clearTimeout(timer)
      const host = addresses[next++]
      if (host === undefined) {
        if (open.size === 0) finish(undefined)
        return
      }
      const socket = connect({ host, port })
      open.add(socket)
      const onError = (error: Error): void => {
        lastError = error
        if (open.delete(socket)) attempt()
      }
      socket.on('error', onError)
      socket.once('connect', () => {
        if (!open.has(socket)) return
        socket.off('error', onError)
        finish(socket)
      })
      timer = setTimeout(attempt, ATTEMPT_DELAY_MS)
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    attempt()
  })
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function wrap(error: unknown, at: { host: string; port: number }): EngineError {
  if (error instanceof EngineError) return error
  return new EngineError('io', `${at.host}:${at.port}: ${errorText(error)}`, { cause: error })
}
