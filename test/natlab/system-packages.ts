/**
 * Real daemons of the system for tests: Debian packages, unpacked into a cache folder and never installed, so that the machine's own names
 * stay as they are. `undefined` where there is no apt, no network or no such package: whoever needs it says that it was not seen.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run } from '../support/child.ts'

const CACHE = join(homedir(), '.cache/bowline-test/system-packages')

/** Folder with the files of some packages, as they would lie below /. */
export async function systemPackages(...names: readonly string[]): Promise<string | undefined> {
  const folder = join(CACHE, names.join('+'))
  if (existsSync(folder)) return folder
  mkdirSync(CACHE, { recursive: true })
  const fresh = mkdtempSync(join(CACHE, 'fresh-'))
  const root = join(fresh, 'root')
  mkdirSync(root)
  try {
    const download = ['sh', '-c', `cd '${fresh}' && apt-get download -qq ${names.join(' ')}`] as const
    if ((await run(download[0], download.slice(1))).code !== 0) {
      await run('apt-get', ['update', '-qq'])
      if ((await run(download[0], download.slice(1))).code !== 0) return undefined
    }
    for (const deb of readdirSync(fresh).filter((name) => name.endsWith('.deb'))) if ((await run('dpkg', ['-x', join(fresh, deb), root])).code !== 0) return undefined
    // Another test may have been as fast.
    if (!existsSync(folder)) renameSync(root, folder)
    return folder
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}
