/**
 * Room on the disks that files come in on: a reserve is never filled, and what is promised to those under way counts as taken.
 */
import { InboxFault } from '../../core/taildrop/files.ts'
import type { Dir } from './dir.ts'
import type { Disk } from './disk.ts'

/** What is left free: the larger of the two. */
const RESERVE_BYTES = 64 * 1024 * 1024
const RESERVE_SHARE = 0.01

/** Room that one thing under way counts on. */
export interface Claim {
  /** This many of its bytes are on the disk. */
  wrote(bytes: number): void
  release(): void
}

export class Space {
  readonly #disk: Disk
  /** Bytes that are promised and not written, by disk. */
  readonly #promised = new Map<bigint, number>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Bytes that may still come in; -1 unknown. */
  async free(dir: Dir): Promise<number> {
    try {
      const { bavail, blocks, bsize } = await this.#disk.statfs(dir.self)
      const reserve = Math.max(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE)
      // Some network file systems say 0 of everything.
      return blocks === 0 ? -1 : Math.max(0, Math.floor(bavail * bsize - reserve) - (this.#promised.get(dir.id.dev) ?? 0))
    } catch {
      return -1
    }
  }

  /** Room for `size` more bytes (0: not known how many). Rejects with InboxFault('no-space'). */
  async claim(dir: Dir, size: number): Promise<Claim> {
    const free = await this.free(dir)
    if (free >= 0 && (size > free || free === 0)) throw new InboxFault('no-space', 'The disk has not enough room.')
    const { dev } = dir.id
    let left = 0
    const change = (by: number): void => {
      left += by
      const promised = (this.#promised.get(dev) ?? 0) + by
      if (promised > 0) this.#promised.set(dev, promised)
      else this.#promised.delete(dev)
    }
    change(size)
    return { wrote: (bytes) => change(-Math.min(bytes, left)), release: () => change(-left) }
  }
}
