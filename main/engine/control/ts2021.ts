/**
 * Dials the control server's Noise connection: TCP or TLS, HTTP/1.1 upgrade, handshake, and hands back the byte stream
 * for HTTP/2. Several ports may race; the first finished handshake wins.
 *
 *   POST /ts2021, Upgrade: tailscale-control-protocol, X-Tailscale-Handshake: base64 of the initiation
 *   101, then the Noise response in the same stream
 *
 * TLS certificates are not verified here: Noise proves the server's key. Source: tailscale control/controlhttp/client.go.
 */
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { Initiator } from '../core/noise/initiator.ts'
import { TransportCodec } from '../core/noise/transport.ts'
import { CAPABILITY_VERSION, type ControlDialPlan } from '../core/tailcfg/types.ts'
import { controlCandidates, hostOf, planCandidates, type Candidate } from './candidates.ts'
import { deadline } from './deadline.ts'
import { ControlAnswer, failureOf, statusFailure } from './failure.ts'
import { NoiseStream } from './noise-stream.ts'
import type { Dial } from './ports.ts'

const PROTOCOL = 'tailscale-control-protocol'
const MAX_REFUSAL_BYTES = 4096

export interface Ts2021Options {
  readonly env: Env
  readonly dial: Dial
  readonly noteReached?: ((host: string, stream: Duplex) => void) | undefined
  readonly url: URL
  /** 32 B private key, borrowed. */
  readonly machineKey: Uint8Array
  readonly serverKey: Uint8Array
  readonly onlySecure: boolean
  readonly dialPlan: ControlDialPlan | undefined
  readonly signal: AbortSignal
}

/** The stream inside a fresh control connection, which the caller owns. Rejects with EngineError. */
export async function dialTs2021(options: Ts2021Options): Promise<NoiseStream> {
  const planned = planCandidates(options.dialPlan, options.url)
  if (planned.length > 0) {
    try {
      return await race(planned, options)
    } catch (error) {
      options.env.log.debug('the dial plan did not work', { why: failureOf(error, options.url.host).message })
    }
  }
  return race(controlCandidates(options.url, options.onlySecure), options)
}

/** Starts candidates by their delays, the next one at once when all before have failed; the losers are called off. */
async function race(candidates: readonly Candidate[], options: Ts2021Options): Promise<NoiseStream> {
  const losers = new AbortController()
  const signal = AbortSignal.any([losers.signal, options.signal])
  const clock = options.env.clock
  const startMs = clock.nowMs()
  let wake = (): void => {}
  let failed = 0
  const errors: unknown[] = []
  const attempt = async (candidate: Candidate, index: number): Promise<NoiseStream> => {
    while (failed < index && !signal.aborted) {
      const waitMs = startMs + candidate.delayMs - clock.nowMs()
      if (waitMs <= 0) break
      const before = wake
      await new Promise<void>((resolve) => {
        const cancel = clock.after(waitMs, resolve)
        wake = () => {
          before()
          cancel()
          resolve()
        }
      })
    }
    return connect(candidate, options, signal)
  }
  const attempts = candidates.map((candidate, index) =>
    attempt(candidate, index).then((stream) => {
      if (!signal.aborted) return stream
      stream.destroy()
      throw new EngineError('aborted', 'another connection was faster')
    }).catch((why: unknown) => {
      errors[index] = why
      failed++
      wake()
      throw why
    }))
  options.signal.addEventListener('abort', () => wake(), { once: true })
  try {
    return await Promise.any(attempts)
  } catch {
    // What the URL itself names tells most; the other port is only a guess.
    const named = candidates.findIndex(({ secure }) => secure === (options.url.protocol === 'https:'))
    throw errors[Math.max(0, named)]
  } finally {
    losers.abort()
    wake()
  }
}

async function connect(candidate: Candidate, options: Ts2021Options, signal: AbortSignal): Promise<NoiseStream> {
  if (signal.aborted) throw new EngineError('aborted', 'the connection attempt was called off')
  const host = hostOf(options.url)
  const limit = deadline(options.env.clock, candidate.timeoutMs, signal)
  const socket = await options.dial({
    host,
    port: candidate.port,
    timeoutMs: candidate.timeoutMs,
    signal: limit.signal,
    ...(candidate.address === undefined ? {} : { addresses: [candidate.address] }),
    ...(candidate.secure ? { tls: { servername: host, rejectUnauthorized: false } } : {}),
  }).catch((error: unknown) => {
    limit.done()
    throw error
  })
  // Whoever waits hears of an error by its own listener; one that comes between two waits must not be unheard.
  socket.on('error', () => {})
  if (socket instanceof TLSSocket && !socket.authorized) {
    const why = String(socket.authorizationError)
    options.env.log.debug('the certificate of the control connection is not verified, its Noise key is', { why })
  }
  const giveUp = (): void => void socket.destroy(limit.signal.reason as Error)
  limit.signal.addEventListener('abort', giveUp, { once: true })
  if (limit.signal.aborted) giveUp()
  try {
    const stream = await handshake(socket, options)
    options.noteReached?.(host, socket)
    return stream
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    limit.signal.removeEventListener('abort', giveUp)
    limit.done()
  }
}

