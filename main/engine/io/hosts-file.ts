/**
 * Reads the system's hosts file, anew when it changed. One that is not there, or too large to be one, has no names.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseHostsFile, type HostsFile } from '../core/dns/hosts-file.ts'

const MAX_BYTES = 32 * 1024 * 1024

/** Where it is; `systemRoot`: folder of Windows, there alone. */
export function hostsPath(platform: NodeJS.Platform, systemRoot: string | undefined): string {
  return platform === 'win32' ? join(systemRoot ?? 'C:\\Windows', 'System32', 'drivers', 'etc', 'hosts') : '/etc/hosts'
}

/** Gives what the file says now; never throws. */
export function hostsReader(path: string): () => HostsFile {
  let stamp = ''
  let file: HostsFile = new Map()
  return () => {
    try {
      const { mtimeMs, size, ino } = statSync(path)
      const now = `${mtimeMs} ${size} ${ino}`
      if (now !== stamp) file = size > MAX_BYTES ? new Map() : parseHostsFile(readFileSync(path, 'utf8'))
      stamp = now
    } catch {
      stamp = ''
      file = new Map()
    }
    return file
  }
}
