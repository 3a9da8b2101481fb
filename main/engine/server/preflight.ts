/**
 * bowline/preflight: POST begins a look at a server, GET reads its page (`run=ID`, `after=N` holds the answer back until there is
 * another one), and bowline/join does what the link of a run asks for.
 */
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'
import { versionedPage } from './versioned-page.ts'

export function beginPreflight({ backend, body }: Call): Reply {
  return json(backend.preflights.begin(body))
}

export function preflightPage(call: Call): Promise<Reply> {
  return versionedPage({ next: (after) => call.backend.preflights.next(call.query.get('run') ?? '', after) }, call)
}

export function joinByLink({ backend, body }: Call): Reply {
  return json(backend.preflights.join(body))
}
