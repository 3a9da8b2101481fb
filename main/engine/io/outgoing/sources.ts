/**
 * Where the bytes of what is sent come from: files and folders of this computer, and what was handed to the spool.
 *
 * A path that a person names may be a link; below a folder none is followed. Whatever is opened must look as it did when it
 * was added, and is looked at again while it is read.
 */
import { stat } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import { SourceFault } from '../../core/taildrop/files.ts'
import type { ManifestEntry, SourceLook, SourceRef } from '../../core/taildrop/files.ts'
import { archiveOf } from './archive.ts'
import { FilesReader } from './files-reader.ts'
import { changed, faultOf, printOf, stampOf } from './stamp.ts'
import type { StampedFile } from './stamp.ts'
import type { StreamReader } from './stream-reader.ts'
import { walk } from './walk.ts'
import type { Walked } from './walk.ts'

const SPOOL_ID = /^[\w-]{1,64}$/

export class FileSources {
  readonly #spool: string

  /** `spool`: the folder of what was handed to the spool, one file an ID. */
  constructor(spool: string) {
    this.#spool = spool
  }

  async look(ref: SourceRef): Promise<SourceLook> {
    const path = this.#pathOf(ref)
    const name = basename(path)
    if (await isFolder(path)) {
      const { files, size, skipped, print } = await walk(path)
      return { name, isFolder: true, files, size, skipped, print }
    }
    const { stamp } = await lookAt(path)
    return { name, isFolder: false, files: 1, size: stamp.size, skipped: 0, print: printOf(stamp) }
  }

  async manifest(ref: SourceRef): Promise<readonly ManifestEntry[]> {
    return manifestOf(await walk(this.#pathOf(ref)))
  }

  async open(ref: SourceRef, as: 'plain' | 'stream' | 'archive', print: string): Promise<FilesReader | StreamReader> {
    const path = this.#pathOf(ref)
    if (as === 'plain') {
      const file = await lookAt(path)
      if (printOf(file.stamp) !== print) throw changed()
      return new FilesReader([file], true)
    }
    const walked = await walk(path)
    if (walked.print !== print) throw changed()
    if (as === 'archive') return archiveOf(basename(path), walked.found)
    return new FilesReader(walked.found.flatMap(({ absolute, stamp }) => (stamp ? [{ absolute, stamp }] : [])), false)
  }

  #pathOf(ref: SourceRef): string {
    if (ref.kind === 'path' && isAbsolute(ref.path)) return ref.path
    if (ref.kind === 'spool' && SPOOL_ID.test(ref.id)) return join(this.#spool, ref.id)
    throw new SourceFault('source-unreadable', 'what is to be sent is named by its whole path')
  }
}

/** The sources of this computer; `spool` is the folder of what was handed to the spool. */
export function makeSources({ spool }: { readonly spool: string }): FileSources {
  return new FileSources(spool)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw faultOf(error)
  }
}

async function lookAt(path: string): Promise<StampedFile> {
  try {
    const stats = await stat(path, { bigint: true })
    if (stats.isDirectory()) throw changed()
    if (!stats.isFile()) throw new SourceFault('source-unreadable', 'only files and folders can be sent')
    return { absolute: path, stamp: stampOf(stats) }
  } catch (error) {
    throw faultOf(error)
  }
}

function manifestOf({ found }: Walked): ManifestEntry[] {
  return found.map(({ path, stamp, mtimeMs }) => ({ path, size: stamp?.size ?? -1, mtimeMs: Math.trunc(mtimeMs) }))
}
