/**
 * Removes what was left partial long ago: of our naming, of this user, a regular file or a directory, and not in use.
 */
import type { Dir } from './dir.ts'
import type { Disk } from './disk.ts'
import { ownUid } from './partial.ts'

/** With the ID that servers give to devices: other programs have partial files as well ("film.mp4.partial"), which are not ours. */
const PARTIAL = /^.+\.(?:[1-9]\d*|n[\w%-]*\d[\w%-]*)\.partial$/s

/** `isBusy`: by the name in the folder. Never rejects for one that cannot be removed. */
export async function sweepPartials(disk: Disk, dir: Dir, beforeMs: number, isBusy: (partial: string) => boolean): Promise<void> {
  for (const name of await dir.names()) {
    if (!PARTIAL.test(name) || isBusy(name)) continue
    try {
      await removeOld(disk, dir, name, beforeMs, isBusy)
    } catch {
      // Another day.
    }
  }
}

async function removeOld(disk: Disk, dir: Dir, name: string, beforeMs: number, isBusy: (partial: string) => boolean): Promise<void> {
  const path = dir.found(name)
  const stat = await disk.lstat(path)
  const newest = stat.isDirectory() ? await newestBelow(disk, await dir.enter(name)) : stat.mtimeMs
  if (!(stat.isFile() || stat.isDirectory()) || stat.uid !== ownUid(stat.uid) || newest >= beforeMs || isBusy(name)) return
  if (stat.isFile()) await disk.unlink(path)
  // Links in it are removed, not followed.
  else await disk.rm(path, { recursive: true })
}

/** When something below was last written to. Closes the directory. */
async function newestBelow(disk: Disk, dir: Dir): Promise<number> {
  try {
    let newest = (await disk.lstat(dir.self)).mtimeMs
    for (const name of await dir.names()) {
      const stat = await disk.lstat(dir.found(name))
      newest = Math.max(newest, stat.isDirectory() ? await newestBelow(disk, await dir.enter(name)) : stat.mtimeMs)
    }
    return newest
  } finally {
    await dir.close()
  }
}
