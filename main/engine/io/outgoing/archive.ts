/**
 * A folder as one zip file, for devices that take files alone: nothing is packed smaller, so its size is known before, and the
 * bytes are the same each time (a broken transfer goes on). Files over 4 GiB and more than 65,535 of them are in it by zip64.
 */
import { PassThrough, Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import { FilesReader } from './files-reader.ts'
import { StreamReader } from './stream-reader.ts'
import type { Found } from './walk.ts'

const FILE_MODE = 0o100644
const FOLDER_MODE = 0o040755
const CHUNK_BYTES = 64 << 10

/** `name`: the folder that everything in it lies below. The reader rejects with SourceFault when something has changed since. */
export function archiveOf(name: string, found: readonly Found[]): StreamReader {
  const zip = new ZipFile()
  const out = new PassThrough({ highWaterMark: 1 << 20 })
  const open = new Set<Readable>()
  zip.on('error', (error) => out.destroy(error))
  zip.outputStream.on('error', (error) => out.destroy(error)).pipe(out)
  for (const { path, absolute, stamp, mtimeMs } of found) {
    const mtime = new Date(mtimeMs)
    if (!stamp) zip.addEmptyDirectory(`${name}/${path}`, { mtime, mode: FOLDER_MODE })
    else {
      zip.addReadStreamLazy(`${name}/${path}`, { mtime, mode: FILE_MODE, size: stamp.size, compress: false }, (give) => {
        const stream = Readable.from(chunksOf(new FilesReader([{ absolute, stamp }], false)), { objectMode: false, highWaterMark: CHUNK_BYTES })
        open.add(stream)
        stream.once('error', (error) => out.destroy(error)).once('close', () => open.delete(stream))
        give(null, stream)
      })
    }
  }
  let size = -1
  // Its types leave away what the callback is told.
  zip.end({ forceZip64Format: false, comment: '' }, (...told: unknown[]) => (size = told[0] as number))
  return new StreamReader(out, size, () => {
    for (const stream of open) stream.destroy()
  })
}

async function* chunksOf(reader: FilesReader): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const bytes = await reader.read(CHUNK_BYTES)
      if (bytes.length === 0) return
      yield bytes
    }
  } finally {
    await reader.close()
  }
}
