/**
 * What time a server says it is, when its certificate cannot be believed because of the time. Nothing else of its answer
 * is looked at, and nothing is decided by it but the words for a person.
 */
import type { Socket } from 'node:net'
import type { DialOptions } from './dial.ts'
import { makeHttpFetch } from './http-fetch.ts'

/** Wall time by the Date header; undefined when there is none. Rejects when there is no answer. */
export async function peekDate(dialer: (options: DialOptions) => Promise<Socket>, url: string, timeoutMs: number, signal: AbortSignal): Promise<number | undefined> {
  const unverified = makeHttpFetch((options) => dialer({ ...options, ...(options.tls ? { tls: { servername: options.tls.servername, rejectUnauthorized: false } } : {}) }))
  const { headers } = await unverified({ method: 'HEAD', url, timeoutMs, maxBytes: 64 * 1024, signal })
  const atMs = Date.parse(headers['date'] ?? '')
  return Number.isFinite(atMs) ? atMs : undefined
}
