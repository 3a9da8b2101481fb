/**
 * Whether somebody other than root could change what a path leads to: then a service must not run it. Every folder on the way counts, links
 * are followed, and homes are no place for it whoever owns them.
 */
import { lstatSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'

/** Folders of the system that are there when it starts, and belong to nobody. */
const SYSTEM_FOLDERS = ['/usr/', '/opt/', '/bin/', '/sbin/', '/lib/', '/lib64/', '/nix/store/', '/gnu/store/']

/** Why that path is not safe to be run by root, as a clause; undefined = it is. Throws nothing: what cannot be looked at is not safe. */
export function whyReplaceable(path: string, { systemFolders = SYSTEM_FOLDERS, owner = 0 }: { systemFolders?: readonly string[]; owner?: number } = {}): string | undefined {
  let real: string
  try {
    real = realpathSync(path)
  } catch {
    return `${path} is not there`
  }
  if (!systemFolders.some((folder) => real.startsWith(folder))) return `${real} is in no folder of the system`
  for (let at = real; ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at)
    if (uid !== owner) return `${at} does not belong to root`
    if ((mode & 0o022) !== 0) return `others may write to ${at}`
    if (at === dirname(at)) return undefined
  }
}
