/**
 * /etc/resolv.conf on the disk: ours put in place of what was there, and that put back just as it was.
 *
 *   by name      what was there keeps its inode under the name of the backup (bytes, mode, owner, label, or the link that it was), and a
 *                new file takes its name; putting back is one rename. There is no moment without a resolv.conf.
 *   in place     where the file is mounted by itself (containers) or its folder cannot be written: bytes into the file, a copy as backup
 *   by link      a program that leaves links of others alone owns it: the name becomes a link to a file of ours beside it
 *
 * A backup of another's text is never overwritten by a text with our mark.
 */
import {
  closeSync, fsyncSync, ftruncateSync, linkSync, lstatSync, mkdirSync, openSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync, unlinkSync, writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '../../base/errors.ts'
import { OUR_MARK } from './resolv-conf.ts'

const MAX_FILE = 1 << 20

export interface ResolvPaths {
  readonly conf: string
  readonly backup: string
  /** Where `backup` cannot be written. */
  readonly spareBackup: string
  /** The file that a link of ours leads to. */
  readonly linked: string
  readonly mounts: string
}

export function resolvPaths(root = ''): ResolvPaths {
  return {
    conf: `${root}/etc/resolv.conf`, backup: `${root}/etc/resolv.pre-bowline-backup.conf`, spareBackup: `${root}/run/bowline/resolv.pre-bowline-backup.conf`,
    linked: `${root}/etc/resolv.bowline.conf`, mounts: '/proc/self/mountinfo',
  }
}

/** A file's bytes as Latin-1, the link that it is; undefined: there is none, or no more than a link to nothing. */
export interface Seen {
  readonly text: string | undefined
  readonly link: string | undefined
}

export class ResolvFile {
  readonly paths: ResolvPaths
  readonly #byLink: boolean

  constructor(paths: ResolvPaths, byLink = false) {
    this.paths = paths
    this.#byLink = byLink
  }

  /** What is at a place now; what cannot be read is as if it were not there. */
  look(path = this.paths.conf): Seen {
    return { text: readText(path), link: linkAt(path) }
  }

  /** Whether what is there is a file of ours, changed by others or not. */
  isOurs(): boolean {
    const { text, link } = this.look()
    return link === this.paths.linked || (link === undefined && text !== undefined && text.startsWith(OUR_MARK))
  }

  /** Where what was there before us is kept; undefined: nothing was. */
  kept(): string | undefined {
    return [this.paths.backup, this.paths.spareBackup].find((path) => exists(path))
  }

  /** Whether just this text is in force. */
  holds(text: string): boolean {
    const seen = this.look()
    return seen.text === text && (this.#byLink ? seen.link === this.paths.linked : seen.link === undefined)
  }

  /** Puts a text of ours in force; what another put there becomes what is put back. Rejects by throwing EngineError. */
  put(text: string): void {
    if (this.holds(text)) return
    try {
      const isOurs = this.isOurs()
      if (this.#isMounted()) this.#putInPlace(text, isOurs)
      else this.#putByName(text, isOurs)
    } catch (error) {
      throw faultOf(error, this.paths.conf)
    }
  }

  /** What was there before; what another wrote meanwhile stays, and only the backup goes. True: there was something of ours. */
  restore(): boolean {
    const kept = this.kept()
    const isOurs = this.isOurs()
    try {
      if (isOurs) this.#putBack(kept)
      else if (kept !== undefined) unlinkSync(kept)
      remove(this.paths.backup)
      remove(this.paths.spareBackup)
      if (linkAt(this.paths.conf) !== this.paths.linked) remove(this.paths.linked)
    } catch (error) {
      throw faultOf(error, this.paths.conf)
    }
    return isOurs || kept !== undefined
  }

  /** A text in place of what is there, of which nothing is kept. */
  replace(text: string): void {
    if (this.look().text === text) return
    const fresh = `${this.paths.conf}.bowline-new`
    try {
      remove(fresh)
      writeFresh(fresh, text)
      renameSync(fresh, this.paths.conf)
    } catch (error) {
      throw faultOf(error, this.paths.conf)
    }
  }

  #putByName(text: string, isOurs: boolean): void {
    const { conf, backup, linked } = this.paths
    const fresh = `${conf}.bowline-new`
    remove(fresh)
    try {
      if (this.#byLink) {
        writeFresh(`${linked}.new`, text)
        renameSync(`${linked}.new`, linked)
        if (isOurs && linkAt(conf) === linked) return
        symlinkSync(linked, fresh)
      } else writeFresh(fresh, text)
      if (!isOurs) keepByName(conf, backup)
      renameSync(fresh, conf)
    } catch (error) {
      remove(fresh)
      remove(`${linked}.new`)
      // The folder is read-only, or the system moves no names here; the file itself may be writable all the same.
      if (!['EBUSY', 'EXDEV', 'EROFS', 'EACCES', 'EPERM'].includes(codeOf(error))) throw error
      this.#putInPlace(text, isOurs)
    }
  }

  #putInPlace(text: string, isOurs: boolean): void {
    const { conf, backup, spareBackup } = this.paths
    if (!isOurs) {
      const bytes = readText(conf)
      if (bytes !== undefined) {
        // Another name of the same file would change with it.
        remove(backup)
        try {
          writeFresh(backup, bytes)
        } catch {
          mkdirSync(dirname(spareBackup), { recursive: true, mode: 0o755 })
          remove(spareBackup)
          writeFresh(spareBackup, bytes)
        }
      }
    }
    try {
      overwrite(conf, text)
    } catch (error) {
      if (!isOurs) {
        remove(backup)
        remove(spareBackup)
      }
      throw error
    }
  }

  #putBack(kept: string | undefined): void {
    const { conf } = this.paths
    if (kept === undefined) {
      // There was none before us; a mounted one cannot go away.
      if (this.#isMounted()) overwrite(conf, '')
      else unlinkSync(conf)
      return
    }
    try {
      if (this.#isMounted()) throw Object.assign(new Error('mounted'), { code: 'EBUSY' })
      renameSync(kept, conf)
    } catch (error) {
      if (!['EBUSY', 'EXDEV', 'EROFS', 'EACCES', 'EPERM'].includes(codeOf(error))) throw error
      overwrite(conf, readText(kept) ?? '')
      unlinkSync(kept)
    }
  }

  #isMounted(): boolean {
    const mounts = readText(this.paths.mounts) ?? ''
    return mounts.split('\n').some((line) => line.split(' ')[4] === this.paths.conf)
  }
}

/** Another name for what is there, so that the first is never missing; by moving it where a file has one name only. */
function keepByName(conf: string, backup: string): void {
  const fresh = `${backup}.new`
  remove(fresh)
  try {
    linkSync(conf, fresh)
  } catch (error) {
    // Somebody took it away, perhaps for a moment: what was there before is still what was there last.
    if (codeOf(error) === 'ENOENT') return
    renameSync(conf, backup)
    return
  }
  renameSync(fresh, backup)
  // Two names of one file stay where they are.
  remove(fresh)
}

function writeFresh(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o644)
  try {
    writeSync(file, Buffer.from(text, 'latin1'))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Readers may see half of it for a moment; a mounted file leaves no other way. */
function overwrite(path: string, text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  const file = openSync(path, 'r+')
  try {
    writeSync(file, bytes, 0, bytes.length, 0)
    ftruncateSync(file, bytes.length)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function readText(path: string): string | undefined {
  try {
    const stat = statSync(path)
    // What a mount table says of itself is no size.
    if (!stat.isFile() || stat.size > MAX_FILE) return undefined
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function linkAt(path: string): string | undefined {
  try {
    const to = readlinkSync(path)
    return to.startsWith('/') ? to : join(dirname(path), to)
  } catch {
    return undefined
  }
}

function exists(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch {
    return false
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!['ENOENT', 'EROFS', 'ENOTDIR'].includes(codeOf(error))) throw error
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''

function faultOf(error: unknown, path: string): EngineError {
  if (error instanceof EngineError) return error
  const code = codeOf(error)
  const why = code === 'EPERM' ? 'it is marked as never to be changed (chattr +i), or the system forbids it'
    : code === 'EROFS' ? 'it is on a read-only disk'
    : code === 'EACCES' ? 'this program may not write there'
    : code === 'ENOSPC' ? 'the disk is full'
    : code
  return new EngineError(code === 'EPERM' || code === 'EROFS' || code === 'EACCES' ? 'access-denied' : 'io', `${path} cannot be changed: ${why}.`, { cause: error })
}
