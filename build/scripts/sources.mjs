/**
 * When was the TypeScript of the engine last touched? Used to tell a fresh bundle from a stale one.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root folder, with a closing slash. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Newest modification time in ms among the .ts files below a folder. */
export function newestSourceMs(folder) {
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) newest = Math.max(newest, newestSourceMs(path))
    else if (entry.name.endsWith('.ts')) newest = Math.max(newest, statSync(path).mtimeMs)
  }
  return newest
}
