/**
 * Files that come in, on a real disk (the transfers' `Inbox` port). Nothing outside a folder is ever written, nothing is
 * overwritten, no link is followed below it; at most one reception for each partial name.
 *
 *   dir.ts      the folder, by descriptor           partial.ts   what is partial, and its names
 *   tree.ts     what is below a folder that comes   receiving-*  one reception
 *   stream.ts   bytes to the disk, and their hash   settle.ts    the final name
 *   space.ts    room                                mark.ts      "from the internet"
 */
import type { Hash } from 'node:crypto'
import * as promises from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { toHex } from '../../base/bytes.ts'
import type { Env } from '../../base/env.ts'
import { InboxFault } from '../../core/taildrop/files.ts'
import type { BlockHash, InboxPlace, ManifestEntry, WaitingFile } from '../../core/taildrop/files.ts'
import { foldKey } from '../../core/taildrop/names.ts'
import { Dir } from './dir.ts'
import { errnoOf, faultOf } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'
import { blocksOf } from './blocks.ts'
import type { MarkOf, SetAttribute } from './mark.ts'
import { badOffset, hashPrefix, notOurs, openExisting, openPartial, ownUid, partialOf } from './partial.ts'
import { newHash, ReceivingFile } from './receiving-file.ts'
import type { Begun, KeptHash, Tools } from './receiving-file.ts'
import { ReceivingFolder } from './receiving-folder.ts'
import { listFiles, readWhole, removeWhole } from './shelf.ts'
import { Space } from './space.ts'
import { Pieces } from './stream.ts'
import { sweepPartials } from './sweep.ts'
import { FolderSyncs, Gate } from './syncs.ts'
import { cutTree, partsThere, planTree, Tree } from './tree.ts'
import type { TreePlan } from './tree.ts'

export interface InboxDeps {
  readonly env: Pick<Env, 'clock' | 'random'>
  /** undefined: files get no attributes. */
  readonly setAttribute?: SetAttribute | undefined
  readonly disk?: Disk
  /** Told of bytes that came in buffers and are on the disk. */
  readonly passed?: (bytes: number) => void
}

/** Files that wait for the disk to have written them, at once. */
const SYNCS = 2
/** Hashes of what was kept that are remembered, so that going on need not read it again. */
const KEPT_HASHES = 64

export class DiskInbox {
  readonly #env: InboxDeps['env']
  readonly #disk: Disk
  readonly #tools: Tools
  /** Partial files that are being written, by `keyOf`. */
  readonly #busy = new Set<string>()
  /** Read while nothing else runs: to read it is to change it for a moment. */
  readonly #folderMode = 0o755 & ~process.umask()
  readonly #kept = new Map<string, KeptHash>()

  constructor({ env, setAttribute, disk = promises, passed }: InboxDeps) {
    this.#env = env
    this.#disk = disk
    const syncs = new Gate(SYNCS)
    this.#tools = { disk, setAttribute, pieces: new Pieces(passed), syncs, folderSyncs: new FolderSyncs(syncs), space: new Space(disk), markOf: (path, from) => this.#markOf(path, from) }
  }

  /** Bytes that may still come in (-1 unknown), and what is wrong with the folder. Makes it when its parent is there. */
  async look(folder: string): Promise<{ readonly freeBytes: number; readonly fault?: InboxFault }> {
    try {
      await this.#disk.mkdir(folder, 0o700).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error
      })
      const dir = await Dir.open(this.#disk, folder)
      try {
        await dir.mayWrite()
        return { freeBytes: await this.#tools.space.free(dir) }
      } finally {
        await dir.close()
      }
    } catch (error) {
      return { freeBytes: -1, fault: faultOf(error) }
    }
  }

  /** Names of what is partial from this sender. Rejects with InboxFault. */
  async partials(folder: string, sender: string): Promise<readonly string[]> {
    const end = partialOf('x', sender).slice(1)
    return this.#in(folder, async (dir) => (await dir.names()).filter((name) => name.endsWith(end) && name.length > end.length).map((name) => name.slice(0, -end.length)))
  }

