/**
 * An open directory. What is done below it goes through its descriptor where the system can (Linux: /proc/self/fd), so that
 * nothing that happens to its path meanwhile leads elsewhere; else by its path, and `isStill` tells afterwards.
 *
 * The last part of the path may not be a link; those before it are the person's own affair. Names are single path elements.
 */
import { constants, existsSync } from 'node:fs'
import { InboxFault } from '../../core/taildrop/files.ts'
import { pathFault } from '../../core/taildrop/names.ts'
import { errnoOf, isSameFile } from './disk.ts'
import type { Disk, DiskFile, FileId } from './disk.ts'

const SEPARATOR = process.platform === 'win32' ? '\\' : '/'
const BY_DESCRIPTOR = process.platform === 'linux' && existsSync('/proc/self/fd')
/** Zero where a system has no such flag. */
const OPEN_DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0)

export class Dir {
  readonly path: string
  readonly id: FileId
  readonly #disk: Disk
  /** undefined where directories cannot be opened (Windows). */
  readonly #handle: DiskFile | undefined
  readonly #base: string

  constructor(disk: Disk, path: string, id: FileId, handle: DiskFile | undefined) {
    this.path = path
    this.id = id
    this.#disk = disk
    this.#handle = handle
    this.#base = handle && BY_DESCRIPTOR ? `/proc/self/fd/${handle.fd}` : path
  }

  /** Opens `path`. Rejects with the system's error; a link is ENOTDIR or ELOOP. */
  static async open(disk: Disk, path: string, shown = path): Promise<Dir> {
    if (process.platform === 'win32') {
      const stat = await disk.lstat(path, { bigint: true })
      if (!stat.isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
      return new Dir(disk, shown, stat, undefined)
    }
    const handle = await disk.open(path, OPEN_DIRECTORY)
    try {
      const { dev, ino } = await handle.stat({ bigint: true })
      return new Dir(disk, shown, { dev, ino }, handle)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The same for a name that `names` gave, whatever it is. */
  found(name: string): string {
    return `${this.#base}${SEPARATOR}${name}`
  }

  /** The path to give to calls for what has this name here. Throws InboxFault('bad-name') for all but one path element. */
  at(name: string): string {
    if (name.includes('/') || pathFault(name) !== undefined) throw new InboxFault('bad-name', 'The name is none that a file may have here.')
    return this.found(name)
  }

  /** For calls on the directory itself that take a path. */
  get self(): string {
    return this.#handle && BY_DESCRIPTOR ? `${this.#base}/.` : this.path
  }

  /** Opens the directory `name` in it; `mode`: makes it when it is not there. */
  async enter(name: string, mode?: number): Promise<Dir> {
    const path = this.at(name)
    if (mode !== undefined) {
      try {
        await this.#disk.mkdir(path, mode)
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error
      }
    }
    return Dir.open(this.#disk, path, `${this.path}/${name}`)
  }

  /** Names in it, of whatever kind. */
  names(): Promise<string[]> {
    return this.#disk.readdir(this.self)
  }

  /** Whether its path still leads to it. */
  async isStill(): Promise<boolean> {
    try {
      return isSameFile(await this.#disk.lstat(this.path, { bigint: true }), this.id)
    } catch {
      return false
    }
  }

  /** Rejects with the system's error when nothing can be made in it. */
  async mayWrite(): Promise<void> {
    await this.#disk.access(this.self, constants.W_OK | constants.X_OK)
  }

  /** Makes names that were given or taken in it last a loss of power. */
  async sync(): Promise<void> {
    await this.#handle?.sync()
  }

  async chmod(mode: number): Promise<void> {
    await this.#handle?.chmod(mode)
  }

  async utimes(mtimeSec: number): Promise<void> {
    await this.#handle?.utimes(mtimeSec, mtimeSec)
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }
}
