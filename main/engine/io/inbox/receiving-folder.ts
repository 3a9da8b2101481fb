/**
 * One folder that is coming in as a stream with a manifest: its files are written below NAME.SENDER.partial, which is renamed whole.
 *
 *   open → write* → finish   the folder is there, under its own name or the next one
 *                 → keep     what came stays for a later try, from anywhere in the stream
 *                 → discard  nothing is left
 *
 * Nobody else may look into it before it is whole. Files that are complete are given to the disk while the next ones come.
 */
import { InboxFault } from '../../core/taildrop/files.ts'
import type { Saved } from '../../core/taildrop/files.ts'
import { faultOf } from './disk.ts'
import type { DiskFile } from './disk.ts'
import { markFile } from './mark.ts'
import { isSameFolder } from './same-folder.ts'
import { hashText, over, tooLong, tooShort } from './receiving-file.ts'
import type { Begun, Tools } from './receiving-file.ts'
import { settleFolder } from './settle.ts'
import { FileStream } from './stream.ts'
import { partAt } from './tree.ts'
import type { Part, Tree, TreePlan } from './tree.ts'

/** Complete files that wait for the disk, before the sender is held back. */
const CLOSING = 16

interface Current {
  readonly part: Part
  readonly file: DiskFile
  readonly stream: FileStream
  left: number
}

export interface FolderBegun extends Begun {
  readonly tree: Tree
  readonly plan: TreePlan
  /** Of the folder at the end. */
  readonly mode: number
}

export class ReceivingFolder {
  readonly #tools: Tools
  readonly #begun: FolderBegun
  readonly #closing = new Set<Promise<void>>()
  #received: number
  /** Of the file that comes next, or is coming. */
  #index: number
  #current: Current | undefined
  #failure: { readonly error: unknown } | undefined
  #ended = false

  /** `file`: the one that the stream goes on in, open; undefined at the beginning of one. */
  constructor(tools: Tools, begun: FolderBegun, offset: number, file: DiskFile | undefined) {
    this.#tools = tools
    this.#begun = begun
    this.#received = offset
    this.#index = partAt(begun.plan, offset)
    const part = begun.plan.stream[this.#index]
    if (file && part) this.#current = this.#streamTo(part, file, offset - part.start)
  }

  get received(): number {
    return this.#received
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#ended) throw over()
    if (this.#received + bytes.length > this.#begun.plan.size) throw tooLong()
    try {
      for (let rest = bytes; rest.length > 0; ) {
        if (this.#failure) throw this.#failure.error
        const current = (this.#current ??= await this.#next())
        const some = rest.length > current.left ? rest.subarray(0, current.left) : rest
        await current.stream.write(some)
        current.left -= some.length
        this.#received += some.length
        rest = rest.subarray(some.length)
        if (current.left === 0) await this.#complete(current)
      }
    } catch (error) {
      throw faultOf(error)
    }
  }

  async #next(): Promise<Current> {
    const part = this.#begun.plan.stream[this.#index]!
    return this.#streamTo(part, await this.#begun.tree.make(part), 0)
  }

  #streamTo(part: Part, file: DiskFile, at: number): Current {
    const { pieces, syncs } = this.#tools
    const { hash, claim } = this.#begun
    const stream = new FileStream(file, at, { pieces, syncs, hash, wrote: (bytes) => claim.wrote(bytes) })
    return { part, file, stream, left: part.size - at }
  }

  /** The next file may begin; this one is given to the disk beside it. */
  async #complete(current: Current): Promise<void> {
    this.#current = undefined
    this.#index++
    const closing = this.#giveToDisk(current).catch((error: unknown) => void (this.#failure ??= { error }))
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing))
    if (this.#closing.size >= CLOSING) await Promise.race(this.#closing)
  }

