/**
 * What clients hand over to be sent, kept until it is: one file each in a folder of the engine's own, `DIR/ID`, 0600.
 *
 *   a client streams → DIR/ID.part → DIR/ID (whole, on disk) → read by its transfer → removed with it
 *
 * Nothing that was there is ever opened for writing, a reserve of the disk stays free, and what nobody needs goes: parts and
 * unclaimed things with `sweep`. A folder that is not to outlive the engine is removed whole by its owner.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../base/bytes.ts'
import type { Random } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'

/** What is left free of the disk. */
const RESERVE_BYTES = 256 * 1024 * 1024
/** The disk is looked at again after so many bytes. */
const LOOK_BYTES = 64 * 1024 * 1024
const MAX_FILES = 10_000
const MAX_WRITING = 64
const ID = /^[0-9a-f]{32}$/

const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0)

/** Free bytes of the disk that holds `path`; -1 unknown. */
export type FreeBytes = (path: string) => Promise<number>

export class Spool {
  readonly dir: string
  readonly #random: Random
  readonly #freeBytes: FreeBytes
  readonly #writing = new Set<string>()

  constructor(deps: { readonly dir: string; readonly random: Random; readonly freeBytes?: FreeBytes }) {
    this.dir = deps.dir
    this.#random = deps.random
    this.#freeBytes = deps.freeBytes ?? freeBytesOf
  }

  /** Takes all that comes; `size` -1 unknown. Rejects with EngineError('no-space' | 'io' | 'aborted' | 'bad-argument'), and then nothing of it is left. */
  async put(chunks: AsyncIterable<Uint8Array>, size: number): Promise<{ readonly id: string; readonly size: number }> {
    if (this.#writing.size >= MAX_WRITING) throw new EngineError('bad-argument', `At most ${MAX_WRITING} things can be handed over at once.`)
    const id = toHex(this.#random.bytes(16))
    this.#writing.add(id)
    try {
      await this.#room(size)
      return { id, size: await this.#write(id, chunks, size) }
    } finally {
      this.#writing.delete(id)
    }
  }

  /** Takes one away; one that is not there is no fault. */
  async remove(id: string): Promise<void> {
    if (ID.test(id)) await rm(join(this.dir, id), { force: true })
  }

  /** Takes away what is not in `keep`, of it only what is older than `olderMs` at `wallMs`, and answers how many that were. */
  async sweep(keep: ReadonlySet<string>, olderMs: number, wallMs: number): Promise<number> {
    let gone = 0
    for (const name of await readdir(this.dir).catch(() => [])) {
      const id = name.replace(/\.part$/, '')
      if (!ID.test(id) || this.#writing.has(id) || (keep.has(id) && id === name)) continue
      const path = join(this.dir, name)
      const stats = await lstat(path).catch(() => undefined)
      if (!stats?.isFile() || wallMs - stats.mtimeMs < olderMs) continue
      await rm(path, { force: true })
      gone++
    }
    return gone
  }

  async #room(size: number): Promise<void> {
    try {
      await mkdir(this.dir, { recursive: true, mode: 0o700 })
      if ((await readdir(this.dir)).length + this.#writing.size > MAX_FILES) throw new EngineError('bad-argument', `At most ${MAX_FILES} things can wait to be sent.`)
    } catch (error) {
      throw ioFault(error)
    }
    await this.#assertFree(Math.max(0, size))
  }

  async #assertFree(bytes: number): Promise<void> {
    const free = await this.#freeBytes(this.dir)
    if (free >= 0 && free < bytes + RESERVE_BYTES) throw new EngineError('no-space', 'The disk has not enough room to keep this until it is sent.')
  }

  async #write(id: string, chunks: AsyncIterable<Uint8Array>, declared: number): Promise<number> {
    const part = join(this.dir, `${id}.part`)
    let file: FileHandle
    try {
      file = await open(part, NEW_FILE, 0o600)
    } catch (error) {
      throw ioFault(error)
    }
    try {
      const size = await this.#pour(chunks, file)
      if (declared >= 0 && size !== declared) throw new EngineError('aborted', 'What was handed over broke off before its end.')
      await file.sync().catch((error: unknown) => Promise.reject(ioFault(error)))
      await file.close()
      await rename(part, join(this.dir, id)).catch((error: unknown) => Promise.reject(ioFault(error)))
      return size
    } catch (error) {
      await file.close().catch(() => {})
      await rm(part, { force: true })
      throw error
    }
  }

  async #pour(chunks: AsyncIterable<Uint8Array>, file: FileHandle): Promise<number> {
    let size = 0
    let lookAt = LOOK_BYTES
    for await (const chunk of broken(chunks)) {
      for (let at = 0; at < chunk.length; ) at += await file.write(chunk, at).then(({ bytesWritten }) => bytesWritten, (error: unknown) => Promise.reject(ioFault(error)))
      size += chunk.length
      if (size < lookAt) continue
      lookAt = size + LOOK_BYTES
      await this.#assertFree(0)
    }
    return size
  }
}

/** The end of the client is no fault of the disk. */
async function* broken(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    throw new EngineError('aborted', 'What was handed over broke off before its end.', { cause: error })
  }
}

function ioFault(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC' || code === 'EDQUOT') return new EngineError('no-space', 'The disk has not enough room to keep this until it is sent.', { cause: error })
  return new EngineError('io', `What was handed over cannot be kept: ${errorText(error)}`, { cause: error })
}

async function freeBytesOf(path: string): Promise<number> {
  try {
    const { bavail, bsize, blocks } = await statfs(path)
    return blocks === 0 ? -1 : bavail * bsize
  } catch {
    return -1
  }
}
