/**
 * What a request that brings a file says of itself. Pure.
 *
 *   Range           bytes=N- : go on at byte N; anything else is refused, several of them too
 *   Content-Length  of what comes now; absent when it comes in chunks
 *   Bowline-Size    of the whole, from another Bowline
 *
 * Source: dataplane facts §8.3; RFC 9110 §14.
 */
import { BATCH_HEADER, isBatch, parseSize, SIZE_HEADER } from './wire.ts'

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

export interface PutRequest {
  readonly offset: number
  /** Bytes of the whole; -1 unknown. */
  readonly size: number
  /** The offer that another Bowline made before; undefined for stock clients. */
  readonly batch: string | undefined
}

/** Reads a request's headers. Lengths that contradict each other are a `bad-request`. */
export function readPutRequest(headers: Headers): PutRequest | 'bad-range' | 'bad-request' {
  const range = headers['range']
  const offset = range === undefined || range === '' ? 0 : offsetOf(range)
  if (offset === undefined) return 'bad-range'
  const { [BATCH_HEADER]: batch, [SIZE_HEADER]: said, 'content-length': length } = headers
  if (batch !== undefined && !isBatch(batch)) return 'bad-request'
  const whole = said === undefined ? -1 : sizeOf(said)
  const rest = length === undefined ? -1 : sizeOf(length)
  if (whole === undefined || rest === undefined) return 'bad-request'
  const byLength = rest < 0 ? -1 : offset + rest
  if (!Number.isSafeInteger(byLength) || (whole >= 0 && byLength >= 0 && whole !== byLength) || (whole >= 0 && offset > whole)) return 'bad-request'
  return { offset, size: whole >= 0 ? whole : byLength, batch }
}

function offsetOf(range: string | readonly string[]): number | undefined {
  if (typeof range !== 'string') return undefined
  const [, digits] = /^[ \t]*bytes=[, \t]*(\d{1,16})-[ \t]*$/.exec(range) ?? []
  return digits === undefined ? undefined : parseSize(digits)
}

function sizeOf(value: string | readonly string[]): number | undefined {
  return typeof value === 'string' ? parseSize(value) : undefined
}