  async #giveToDisk({ part, file, stream }: Current): Promise<void> {
    try {
      await stream.flush()
      await this.#mark(part, file)
      await file.utimes(part.mtimeMs / 1_000, part.mtimeMs / 1_000)
      await this.#tools.syncs.pass(() => file.sync())
    } finally {
      await stream.abandon()
      await file.close()
    }
  }

  async #mark(part: Part, file: DiskFile): Promise<void> {
    const { setAttribute, markOf } = this.#tools
    const { place, tree } = this.#begun
    if (place.from !== undefined) await markFile(file, markOf(`${tree.root.path}/${part.path}`, place.from), setAttribute)
  }

  async finish(expected: { readonly size?: number; readonly sha256?: string; readonly from: string }): Promise<Saved> {
    this.#end()
    let kept = true
    try {
      await this.#flushed()
      const { size } = this.#begun.plan
      if (this.#received < size) throw tooShort()
      if (expected.size !== undefined && expected.size !== size) {
        kept = false
        throw tooLong()
      }
      const sha256 = hashText(this.#begun.hash)
      if (expected.sha256 !== undefined && expected.sha256 !== sha256) {
        kept = false
        throw new InboxFault('wrong-hash', 'What came is not what was sent.')
      }
      await this.#makeRest()
      return await this.#settle(sha256)
    } catch (error) {
      if (!kept) await this.#remove()
      throw faultOf(error)
    } finally {
      await this.#close()
    }
  }

  /** Empty files, empty directories, and the times of those. */
  async #makeRest(): Promise<void> {
    const { tree, plan } = this.#begun
    for (const part of plan.emptyFiles) await this.#makeEmpty(part)
    for (const { parents, name, mtimeMs } of plan.folders) await (await tree.descend([...parents, name], true))!.utimes(mtimeMs / 1_000)
    await tree.sync()
  }

  /** Its folder's sync is all that it needs. */
  async #makeEmpty(part: Part): Promise<void> {
    const file = await this.#begun.tree.make(part)
    try {
      await this.#mark(part, file)
      await file.utimes(part.mtimeMs / 1_000, part.mtimeMs / 1_000)
    } finally {
      await file.close()
    }
  }

  async #settle(sha256: string): Promise<Saved> {
    const { disk, folderSyncs } = this.#tools
    const { dir, place, partial, tree, mode, plan } = this.#begun
    if (!(await dir.isStill())) throw new InboxFault('folder-gone', 'The folder was taken away or replaced while the files came in.')
    await tree.root.chmod(mode)
    const thing = { dir, name: place.name, partial, id: tree.root.id, size: plan.size, sha256 }
    const saved = await settleFolder(disk, thing, (name) => isSameFolder(disk, dir, name, plan, sha256))
    if (saved.isDuplicate) await this.#remove()
    await folderSyncs.sync(dir)
    return saved
  }

  async keep(): Promise<void> {
    if (this.#ended) return
    this.#end()
    await this.#flushed().catch(() => {})
    await this.#close()
  }

  async discard(): Promise<void> {
    if (this.#ended) return
    this.#end()
    await this.#current?.stream.abandon()
    await Promise.all(this.#closing)
    await this.#remove()
    await this.#close()
  }

  #end(): void {
    if (this.#ended) throw over()
    this.#ended = true
  }

  async #flushed(): Promise<void> {
    await this.#current?.stream.flush()
    await Promise.all(this.#closing)
    if (this.#failure) throw this.#failure.error
  }

  async #remove(): Promise<void> {
    const { dir, partial } = this.#begun
    await this.#tools.disk.rm(dir.at(partial), { recursive: true, force: true }).catch(() => {})
  }

  async #close(): Promise<void> {
    await this.#current?.stream.abandon()
    await this.#current?.file.close().catch(() => {})
    await Promise.all(this.#closing)
    await this.#begun.tree.close()
    await this.#begun.dir.close().catch(() => {})
    this.#begun.claim.release()
    this.#begun.onEnd(undefined)
  }
}
