/**
 * Dials TCP and TLS: through a proxy where one is set for the connection, else straight to the first address that answers.
 * Everything ends at the timeout or the abort.
 *
 * What a proxy refuses stays refused: it speaks for the network. A proxy that cannot be reached at all is gone around, as on
 * a laptop that has left the office; when that fails too, the proxy is what is told.
 *
 * Rejects with EngineError: 'timeout', 'aborted', 'io' (its cause is Node's error with the system's code), CertificateError,
 * 'dns-…', 'proxy-…'.
 */
import { isIP, type Socket } from 'node:net'
import { EngineError, errorText } from '../base/errors.ts'
import { AddressRace } from './address-race.ts'
import { connectThrough } from './proxy-connect.ts'
import type { Proxy, ProxyChoice, ProxyTarget } from './proxy-rules.ts'
import type { Resolver } from './resolve.ts'
import type { Roots } from './roots.ts'
import { startTls, type TlsOptions } from './tls.ts'
import type { Wires } from './wires.ts'

/** How long a proxy may take to be reached before it counts as dead. */
const PROXY_CONNECT_MS = 5000

export interface DialOptions {
  /** Name or address, without brackets. */
  readonly host: string
  readonly port: number
  readonly tls?: TlsOptions
  /** The caller will start TLS itself: a proxy is chosen for that. */
  readonly forTls?: true
  /** For all of it: lookup, connection, TLS. */
  readonly timeoutMs: number
  /** For the connection alone, where no proxy stands between. */
  readonly connectTimeoutMs?: number
  /** Addresses to use in place of a lookup, or, with a family, before what a lookup tells of it. */
  readonly addresses?: readonly string[]
  /** Only this family, when the host is asked of DNS. */
  readonly family?: 4 | 6
  readonly signal?: AbortSignal
}

/** What dialling goes by beside its options. */
export interface DialWorld {
  readonly wires: Wires
  readonly resolver: Resolver
  /** Whom to trust for TLS; absent = the machine's roots. */
  readonly roots?: Roots
  /** Rejects with EngineError('proxy-bad-setting'). */
  readonly proxiesFor?: (target: ProxyTarget) => Promise<ProxyChoice>
  /** A connection goes by a proxy, or around one that is dead. */
  readonly onProxy?: (proxy: Proxy, host: string, how: 'used' | 'gone-around', why: string) => void
  /** A host has proved who it is, by its certificate, at this address. */
  readonly onReached?: (host: string, address: string) => void
}

/** Sockets whose other end is a proxy: their address is not the host's. */
const proxied = new WeakSet<object>()

/** The address of the host at the other end of a dialled stream; undefined when a proxy stands between. */
export function addressOf(stream: object): string | undefined {
  return proxied.has(stream) ? undefined : (stream as { remoteAddress?: string }).remoteAddress
}

/** A connected socket (a TLSSocket with `tls`), which the caller owns. */
export async function dial(options: DialOptions, world: DialWorld): Promise<Socket> {
  const limit = new AbortController()
  const late = (): void => limit.abort(new EngineError('timeout', `${options.host}:${options.port} did not answer in time`))
  const timer = setTimeout(late, options.timeoutMs)
  const abort = (): void => limit.abort(new EngineError('aborted', 'the connection attempt was called off'))
  if (options.signal?.aborted === true) abort()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    const socket = await dialWithin(options, world, limit.signal)
    const address = addressOf(socket)
    if (options.tls?.rejectUnauthorized === true && address !== undefined) world.onReached?.(options.host, address)
    return socket
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', abort)
  }
}

async function dialWithin(options: DialOptions, world: DialWorld, signal: AbortSignal): Promise<Socket> {
  const { host, port, tls, forTls } = options
  const choice = await world.proxiesFor?.({ host, port, tls: tls !== undefined || forTls === true })
  signal.throwIfAborted()
  const plain = choice && choice.proxies.length > 0 ? await byProxy(choice, options, world, signal) : await straight(options, world, signal)
  const socket = tls ? await secured(plain, tls, options, world, signal) : plain
  if (proxied.has(plain)) proxied.add(socket)
  return socket
}

