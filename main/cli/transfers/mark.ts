/**
 * The system's mark of files that came from elsewhere, where a program can set it without rights of its own: macOS asks before such a
 * file is opened as a program, Windows too. On Linux it takes the engine's add-on, which commands do without.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'

const PROGRAM_MS = 5_000

/** Marks a file that is being written; a disk that keeps no marks is no failure. */
export async function markFromInternet(path: string): Promise<void> {
  if (process.platform === 'win32') await writeFile(`${path}:Zone.Identifier`, '[ZoneTransfer]\r\nZoneId=3\r\n').catch(() => undefined)
  if (process.platform !== 'darwin') return
  const value = `0081;${Math.floor(Date.now() / 1_000).toString(16)};Bowline;`
  await new Promise<void>((resolve) => void execFile('/usr/bin/xattr', ['-w', 'com.apple.quarantine', value, path], { timeout: PROGRAM_MS }, () => resolve()))
}
