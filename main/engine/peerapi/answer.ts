/**
 * Writes answers: whole ones with their length, others piece by piece at the caller's pace.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Answer } from './ports.ts'

export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

/** No page may show, keep or read an answer, whatever brought its browser here. */
const COMMON_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** An answer of one line. */
export function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
}

/** Writes an answer unless there is one already; what of the request is still to come is thrown away. Never rejects. */
export async function send(request: Request, response: Response, answer: Answer): Promise<void> {
  if (response.destroyed || response.headersSent) return
  response.statusCode = answer.status
  for (const [name, value] of Object.entries({ ...COMMON_HEADERS, ...answer.headers })) response.setHeader(name, value)
  if (!request.complete) {
    if (request.httpVersionMajor === 1) response.setHeader('connection', 'close')
    request.resume()
  }
  const { body } = answer
  if (typeof body === 'object' && Symbol.asyncIterator in body) return await pour(response, body)
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.setHeader('content-length', String(bytes.length))
  if (request.method === 'HEAD') response.end()
  else response.end(bytes)
}

async function pour(response: Response, pieces: AsyncIterable<string | Uint8Array>): Promise<void> {
  // Of its two kinds each writes alike, but not by the types.
  const out = response as ServerResponse
  const closed = once(out, 'close').catch(() => undefined)
  try {
    for await (const piece of pieces) {
      if (out.destroyed || out.closed) return
      if (!out.write(piece)) await Promise.race([once(out, 'drain').catch(() => undefined), closed])
    }
    out.end()
  } catch {
    out.destroy()
  }
}
