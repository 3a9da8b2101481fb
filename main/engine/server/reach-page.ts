/**
 * bowline/reach: the ladder of one target, held back as any page with a version.
 */
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'
import { versionedPage } from './versioned-page.ts'

export async function reachPage(call: Call): Promise<Reply> {
  const target = call.query.get('target') ?? ''
  if (target === '') return text(400, "missing 'target' parameter")
  return versionedPage({ next: (after) => call.backend.reach.next(target, after) }, call)
}
