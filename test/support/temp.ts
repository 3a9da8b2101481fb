/**
 * Temporary folders for tests. Paths are kept short: a Unix socket's path may have 107 bytes only.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes a new empty folder that others may enter (mode 0755), so that tests can act as another user. */
export function makeTempDir(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `bwl-${name}-`))
  chmodSync(folder, 0o755)
  return folder
}

/** Removes a folder made by makeTempDir with all that is in it. */
export function removeTempDir(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
