/**
 * The map stream: one long request whose answer is the network map and its changes, and the small updates beside it.
 *
 * Frames are decompressed, parsed and checked here; merging state belongs to the stream, so every stream starts fresh.
 * One bad message ends the stream: what it would have changed is unknown, and a new stream tells all again.
 */
import type { Env } from '../base/env.ts'
import { EngineError, errorText, isDecodeError } from '../base/errors.ts'
import { nodeKey, type PrivateKey } from '../base/keys.ts'
import { Drops } from '../core/tailcfg/check.ts'
import { checkMapResponse } from '../core/tailcfg/check-map.ts'
import { MapFrames } from '../core/tailcfg/map-frames.ts'
import { CAPABILITY_VERSION, type MapRequest, type MapResponse } from '../core/tailcfg/types.ts'
import { readAll, type ControlConnection } from './connection.ts'
import { statusFailure } from './failure.ts'
import type { ControlWants, ZstdDecompress } from './ports.ts'

const MAX_MESSAGE_BYTES = 128 * 1024 * 1024
const MAX_ERROR_BYTES = 16 * 1024
const MAX_SLEEP_MS = 300_000
/** How long messages are read before timers and sockets get a turn. */
const MAX_TURN_MS = 8

/** The request of a stream or of an update: always with all that control is to know. */
export function mapRequest(key: PrivateKey, wants: ControlWants, mode: { stream: boolean; zstd: boolean }): MapRequest {
  return {
    Version: CAPABILITY_VERSION,
    NodeKey: nodeKey(key.publicBytes()),
    DiscoKey: wants.discoKey,
    Hostinfo: wants.hostinfo,
    Endpoints: wants.endpoints.map(({ addr }) => addr),
    EndpointTypes: wants.endpoints.map(({ type }) => type),
    ...(mode.stream ? { Stream: true, KeepAlive: true, Compress: mode.zstd ? 'zstd' : '' } : { OmitPeers: true }),
  }
}

export interface MapStreamOptions {
  readonly env: Env
  readonly connection: ControlConnection
  readonly zstd: ZstdDecompress | undefined
  readonly request: MapRequest
  readonly signal: AbortSignal
  /** Bytes came: something is alive at the other end. */
  onBytes(): void
  /** Must not throw. May answer how long to read nothing, in ms. */
  onMessage(message: MapResponse): void
  /** All messages that came together have been told. */
  onBatch(): void
  onSleep(sleepMs: number): void
}

/** Reads the stream until it ends; resolves at its clean end. Rejects with EngineError. */
export async function readMapStream(options: MapStreamOptions): Promise<void> {
  const { connection, request, signal, env } = options
  const response = await connection.post('/machine/map', request, [request.NodeKey], signal)
  if (response.status !== 200) {
    const text = await readAll(response, MAX_ERROR_BYTES)
    throw statusFailure('map', response.status, text, response.headers['retry-after'], env.clock.wallMs())
  }
  const frames = new MapFrames()
  // A stream that is full all the time must leave turns to everything else.
  let turnMs = env.clock.nowMs()
  for await (const chunk of response.body) {
    options.onBytes()
    const payloads = frames.handleBytes(chunk)
    if (isDecodeError(payloads)) throw badMessage('a frame of impossible length')
    for (const payload of payloads) {
      if (signal.aborted) return
      const sleepMs = handlePayload(payload, options)
      const isTurnOver = env.clock.nowMs() - turnMs >= MAX_TURN_MS
      if (sleepMs === 0 && !isTurnOver) continue
      options.onBatch()
      if (sleepMs > 0) {
        options.onSleep(sleepMs)
        await pause(sleepMs, options)
      } else await new Promise<void>((go) => env.clock.after(0, go))
      turnMs = env.clock.nowMs()
    }
    options.onBatch()
  }
}

function handlePayload(payload: Uint8Array, options: MapStreamOptions): number {
  if (payload.length === 0) return 0
  const drops = new Drops()
  const message = checkMapResponse(decode(payload, options), drops)
  if (isDecodeError(message)) throw badMessage(message.detail ?? message.reason)
  if (drops.count > 0) {
    options.env.log.warn('dropped ill-typed parts of a map message', { count: drops.count, where: drops.where.join(' ') })
    options.env.journal.add({
      part: 'control', kind: 'map-dropped', why: 'parts of a map message were not of their type', count: drops.count, where: drops.where,
    })
  }
  options.onMessage(message)
  const sleepSec = message.Debug?.SleepSeconds ?? 0
  return Math.min(MAX_SLEEP_MS, Math.max(0, sleepSec * 1000))
}

function decode(payload: Uint8Array, options: MapStreamOptions): unknown {
  try {
    const plain = options.request.Compress === 'zstd' && options.zstd ? options.zstd(payload, MAX_MESSAGE_BYTES) : payload
    return JSON.parse(new TextDecoder().decode(plain))
  } catch (error) {
    throw badMessage(errorText(error).slice(0, 60), error)
  }
}

function pause(sleepMs: number, options: MapStreamOptions): Promise<void> {
  return new Promise((resolve) => {
    const cancel = options.env.clock.after(sleepMs, resolve)
    options.signal.addEventListener('abort', () => {
      cancel()
      resolve()
    }, { once: true })
  })
}

function badMessage(why: string, cause?: unknown): EngineError {
  return new EngineError('control-bad-response', `the control server sent a map message that cannot be read (${why})`, { cause })
}

/** Sends one update beside the stream. Rejects with EngineError. */
export async function sendLiteUpdate(
  connection: ControlConnection, request: MapRequest, wallMs: number, signal: AbortSignal,
): Promise<void> {
  const response = await connection.post('/machine/map', request, [request.NodeKey], signal)
  const text = await readAll(response, MAX_ERROR_BYTES)
  if (response.status !== 200) throw statusFailure('update', response.status, text, response.headers['retry-after'], wallMs)
}
