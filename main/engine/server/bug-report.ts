/**
 * bugreport: a marker for the journal and the person alike. Nothing is sent anywhere; the marker says where in this
 * machine's own journal to look. With `record` a second marker comes when the caller ends its body.
 *
 *   BUG-<64 hex, the engine's life>-<UTC>Z-<16 hex>
 */
import { once } from 'node:events'
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

const MAX_NOTE = 512

export async function bugReport({ backend, query, request, response }: Call): Promise<Reply> {
  const record = query.get('record') === 'true'
  const first = backend.bugReport((query.get('note') ?? '').slice(0, MAX_NOTE), query.get('diagnose') === 'true')
  if (!record) return text(200, first)
  response.writeHead(200, { 'Content-Type': 'text/plain' })
  response.write(`${first}\n`)
  request.resume()
  await Promise.race([once(request, 'data'), once(request, 'end'), once(response, 'close')])
  response.end(`${backend.bugReport('the recording ends', false)}\n`)
  return { kind: 'streams' }
}
