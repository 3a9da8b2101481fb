/**
 * The bytes of files one after the other, in large blocks, the next one read while the last is being sent.
 *
 * A file that is another one than was looked at ends it with SourceFault('source-changed'), before its last bytes are given
 * out: what is told to be whole is of one moment.
 */
import type { FileHandle } from 'node:fs/promises'
import { PutBack } from '../../core/taildrop/put-back.ts'
import { changed, checkStamp, faultOf, openStamped } from './stamp.ts'
import type { StampedFile } from './stamp.ts'

const BLOCK_BYTES = 512 << 10

interface OpenFile {
  readonly handle: FileHandle
  readonly file: StampedFile
  at: number
}

export class FilesReader {
  readonly size: number
  readonly #files: readonly StampedFile[]
  readonly #follow: boolean
  #next = 0
  #open: OpenFile | undefined
  #ahead: Promise<Uint8Array> | undefined
  readonly #back = new PutBack()
  readonly #more = (): Promise<Uint8Array> => this.#block()
  #closed = false

  /** `follow`: the files may be links. */
  constructor(files: readonly StampedFile[], follow: boolean) {
    this.#files = files
    this.#follow = follow
    this.size = files.reduce((sum, { stamp }) => sum + stamp.size, 0)
  }

  read(most: number): Promise<Uint8Array> {
    return this.#back.read(most, this.#more)
  }

  unread(bytes: Uint8Array): void {
    this.#back.put(bytes)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#ahead?.catch(() => {})
    await this.#open?.handle.close().catch(() => {})
    this.#open = undefined
  }

  async #block(): Promise<Uint8Array> {
    const bytes = await (this.#ahead ?? this.#load())
    this.#ahead = undefined
    if (bytes.length > 0 && !this.#closed) {
      this.#ahead = this.#load()
      // Whoever reads next hears of it.
      this.#ahead.catch(() => {})
    }
    return bytes
  }

  /** The next block; of several files when they are small. */
  async #load(): Promise<Uint8Array> {
    const block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
    let filled = 0
    try {
      while (filled < block.length && !this.#closed) {
        const from = await this.#current()
        if (!from) break
        const left = from.file.stamp.size - from.at
        const wanted = Math.min(block.length - filled, left)
        const { bytesRead } = wanted === 0 ? { bytesRead: 0 } : await from.handle.read(block, filled, wanted, from.at)
        if (bytesRead === 0 && wanted > 0) throw changed()
        from.at += bytesRead
        filled += bytesRead
        if (from.at === from.file.stamp.size) await this.#finish()
      }
    } catch (error) {
      throw faultOf(error)
    }
    return block.subarray(0, filled)
  }

  async #current(): Promise<OpenFile | undefined> {
    if (this.#open) return this.#open
    const file = this.#files[this.#next++]
    if (file) this.#open = { handle: await openStamped(file, this.#follow), file, at: 0 }
    return this.#open
  }

  async #finish(): Promise<void> {
    const { handle, file } = this.#open!
    this.#open = undefined
    try {
      await checkStamp(handle, file.stamp)
    } finally {
      await handle.close()
    }
  }
}
