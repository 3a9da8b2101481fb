/**
 * bowline/reach: the ladder of one target, held back as any page with a version.
 */
import { EngineError } from '../base/errors.ts'
import type { Call } from './handlers.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'
import { versionedPage } from './versioned-page.ts'

export async function reachPage(call: Call): Promise<Reply> {
  const target = call.query.get('target') ?? ''
  if (target === '') return text(400, "missing 'target' parameter")
  try {
    return await versionedPage({ next: (after) => call.backend.reach.next(target, after) }, call)
  } catch (error) {
    // With its code, so that a window can say it in its own language.
    if (error instanceof EngineError && error.code === 'bad-argument') return json({ error: error.message, code: error.code }, 400)
    throw error
  }
}
