/**
 * bowline/spool: the content of one thing to send, as it comes from the client, to the engine's own folder.
 */
import type { Call } from './handlers.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export async function spoolPut({ taildrop, request }: Call): Promise<Reply> {
  const length = request.headers['content-length']
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return text(400, 'invalid Content-Length')
  // Leaving early must not destroy the request: the answer goes out on the same connection.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
  const { id, size } = await taildrop.spool.put(chunks, length === undefined ? -1 : Number(length))
  return json({ Spool: id, Size: size })
}
