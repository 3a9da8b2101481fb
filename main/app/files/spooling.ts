/**
 * Gives the engine the content of files that it may not read itself, one after the other. Folders are not taken this way.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { LocalApiClient } from '../../client/local-api-client.ts'
import { METHODS } from '../../localapi/methods.ts'
import type { SendItem, SpoolResult } from '../../localapi/transfers.ts'
import { t } from '../../words/words.ts'

const READ_BYTES = 1024 * 1024

/** What to send then. Rejects with `not-supported` when a folder is among them. */
export async function spoolAll(client: LocalApiClient, paths: readonly string[]): Promise<readonly SendItem[]> {
  const items: SendItem[] = []
  for (const path of paths) {
    // Nothing that came into its place since it was looked at: no link is followed, and no pipe waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!(await file.stat()).isFile()) throw Object.assign(new Error(t('shell.files.noFolderHere')), { code: 'not-supported' })
      const { Spool } = (await client.upload({ method: 'PUT', path: METHODS.spool.path }, file.createReadStream({ highWaterMark: READ_BYTES, autoClose: false }))) as SpoolResult
      items.push({ Spool, Name: basename(path) })
    } finally {
      await file.close()
    }
  }
  return items
}
