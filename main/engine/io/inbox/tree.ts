/**
 * What is below a folder that comes in: its files by their place in the one stream of bytes, and the way down to them.
 *
 *   stream   the files that have bytes, in the order of the manifest, one after the other
 *   rest     empty files and named directories: made at the end
 *
 * Each step down is an open directory of its own, never a link; two paths that the disk takes for one are refused.
 */
import { InboxFault } from '../../core/taildrop/files.ts'
import type { ManifestEntry } from '../../core/taildrop/files.ts'
import { manifestFault } from '../../core/taildrop/names.ts'
import type { Dir } from './dir.ts'
import { errnoOf } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'
import { badOffset, hashPrefix, makeFile, notOurs, openExisting, ownUid } from './partial.ts'
import type { Hash } from 'node:crypto'

/** The mask of the process takes from it. */
const FOLDER_MODE = 0o755

export interface Part {
  readonly path: string
  readonly parents: readonly string[]
  readonly name: string
  /** Of its first byte, in the stream. */
  readonly start: number
  readonly size: number
  readonly mtimeMs: number
}

export interface TreePlan {
  readonly stream: readonly Part[]
  readonly emptyFiles: readonly Part[]
  readonly folders: readonly Part[]
  readonly size: number
}

/** Throws InboxFault('bad-name') for a manifest that is refused. */
export function planTree(manifest: readonly ManifestEntry[]): TreePlan {
  const fault = manifestFault(manifest)
  if (fault !== undefined) throw new InboxFault('bad-name', `The folder is refused: ${fault}.`)
  const plan = { stream: [] as Part[], emptyFiles: [] as Part[], folders: [] as Part[], size: 0 }
  for (const { path, size, mtimeMs } of manifest) {
    const parents = path.split('/')
    const name = parents.pop()!
    const part: Part = { path, parents, name, start: plan.size, size, mtimeMs }
    if (size > 0) plan.stream.push(part)
    else if (size === 0) plan.emptyFiles.push(part)
    else plan.folders.push(part)
    plan.size += Math.max(0, size)
  }
  if (!Number.isSafeInteger(plan.size)) throw new InboxFault('wrong-size', 'The folder is larger than any disk.')
  return plan
}

/** Index of the file that holds the byte at `offset`, or behind which it lies at the end. */
export function partAt(plan: TreePlan, offset: number): number {
  let low = 0
  for (let high = plan.stream.length; low < high; ) {
    const middle = (low + high) >>> 1
    const part = plan.stream[middle]!
    if (part.start + part.size <= offset) low = middle + 1
    else high = middle
  }
  return low
}

export class Tree {
  readonly root: Dir
  readonly #disk: Disk
  /** Open directories from the root down; the last is where we are. */
  readonly #way: { readonly name: string; readonly dir: Dir }[] = []
  /** Paths by which directories are known, by inode: another path to the same one is its twin. */
  readonly #known = new Map<bigint, string>()

  constructor(disk: Disk, root: Dir) {
    this.#disk = disk
    this.root = root
  }

