/**
 * The one connection to a control server: dialled when needed, shared by all requests, thrown away when it is spent.
 * Holds the server's key, and remembers the last dial, which decides whether port 80 is tried again.
 */
import type { Env } from '../base/env.ts'
import { equal } from '../base/bytes.ts'
import { EngineError, errorText } from '../base/errors.ts'
import type { PrivateKey } from '../base/keys.ts'
import type { ControlDialPlan } from '../core/tailcfg/types.ts'
import { fetchServerKey, isOutOfDate } from './server-key.ts'
import type { ControlDeps, Http2, Http2Response } from './ports.ts'
import { dialTs2021 } from './ts2021.ts'

/** A second dial so soon says that the first connection did not last: perhaps port 80 is tampered with. */
const RECENT_DIAL_MS = 120_000

export class ControlConnection {
  readonly url: URL
  readonly #deps: ControlDeps
  readonly #env: Env
  readonly #machineKey: PrivateKey
  #serverKey: Uint8Array | undefined
  #http2: Http2 | undefined
  #lastDialMs: number | undefined
  dialPlan: ControlDialPlan | undefined

  constructor(deps: ControlDeps, url: URL, machineKey: PrivateKey) {
    this.#deps = deps
    this.#env = deps.env
    this.url = url
    this.#machineKey = machineKey
  }

  /** Whether this is the way to that server with that machine key. */
  fits(url: URL, machineKey: PrivateKey): boolean {
    return this.url.href === url.href && equal(this.#machineKey.publicBytes(), machineKey.publicBytes())
  }

  /** Asks the server for its key and answers whether it is another one than before, in this run or an earlier one. Rejects with EngineError. */
  async fetchServerKey(signal: AbortSignal): Promise<boolean> {
    const before = this.#serverKey ?? this.#deps.keptKeys?.load(this.url.origin)
    const key = await this.#freshOrKeptKey(signal)
    this.#serverKey = key
    return before !== undefined && !equal(before, key)
  }

  /** A certificate that is out of date, or a clock that is wrong, takes nothing from a key that was vouched for before. */
  async #freshOrKeptKey(signal: AbortSignal): Promise<Uint8Array> {
    const { keptKeys } = this.#deps
    try {
      const key = await fetchServerKey(this.#deps, this.url, signal)
      keptKeys?.keep(this.url.origin, key)
      return key
    } catch (error) {
      const kept = this.url.protocol === 'https:' && isOutOfDate(error) ? keptKeys?.load(this.url.origin) : undefined
      if (!kept) throw error
      const why = `the server's key from before is used: ${errorText(error)}`
      this.#env.journal.add({ part: 'control', kind: 'kept-key', why, host: this.url.host })
      this.#env.log.warn(why)
      return kept
    }
  }

  /** Makes sure that there is a usable connection. Rejects with EngineError. */
  async connect(signal: AbortSignal): Promise<void> {
    if (this.#http2?.usable === true) return
    this.disconnect()
    if (!this.#serverKey) throw new EngineError('control-key-mismatch', 'the key of the control server is not known')
    const nowMs = this.#env.clock.nowMs()
    const onlySecure = this.#lastDialMs !== undefined && nowMs - this.#lastDialMs < RECENT_DIAL_MS
    this.#lastDialMs = nowMs
    const stream = await dialTs2021({
      env: this.#env,
      dial: this.#deps.dial,
      noteReached: this.#deps.noteReached,
      url: this.url,
      machineKey: this.#machineKey.bytes(),
      serverKey: this.#serverKey,
      onlySecure,
      dialPlan: this.dialPlan,
      signal,
    })
    const http2 = this.#deps.http2(stream, this.url.host)
    this.#http2 = http2
    this.#env.journal.add({ part: 'control', kind: 'connected', host: this.url.host })
  }

  /** POSTs JSON over the connection. Rejects with EngineError when there is none or it breaks before the answer's head. */
  post(path: string, body: unknown, nodeKeys: readonly string[], signal: AbortSignal): Promise<Http2Response> {
    const bytes = new TextEncoder().encode(JSON.stringify(body))
    return this.send('POST', path, bytes, { 'content-type': 'application/json', 'ts-lb': nodeKeys.join(', ') }, signal)
  }

  send(
    method: 'HEAD' | 'POST', path: string, body: Uint8Array | undefined, headers: Readonly<Record<string, string>>, signal: AbortSignal,
  ): Promise<Http2Response> {
    if (!this.#http2) return Promise.reject(new EngineError('io', 'there is no control connection'))
    return this.#http2.request({ method, path, headers, signal, ...(body ? { body } : {}) })
  }

  /** Proves that the server is still there, for requests whose answer may take minutes. */
  ping(timeoutMs: number): Promise<number> {
    return this.#http2 ? this.#http2.ping(timeoutMs) : Promise.reject(new EngineError('io', 'there is no control connection'))
  }

  disconnect(): void {
    this.#http2?.close()
    this.#http2 = undefined
  }
}

/** All bytes of an answer, at most `maxBytes`. */
export async function readAll(response: Http2Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > maxBytes) {
      response.body.destroy()
      throw new EngineError('control-bad-response', `the control server's answer is longer than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
