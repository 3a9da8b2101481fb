/**
 * bowline/exit-nodes: the page. `after=N` holds the answer back until its version is another than N, at most 30 s; a reader that
 * goes away is forgotten at once.
 */
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'

export async function exitNodes({ backend, query, response }: Call): Promise<Reply> {
  const after = query.get('after')
  const { page, cancel } = backend.exitNodes.next(after !== null && /^\d{1,16}$/.test(after) ? Number(after) : undefined)
  response.once('close', cancel)
  try {
    return json(await page)
  } finally {
    response.off('close', cancel)
  }
}
