/**
 * A folder as one zip file, on its way: for engines that cannot read it themselves, and for daemons that know files alone.
 * Regular files and empty folders; links are neither followed nor packed.
 */
import { createReadStream, lstatSync, opendirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { ZipFile } from 'yazl'

/** The zip as it is made; it fails with what a file failed with. Throws what the folder cannot be looked at for. */
export function zipOf(folder: string): Readable {
  const zip = new ZipFile()
  const out = new PassThrough({ highWaterMark: 1 << 20 })
  zip.on('error', (error) => out.destroy(error))
  zip.outputStream.pipe(out)
  addAll(zip, folder, basename(folder), out)
  zip.end()
  return out
}

function addAll(zip: ZipFile, folder: string, path: string, out: PassThrough): void {
  const entries = opendirSync(folder)
  let count = 0
  for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
    const [absolute, below] = [join(folder, entry.name), `${path}/${entry.name}`]
    count++
    if (entry.isDirectory()) addAll(zip, absolute, below, out)
    else if (entry.isFile()) {
      const { mtime, size } = lstatSync(absolute)
      zip.addReadStreamLazy(below, { mtime, size, mode: 0o100644, compress: false }, (give) => {
        give(null, createReadStream(absolute, { end: Math.max(size - 1, 0) }).on('error', (error) => out.destroy(error)))
      })
    }
  }
  entries.closeSync()
  if (count === 0) zip.addEmptyDirectory(path)
}