  /** The directory with these parts; `make`: and all on the way, where they are missing. Undefined when one is missing. */
  async descend(parents: readonly string[], make: boolean): Promise<Dir | undefined> {
    let depth = 0
    while (depth < this.#way.length && depth < parents.length && this.#way[depth]!.name === parents[depth]) depth++
    await this.#climbTo(depth)
    for (; depth < parents.length; depth++) {
      const dir = await this.#enter(this.#here(), parents[depth]!, make)
      if (!dir) return undefined
      this.#way.push({ name: parents[depth]!, dir })
      const path = parents.slice(0, depth + 1).join('/')
      if ((this.#known.get(dir.id.ino) ?? path) !== path) throw twins()
      this.#known.set(dir.id.ino, path)
    }
    return this.#here()
  }

  async #enter(at: Dir, name: string, make: boolean): Promise<Dir | undefined> {
    try {
      return await at.enter(name, make ? FOLDER_MODE : undefined)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOENT' && !make) return undefined
      throw errno === 'ENOTDIR' || errno === 'ELOOP' ? notOurs(error) : error
    }
  }

  /** Makes a file that is not there yet. Rejects with InboxFault('bad-name') when something has its name. */
  async make(part: Part): Promise<DiskFile> {
    const dir = (await this.descend(part.parents, true))!
    try {
      return await makeFile(this.#disk, dir.at(part.name))
    } catch (error) {
      throw errnoOf(error) === 'EEXIST' ? twins() : error
    }
  }

  /** Opens a file that is there. */
  async open(part: Part, forWriting: boolean): Promise<{ readonly file: DiskFile; readonly size: number } | undefined> {
    const dir = await this.descend(part.parents, false)
    return dir && openExisting(this.#disk, dir.at(part.name), forWriting)
  }

  async #climbTo(depth: number): Promise<void> {
    while (this.#way.length > depth) await this.#way.pop()!.dir.close()
  }

  #here(): Dir {
    return this.#way.at(-1)?.dir ?? this.root
  }

  /** Makes all names that were given below last a loss of power. */
  async sync(): Promise<void> {
    for (const path of this.#known.values()) await (await this.descend(path.split('/'), false))?.sync()
    await this.#climbTo(0)
    await this.root.sync()
  }

  async close(): Promise<void> {
    for (const { dir } of this.#way.splice(0)) await dir.close().catch(() => {})
    await this.root.close().catch(() => {})
  }
}

/** What is there of the stream: each file as far as it goes, until one is missing or short. Each is closed when the next is asked for. */
export async function* partsThere(tree: Tree, plan: TreePlan): AsyncGenerator<{ readonly file: DiskFile; readonly size: number }> {
  for (const part of plan.stream) {
    const opened = await tree.open(part, false)
    if (!opened) return
    try {
      yield { file: opened.file, size: Math.min(opened.size, part.size) }
    } finally {
      await opened.file.close()
    }
    if (opened.size < part.size) return
  }
}

/** Cuts what is there to the first `offset` bytes of the stream and takes them into the hash; answers the file that is to go on, open. Rejects with InboxFault('bad-offset'). */
export async function cutTree(disk: Disk, tree: Tree, plan: TreePlan, offset: number, hash: Hash): Promise<DiskFile | undefined> {
  const kept = new Map(plan.stream.filter((part) => part.start < offset).map((part) => [part.path, part]))
  const folders = new Set([...kept.values()].flatMap(({ parents }) => parents.map((_, depth) => parents.slice(0, depth + 1).join('/'))))
  await prune(disk, tree.root, '', (path) => (kept.has(path) ? 'file' : folders.has(path) ? 'folder' : 'nothing'))
  for (const part of kept.values()) {
    const size = Math.min(part.size, offset - part.start)
    const opened = await tree.open(part, true)
    if (!opened) throw badOffset()
    let isKept = false
    try {
      if (opened.size < size) throw badOffset()
      if (opened.size > size) await opened.file.truncate(size)
      await hashPrefix(opened.file, size, hash)
      if (size < part.size) {
        isKept = true
        return opened.file
      }
    } finally {
      if (!isKept) await opened.file.close()
    }
  }
  return undefined
}

/** Removes everything below that is not to be kept. */
async function prune(disk: Disk, dir: Dir, prefix: string, want: (path: string) => 'file' | 'folder' | 'nothing'): Promise<void> {
  for (const name of await dir.names()) {
    const path = `${prefix}${name}`
    const stat = await disk.lstat(dir.found(name))
    const wanted = want(path)
    if (wanted === 'file' && stat.isFile() && stat.uid === ownUid(stat.uid)) continue
    if (wanted === 'folder' && stat.isDirectory()) {
      const below = await dir.enter(name)
      await prune(disk, below, `${path}/`, want).finally(() => void below.close())
    } else {
      await disk.rm(dir.found(name), { recursive: true })
    }
  }
}

const twins = (): InboxFault => new InboxFault('bad-name', 'Two names in the folder are one and the same on this disk.')