async function handshake(socket: Duplex, options: Ts2021Options): Promise<NoiseStream> {
  const initiator = new Initiator({
    version: CAPABILITY_VERSION,
    machineKey: options.machineKey,
    serverKey: options.serverKey,
    random32: options.env.random.bytes(32),
  })
  const initiation = initiator.initiation()
  if (!initiation) throw new EngineError('control-bad-response', "the control server's key is not a usable key")
  const head = await upgrade(socket, options, initiation)
  return finish(socket, initiator, head, options)
}

/** Sends the upgrade and resolves with the bytes that came behind the 101. */
function upgrade(socket: Duplex, options: Ts2021Options, initiation: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method: 'POST',
      path: '/ts2021',
      headers: {
        Host: options.url.host,
        Upgrade: PROTOCOL,
        Connection: 'upgrade',
        'X-Tailscale-Handshake': Buffer.from(initiation).toString('base64'),
        'Content-Length': '0',
      },
      createConnection: () => socket,
    })
    request.on('error', reject)
    request.on('upgrade', (response, _socket, head) => {
      if (response.headers.upgrade !== PROTOCOL) return reject(noControl(options.url.host, 'it switched to another protocol'))
      resolve(head)
    })
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_REFUSAL_BYTES) response.destroy()
      })
      response.on('close', () => reject(refusal(options, response.statusCode ?? 0, text, response.headers['retry-after'])))
      response.on('error', () => {})
    })
    request.end()
  })
}

function refusal(options: Ts2021Options, status: number, text: string, retryAfter: string | undefined): EngineError {
  if (status === 429) return statusFailure('connect', status, text, retryAfter, options.env.clock.wallMs())
  const said = printable(text)
  const why = `it answered HTTP ${status}${said === '' ? '' : ` (${said})`}; a proxy on the way may not let the upgrade through`
  // A gateway that finds nothing behind it will, once the server is back.
  return noControl(options.url.host, why, status >= 502 && status <= 504 ? status : undefined)
}

function noControl(host: string, why: string, status?: number): ControlAnswer {
  const failure = { code: 'control-bad-response', message: `no control connection to ${host}: ${why}` } as const
  return new ControlAnswer(status === undefined ? failure : { ...failure, status })
}

/** Reads the Noise response and makes the stream. */
function finish(socket: Duplex, initiator: Initiator, head: Uint8Array, options: Ts2021Options): Promise<NoiseStream> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.off('data', onData)
      socket.off('end', onEnd)
      socket.off('close', onEnd)
      socket.off('error', onError)
      socket.pause()
    }
    const fail = (error: unknown): void => {
      stop()
      reject(error)
    }
    const onError = (error: Error): void => fail(error)
    const onEnd = (): void => fail(new ControlAnswer({
      code: 'control-version',
      message: `${options.url.host} closed the connection during the handshake: `
        + 'it does not accept this client version, or is not the server whose key was fetched',
    }))
    const onData = (chunk: Uint8Array): void => {
      const result = initiator.handleBytes(chunk)
      if (result.kind === 'more') return
      if (result.kind !== 'done') return fail(mismatch(options.url.host, result.kind === 'refused' ? result.text : result.reason))
      stop()
      const codec = new TransportCodec(result.sendKey, result.receiveKey)
      resolve(new NoiseStream(socket, codec, result.rest, (json) => options.env.log.debug('early payload', { bytes: json.length })))
    }
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', onEnd)
    socket.on('error', onError)
    if (head.length > 0) onData(head)
  })
}

function mismatch(host: string, said: string): ControlAnswer {
  return new ControlAnswer({
    code: 'control-key-mismatch',
    message: `${host} did not prove to be the server whose key was fetched (a proxy on the way?); `
      + `it said, unverified: "${printable(said)}"`,
  })
}