  /** Blocks of what is partial; none when there is nothing. Rejects with InboxFault, `busy` while it is being written. */
  async *hashes(place: InboxPlace, manifest?: readonly ManifestEntry[]): AsyncGenerator<BlockHash> {
    const partial = partialOf(place.name, place.sender)
    const dir = await this.#open(place.folder)
    try {
      if (this.#busy.has(keyOf(dir, partial))) throw busy()
      yield* manifest ? this.#hashesBelow(dir, partial, planTree(manifest)) : this.#hashesOf(dir, partial)
    } catch (error) {
      throw faultOf(error)
    } finally {
      await dir.close()
    }
  }

  async *#hashesOf(dir: Dir, partial: string): AsyncGenerator<BlockHash> {
    const opened = await openExisting(this.#disk, dir.at(partial), false)
    if (!opened) return
    try {
      yield* blocksOf([opened])
    } finally {
      await opened.file.close()
    }
  }

  async *#hashesBelow(dir: Dir, partial: string, plan: TreePlan): AsyncGenerator<BlockHash> {
    const tree = await this.#treeIn(dir, partial)
    if (!tree) return
    try {
      yield* blocksOf(partsThere(tree, plan))
    } finally {
      await tree.close()
    }
  }

  /** The partial folder; undefined when there is none. */
  async #treeIn(dir: Dir, partial: string): Promise<Tree | undefined> {
    const stat = await this.#disk.lstat(dir.at(partial)).catch(() => undefined)
    if (!stat) return undefined
    if (!stat.isDirectory() || stat.uid !== ownUid(stat.uid)) throw notOurs()
    return new Tree(this.#disk, await dir.enter(partial))
  }

  /** See the port. Rejects with InboxFault. */
  async open(place: InboxPlace, offset: number, size: number, manifest?: readonly ManifestEntry[]): Promise<ReceivingFile | ReceivingFolder> {
    const partial = partialOf(place.name, place.sender)
    if (!Number.isSafeInteger(offset) || offset < 0 || (size >= 0 && offset > size)) throw badOffset()
    const plan = manifest && planTree(manifest)
    const dir = await this.#open(place.folder)
    const key = keyOf(dir, partial)
    if (this.#busy.has(key)) {
      await dir.close()
      throw busy()
    }
    this.#busy.add(key)
    try {
      return plan ? await this.#beginFolder(place, dir, partial, offset, plan) : await this.#beginFile(place, dir, partial, offset, size)
    } catch (error) {
      await dir.close()
      this.#busy.delete(key)
      throw faultOf(error)
    }
  }

  /** Removes what was left partial for longer than `olderMs` and nobody is writing to. Never rejects. */
  async sweep(folder: string, olderMs: number): Promise<void> {
    const beforeMs = this.#env.clock.wallMs() - olderMs
    await this.#in(folder, (dir) => sweepPartials(this.#disk, dir, beforeMs, (partial) => this.#busy.has(keyOf(dir, partial)))).catch(() => {})
  }

