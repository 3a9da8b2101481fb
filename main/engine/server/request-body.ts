/**
 * Reading what a caller sends: capped in size, in time, and over all callers together, so that nobody's body holds memory
 * or a connection for long. What is refused is answered before the rest of it has come; the connection then ends.
 */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/env.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

/** Of one body: callers that may write, and others. */
const MAX_WRITER_BYTES = 4 * 1024 * 1024
const MAX_READER_BYTES = 64 * 1024
/** Of all bodies that are being read. */
const MAX_HELD_BYTES = 32 * 1024 * 1024
/** A whole body must be here by then. */
const BODY_MS = 10_000

export type Body = { readonly kind: 'body'; readonly text: string; readonly json: unknown } | { readonly kind: 'refused'; readonly reply: Reply }

const tooLarge: Body = { kind: 'refused', reply: text(413, 'the request body is too large') }

export class BodyReader {
  readonly #clock: Clock
  #heldBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Bytes of bodies that are being read now. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The whole body, parsed when it is JSON. Never rejects. */
  async read(request: IncomingMessage, mayWrite: boolean): Promise<Body> {
    const limit = mayWrite ? MAX_WRITER_BYTES : MAX_READER_BYTES
    if (Number(request.headers['content-length'] ?? 0) > limit) return tooLarge
    const chunks: Buffer[] = []
    let size = 0
    let late = false
    const stop = this.#clock.after(BODY_MS, () => {
      late = true
      request.emit('error', new Error('late'))
    })
    try {
      // Leaving the loop must not destroy the request: the answer goes out on the same connection.
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        const bytes = chunk as Buffer
        size += bytes.length
        this.#heldBytes += bytes.length
        if (size > limit) return tooLarge
        if (this.#heldBytes > MAX_HELD_BYTES) return { kind: 'refused', reply: text(503, 'too many requests at once') }
        chunks.push(bytes)
      }
    } catch {
      return { kind: 'refused', reply: late ? text(408, 'the request body took too long') : text(400, 'the request broke off') }
    } finally {
      stop()
      this.#heldBytes -= size
    }
    return parsed(Buffer.concat(chunks).toString('utf8'), isForm(request))
  }
}

function parsed(whole: string, form: boolean): Body {
  if (whole.trim() === '' || form) return { kind: 'body', text: whole, json: undefined }
  try {
    return { kind: 'body', text: whole, json: JSON.parse(whole) as unknown }
  } catch {
    return { kind: 'refused', reply: text(400, 'invalid JSON body') }
  }
}

function isForm(request: IncomingMessage): boolean {
  return (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
}

/** Query parameters, with those of a form body before them. */
export function formValues(query: string, request: IncomingMessage, body: string): URLSearchParams {
  const values = new URLSearchParams(isForm(request) ? body : '')
  for (const [name, value] of new URLSearchParams(query)) values.append(name, value)
  return values
}
