/**
 * Writes one file from the front on as fast as bytes come: small pieces are gathered, the hash is made while the disk writes, and
 * what was written is sent to the disk all along, so that the end has little to wait for.
 *
 * At most two gathered pieces are on their way; a caller is held back then. A failure is told at the next call, and for good.
 */
import type { Hash } from 'node:crypto'
import { faultOf } from './disk.ts'
import type { DiskFile } from './disk.ts'
import type { Gate } from './syncs.ts'

const PIECE_BYTES = 512 * 1024
/** As large as this is written as it is. */
const LARGE_BYTES = 256 * 1024
/** Pieces of all files together; who gets none waits for the disk with every write. */
const PIECES = 32
const IDLE_PIECES = 4
const PUSH_BYTES = 16 * 1024 * 1024

/** Memory for gathering, shared by all that come in. */
export class Pieces {
  readonly #idle: Buffer[] = []
  readonly #passed: (bytes: number) => void
  #out = 0

  /** `passed`: told of bytes that are through. */
  constructor(passed: (bytes: number) => void = () => {}) {
    this.#passed = passed
  }

  take(): Buffer | undefined {
    if (this.#out >= PIECES) return undefined
    this.#out++
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
  }

  give(piece: Buffer): void {
    this.#out--
    this.#passed(piece.length)
    if (this.#idle.length < IDLE_PIECES) this.#idle.push(piece)
  }
}

export interface StreamDeps {
  readonly pieces: Pieces
  readonly syncs: Gate
  /** Of all that is written, in order. */
  readonly hash: Hash
  /** Bytes are on their way to the disk. */
  readonly wrote: (bytes: number) => void
}

const DONE: Promise<void> = Promise.resolve()

export class FileStream {
  readonly #file: DiskFile
  readonly #deps: StreamDeps
  #piece: Buffer | undefined
  #filled = 0
  /** Where in the file the next write goes. */
  #at: number
  #writes: Promise<void> = DONE
  #underWay = 0
  #failure: { readonly error: unknown } | undefined
  #push: Promise<void> | undefined
  #sincePush = 0

  constructor(file: DiskFile, at: number, deps: StreamDeps) {
    this.#file = file
    this.#at = at
    this.#deps = deps
  }

  /** The bytes are the caller's again when it resolves. Rejects with InboxFault. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) return this.#fail()
    if (this.#filled === 0 && bytes.length >= LARGE_BYTES) return this.#direct(bytes)
    const piece = (this.#piece ??= this.#deps.pieces.take())
    if (!piece) return this.#direct(bytes)
    return this.#gather(piece, bytes)
  }

  #gather(piece: Buffer, bytes: Uint8Array): Promise<void> {
    const fitting = Math.min(bytes.length, piece.length - this.#filled)
    piece.set(fitting === bytes.length ? bytes : bytes.subarray(0, fitting), this.#filled)
    this.#filled += fitting
    if (this.#filled < piece.length) {
      this.#deps.hash.update(bytes)
      return DONE
    }
    this.#sendPiece()
    // While the disk works.
    this.#deps.hash.update(fitting === bytes.length ? bytes : bytes.subarray(0, fitting))
    if (fitting === bytes.length && this.#underWay < 2) return DONE
    return this.#afterRoom(fitting === bytes.length ? undefined : bytes.subarray(fitting))
  }

  async #afterRoom(rest: Uint8Array | undefined): Promise<void> {
    if (this.#underWay >= 2) await this.#writes
    if (this.#failure) return this.#fail()
    if (rest) await this.write(rest)
  }

  async #direct(bytes: Uint8Array): Promise<void> {
    this.#submit(bytes)
    this.#deps.hash.update(bytes)
    await this.#writes
    if (this.#failure) return this.#fail()
  }

  #sendPiece(): void {
    const piece = this.#piece!
    const bytes = this.#filled === piece.length ? piece : piece.subarray(0, this.#filled)
    this.#piece = undefined
    this.#filled = 0
    this.#submit(bytes, piece)
  }

  #submit(bytes: Uint8Array, piece?: Buffer): void {
    const at = this.#at
    this.#at += bytes.length
    this.#underWay++
    this.#writes = this.#writes.then(async () => {
      try {
        if (!this.#failure) await writeAll(this.#file, bytes, at)
        this.#deps.wrote(bytes.length)
        this.#pushSometimes(bytes.length)
      } catch (error) {
        this.#failure ??= { error }
      } finally {
        this.#underWay--
        if (piece) this.#deps.pieces.give(piece)
      }
    })
  }

  /** A file that grows is written out while it comes; when others do so already, it waits for the end. */
  #pushSometimes(bytes: number): void {
    this.#sincePush += bytes
    if (this.#sincePush < PUSH_BYTES || this.#push || !this.#deps.syncs.isFree) return
    this.#sincePush = 0
    this.#push = this.#deps.syncs.pass(() => this.#file.datasync()).then(
      () => void (this.#push = undefined),
      (error: unknown) => void (this.#failure ??= { error }),
    )
  }

  /** All that was given is with the system. Rejects with InboxFault. */
  async flush(): Promise<void> {
    if (this.#filled > 0) this.#sendPiece()
    this.#drop()
    await this.#writes
    await this.#push
    if (this.#failure) return this.#fail()
  }

  /** Gives back what is not written, and waits for what is being written. Never rejects. */
  async abandon(): Promise<void> {
    this.#failure ??= { error: new Error('given up') }
    this.#drop()
    await this.#writes
    await this.#push
  }

  #drop(): void {
    if (this.#piece) this.#deps.pieces.give(this.#piece)
    this.#piece = undefined
    this.#filled = 0
  }

  #fail(): Promise<never> {
    return Promise.reject(faultOf(this.#failure!.error))
  }
}

/** Writes every byte, however few the system takes at a time. */
async function writeAll(file: DiskFile, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    if (bytesWritten === 0) throw Object.assign(new Error('the disk takes no more'), { code: 'ENOSPC' })
    done += bytesWritten
  }
}
