/**
 * Pages with a version (bowline/session, bowline/exit-nodes). `after=N` holds the answer back until the page's version is another
 * than N, at most 30 s; a reader that goes away is forgotten at once.
 */
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'

interface VersionedPages {
  /** The page after version `after`; `cancel` forgets a reader that waits. */
  next(after: number | undefined): { readonly page: Promise<unknown>; readonly cancel: () => void }
}

export async function versionedPage(pages: VersionedPages, { query, response }: Call): Promise<Reply> {
  const after = query.get('after')
  const { page, cancel } = pages.next(after !== null && /^\d{1,16}$/.test(after) ? Number(after) : undefined)
  response.once('close', cancel)
  try {
    return json(await page)
  } finally {
    response.off('close', cancel)
  }
}