  /** Whole files in a folder, by name, folders as zip files; none where there is no folder. Rejects with InboxFault. */
  async waiting(folder: string): Promise<readonly WaitingFile[]> {
    return this.#in(folder, (dir) => listFiles(this.#disk, dir)).catch((error: unknown) => {
      if (error instanceof InboxFault && error.code === 'folder-gone') return []
      throw error
    })
  }

  /** One whole file; undefined when there is none. The stream closes what it holds when it ends or is destroyed. Rejects with InboxFault. */
  async read(folder: string, name: string): Promise<{ readonly size: number; readonly stream: Readable } | undefined> {
    return this.#in(folder, (dir) => readWhole(this.#disk, dir, name))
  }

  /** Whether there was such a file. Rejects with InboxFault. */
  async remove(folder: string, name: string): Promise<boolean> {
    return this.#in(folder, (dir) => removeWhole(this.#disk, dir, name))
  }

  async #beginFile(place: InboxPlace, dir: Dir, partial: string, offset: number, size: number): Promise<ReceivingFile> {
    let file: DiskFile | undefined
    let claim: Begun['claim'] | undefined
    try {
      claim = await this.#tools.space.claim(dir, Math.max(0, size - offset))
      file = await openPartial(this.#disk, dir, place.name, partial, offset)
      const key = keyOf(dir, partial)
      const hash = await this.#hashOf(key, file, offset)
      const opened = file
      const onEnd: Begun['onEnd'] = (kept) => {
        this.#busy.delete(key)
        if (kept) this.#keep(key, kept)
      }
      return new ReceivingFile(this.#tools, { place, dir, partial, size, claim, hash, onEnd }, opened, offset)
    } catch (error) {
      claim?.release()
      await file?.close()
      throw error
    }
  }

  async #beginFolder(place: InboxPlace, dir: Dir, partial: string, offset: number, plan: TreePlan): Promise<ReceivingFolder> {
    if (offset > plan.size) throw badOffset()
    let tree: Tree | undefined
    let claim: Begun['claim'] | undefined
    try {
      claim = await this.#tools.space.claim(dir, plan.size - offset)
      tree = await this.#treeIn(dir, partial)
      if (offset === 0 || !tree) {
        if (offset > 0) throw badOffset()
        await tree?.close()
        await this.#disk.rm(dir.at(partial), { recursive: true, force: true })
        await this.#disk.mkdir(dir.at(partial), 0o700)
        tree = new Tree(this.#disk, await dir.enter(partial))
      }
      const hash = newHash()
      const file = await cutTree(this.#disk, tree, plan, offset, hash)
      const onEnd = (): void => void this.#busy.delete(keyOf(dir, partial))
      return new ReceivingFolder(this.#tools, { place, dir, partial, size: plan.size, claim, hash, onEnd, tree, plan, mode: this.#folderMode }, offset, file)
    } catch (error) {
      claim?.release()
      await tree?.close()
      throw error
    }
  }

  /** The hash of the first `offset` bytes: remembered where the file is as it was left, else made from the disk. */
  async #hashOf(key: string, file: DiskFile, offset: number): Promise<Hash> {
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    if (offset === 0) return newHash()
    const { ino, mtimeNs } = await file.stat({ bigint: true })
    if (kept && kept.size === offset && kept.ino === ino && kept.mtimeNs === mtimeNs) return kept.hash
    const hash = newHash()
    await hashPrefix(file, offset, hash)
    return hash
  }

  #keep(key: string, kept: KeptHash): void {
    const oldest = this.#kept.size >= KEPT_HASHES ? this.#kept.keys().next().value : undefined
    if (oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(key, kept)
  }

  /** For a whole directory that is looked into; closes it. */
  async #in<T>(folder: string, use: (dir: Dir) => Promise<T>): Promise<T> {
    const dir = await this.#open(folder)
    try {
      return await use(dir)
    } catch (error) {
      throw faultOf(error)
    } finally {
      await dir.close()
    }
  }

  async #open(folder: string): Promise<Dir> {
    return Dir.open(this.#disk, folder).catch((error: unknown) => {
      throw faultOf(error)
    })
  }

  #markOf(path: string, from: string): MarkOf {
    const id = toHex(this.#env.random.bytes(16)).toUpperCase()
    const uuid = [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join('-')
    return { path, from, wallMs: this.#env.clock.wallMs(), uuid }
  }
}

/** However the folder is reached, and whatever the disk takes for the same name. */
const keyOf = ({ id }: Dir, partial: string): string => `${id.dev}:${id.ino}:${foldKey(partial)}`
const busy = (): InboxFault => new InboxFault('busy', 'The same file from the same device is coming in already.')
