/**
 * A file that a browser's page hands over, streamed into the engine's spool: it is never whole in memory, and how much there may be is the
 * engine's to say. A page that stops in between is let go after a while, and the engine with it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { Answer } from '../../preload/contract.ts'
import { answered } from './requests.ts'

/** The page sends one after the other; more than a few windows at once is no person. */
const AT_ONCE = 8
const STALL_MS = 60_000
/** A browser reads an answer only when it has sent its whole body: so much longer it may send after a refusal. */
const DRAIN_MS = 60_000

const BUSY: Answer<never> = { ok: false, code: 'busy', message: 'Too many files are handed over at once. Try again.' }

export class SpoolUpload {
  readonly #client: LocalApiClient
  #running = 0

  constructor(client: LocalApiClient) {
    this.#client = client
  }

  /** Takes the request's body and answers as requests are answered; `refusal` when it may not be taken. */
  async take(req: IncomingMessage, res: ServerResponse, refusal: Answer<never> | undefined): Promise<void> {
    req.setTimeout(STALL_MS, () => req.destroy())
    const answer = refusal ?? (this.#running >= AT_ONCE ? BUSY : await this.#pass(req))
    if (!req.complete && !req.destroyed) {
      req.resume()
      const timer = setTimeout(() => req.destroy(), DRAIN_MS)
      req.once('close', () => clearTimeout(timer))
    }
    if (res.destroyed) return
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify(answer))
  }

  async #pass(req: IncomingMessage): Promise<Answer<unknown>> {
    const length = req.headers['content-length']
    this.#running++
    try {
      return await answered(() => this.#client.upload({ method: 'PUT', path: METHODS.spool.path, ...(length === undefined ? {} : { headers: { 'content-length': length } }) }, req))
    } finally {
      this.#running--
    }
  }
}