async function straight(options: DialOptions, world: DialWorld, signal: AbortSignal): Promise<Socket> {
  const { host, port, addresses = [], family, connectTimeoutMs } = options
  const done = new AbortController()
  const late = connectTimeoutMs === undefined ? undefined : setTimeout(() => done.abort(new EngineError('timeout', `${host}:${port} cannot be reached in time`)), connectTimeoutMs)
  const race = new AddressRace(world.wires, port, AbortSignal.any([signal, done.signal]))
  race.add(addresses)
  if (addresses.length > 0 && family === undefined) race.end()
  else {
    const find = { signal: done.signal, ...(family === undefined ? {} : { family }) }
    world.resolver.find(host, find, (found) => race.add(found)).then(() => race.end(), (error: unknown) => race.end(error))
  }
  try {
    const socket = await race.winner
    socket.setNoDelay(true)
    return socket
  } catch (error) {
    throw wrap(error, options)
  } finally {
    clearTimeout(late)
    done.abort()
  }
}

async function secured(socket: Socket, tls: TlsOptions, at: { host: string; port: number }, world: DialWorld, signal: AbortSignal): Promise<Socket> {
  const giveUp = (): void => void socket.destroy()
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  try {
    return await startTls(socket, tls, world.roots)
  } catch (error) {
    throw signal.aborted ? signal.reason : wrap(error, at)
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

async function byProxy({ proxies, why }: ProxyChoice, options: DialOptions, world: DialWorld, signal: AbortSignal): Promise<Socket> {
  let reached: { proxy: Proxy; socket: Socket } | undefined
  let fault: EngineError | undefined
  for (const proxy of proxies) {
    try {
      reached = { proxy, socket: await toProxy(proxy, options.timeoutMs, world, signal) }
      break
    } catch (error) {
      if (signal.aborted) throw error
      fault ??= new EngineError('proxy-unreachable', `the proxy ${proxy.name} cannot be reached (${reason(error)}). Check the proxy setting, or whether the proxy runs`, { cause: error })
    }
  }
  if (!reached) return around(proxies[0]!, fault!, options, world, signal)
  const { proxy, socket } = reached
  try {
    await connectThrough(socket, proxy, { host: options.host, port: options.port, tls: options.tls !== undefined || options.forTls === true }, signal)
  } catch (error) {
    socket.destroy()
    if (!(error instanceof EngineError) || error.code !== 'timeout') throw error
    throw new EngineError('proxy-unreachable', `the proxy ${proxy.name} does not answer. Ask whoever runs it, or check the proxy setting`, { cause: error })
  }
  proxied.add(socket)
  world.onProxy?.(proxy, options.host, 'used', why)
  return socket
}

/** Without the proxy that cannot be reached; when that fails too, the proxy's fault is what is told. */
async function around(proxy: Proxy, fault: EngineError, options: DialOptions, world: DialWorld, signal: AbortSignal): Promise<Socket> {
  try {
    const socket = await straight(options, world, signal)
    world.onProxy?.(proxy, options.host, 'gone-around', fault.message)
    return socket
  } catch {
    throw fault
  }
}

/** A connection to the proxy itself, over TLS when it wants it. */
async function toProxy(proxy: Proxy, timeoutMs: number, world: DialWorld, parent: AbortSignal): Promise<Socket> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new EngineError('timeout', 'it does not answer')), Math.min(PROXY_CONNECT_MS, timeoutMs / 2))
  const signal = AbortSignal.any([limit.signal, parent])
  const at = { host: proxy.host, port: proxy.port }
  try {
    const socket = await straight({ ...at, timeoutMs }, world, signal)
    return proxy.kind === 'https' ? await secured(socket, { servername: proxy.host, rejectUnauthorized: true }, at, world, signal) : socket
  } finally {
    clearTimeout(timer)
  }
}

function reason(error: unknown): string {
  const cause = error instanceof EngineError && error.code === 'io' ? error.cause : error
  return errorText(cause)
}

function wrap(error: unknown, at: { host: string; port: number }): EngineError {
  if (error instanceof EngineError) return error
  const host = isIP(at.host) === 6 ? `[${at.host}]` : at.host
  return new EngineError('io', `${host}:${at.port}: ${errorText(error)}`, { cause: error })
}
