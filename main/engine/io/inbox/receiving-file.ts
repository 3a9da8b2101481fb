/**
 * One file that is coming in: written under its partial name, checked, given to the disk, marked, and then named.
 *
 *   open → write* → finish   partial gone, final name there
 *                 → keep     partial stays for a later try
 *                 → discard  partial gone
 *
 * `finish` that fails keeps what may be gone on with (too short, no free name, a fault of the disk) and removes what may not
 * (wrong hash, too long). Whatever ends it is the last call that counts.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { InboxFault } from '../../core/taildrop/files.ts'
import type { InboxPlace, Saved } from '../../core/taildrop/files.ts'
import type { Dir } from './dir.ts'
import { faultOf } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'
import { markFile } from './mark.ts'
import type { MarkOf, SetAttribute } from './mark.ts'
import { settleFile } from './settle.ts'
import type { Claim, Space } from './space.ts'
import { FileStream } from './stream.ts'
import type { Pieces } from './stream.ts'
import type { FolderSyncs, Gate } from './syncs.ts'

/** What every reception works with. */
export interface Tools {
  readonly disk: Disk
  readonly pieces: Pieces
  readonly syncs: Gate
  readonly folderSyncs: FolderSyncs
  readonly space: Space
  readonly setAttribute: SetAttribute | undefined
  readonly markOf: (path: string, from: string) => MarkOf
}

/** The hash of what was kept, good while the file is as it was left. */
export interface KeptHash {
  readonly hash: Hash
  readonly size: number
  readonly ino: bigint
  readonly mtimeNs: bigint
}

/** What was opened for one reception; all of it is given back at its end. */
export interface Begun {
  readonly place: InboxPlace
  readonly dir: Dir
  readonly partial: string
  /** Bytes that will be there at the end; -1 unknown. */
  readonly size: number
  readonly claim: Claim
  /** Of what was there before. */
  readonly hash: Hash
  /** Called once, when nothing of it is open any more. */
  readonly onEnd: (kept: KeptHash | undefined) => void
}

/** Of a stream whose length nobody told, the room is looked at again every so many bytes. */
const LOOK_AGAIN_BYTES = 64 * 1024 * 1024

export class ReceivingFile {
  readonly #tools: Tools
  readonly #begun: Begun
  readonly #file: DiskFile
  readonly #stream: FileStream
  #received: number
  #unlooked = 0
  #ended = false

  constructor(tools: Tools, begun: Begun, file: DiskFile, offset: number) {
    this.#tools = tools
    this.#begun = begun
    this.#file = file
    this.#received = offset
    const { pieces, syncs } = tools
    this.#stream = new FileStream(file, offset, { pieces, syncs, hash: begun.hash, wrote: (bytes) => begun.claim.wrote(bytes) })
  }

  get received(): number {
    return this.#received
  }

  write(bytes: Uint8Array): Promise<void> {
    const { size } = this.#begun
    if (this.#ended) return Promise.reject(over())
    if (size >= 0 && this.#received + bytes.length > size) return Promise.reject(tooLong())
    this.#received += bytes.length
    if (size < 0 && (this.#unlooked += bytes.length) >= LOOK_AGAIN_BYTES) return this.#lookAgain(bytes)
    return this.#stream.write(bytes)
  }

  async #lookAgain(bytes: Uint8Array): Promise<void> {
    this.#unlooked = 0
    if ((await this.#tools.space.free(this.#begun.dir)) === 0) throw new InboxFault('no-space', 'The disk has not enough room.')
    await this.#stream.write(bytes)
  }

  async finish(expected: { readonly size?: number; readonly sha256?: string; readonly from: string }): Promise<Saved> {
    this.#begin()
    let kept = true
    try {
      await this.#stream.flush()
      const size = expected.size ?? this.#begun.size
      if (size >= 0 && this.#received !== size) {
        kept = this.#received < size
        throw kept ? tooShort() : tooLong()
      }
      const sha256 = hashText(this.#begun.hash)
      if (expected.sha256 !== undefined && expected.sha256 !== sha256) {
        kept = false
        throw new InboxFault('wrong-hash', 'What came is not what was sent.')
      }
      return await this.#settle(sha256, expected.from)
    } catch (error) {
      if (!kept) await this.#remove()
      throw faultOf(error)
    } finally {
      await this.#close(undefined)
    }
  }

  async #settle(sha256: string, from: string): Promise<Saved> {
    const { disk, syncs, folderSyncs, markOf, setAttribute } = this.#tools
    const { dir, place, partial } = this.#begun
    await markFile(this.#file, markOf(dir.at(partial), from), setAttribute)
    await syncs.pass(() => this.#file.sync())
    if (!(await dir.isStill())) throw new InboxFault('folder-gone', 'The folder was taken away or replaced while the file came in.')
    const id = await this.#file.stat({ bigint: true })
    const saved = await settleFile(disk, { dir, name: place.name, partial, id, size: this.#received, sha256 })
    await folderSyncs.sync(dir)
    return saved
  }

  async keep(): Promise<void> {
    if (this.#ended) return
    this.#begin()
    const { hash } = this.#begun
    // A disk that failed has less than was given: how much is seen when it is opened again.
    const isWhole = await this.#stream.flush().then(() => true, () => false)
    const stat = isWhole ? await this.#file.stat({ bigint: true }).catch(() => undefined) : undefined
    await this.#close(stat && { hash, size: this.#received, ino: stat.ino, mtimeNs: stat.mtimeNs })
  }

  async discard(): Promise<void> {
    if (this.#ended) return
    this.#begin()
    await this.#stream.abandon()
    await this.#remove()
    await this.#close(undefined)
  }

  #begin(): void {
    if (this.#ended) throw over()
    this.#ended = true
  }

  async #remove(): Promise<void> {
    const { dir, partial } = this.#begun
    await this.#tools.disk.unlink(dir.at(partial)).catch(() => {})
  }

  async #close(kept: KeptHash | undefined): Promise<void> {
    await this.#stream.abandon()
    await this.#file.close().catch(() => {})
    await this.#begun.dir.close().catch(() => {})
    this.#begun.claim.release()
    this.#begun.onEnd(kept)
  }
}

export const tooLong = (): InboxFault => new InboxFault('wrong-size', 'More came than the sender said.')
export const tooShort = (): InboxFault => new InboxFault('wrong-size', 'Less came than the sender said.')

export const over = (): InboxFault => new InboxFault('io', 'It is over already.')

/** The hash so far, in hex; the hash goes on. */
export const hashText = (hash: Hash): string => hash.copy().digest('hex')

export const newHash = (): Hash => createHash('sha256')
