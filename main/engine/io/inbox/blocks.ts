/**
 * Hashes of 64 KiB blocks of what is there, the same for one file and for the files of a folder one after the other.
 */
import { createHash } from 'node:crypto'
import type { BlockHash } from '../../core/taildrop/files.ts'
import { BLOCK_BYTES } from '../../core/taildrop/wire.ts'
import type { DiskFile } from './disk.ts'
import { readPieces } from './partial.ts'

const blockOf = (bytes: Uint8Array): BlockHash => ({ checksum: createHash('sha256').update(bytes).digest('hex'), algo: 'sha256', size: bytes.length })

/** Blocks of the first `size` bytes of each file, taken as one stream; every block but the last is whole. */
export async function* blocksOf(files: AsyncIterable<{ readonly file: DiskFile; readonly size: number }> | Iterable<{ readonly file: DiskFile; readonly size: number }>): AsyncGenerator<BlockHash> {
  const rest = Buffer.allocUnsafe(BLOCK_BYTES)
  let held = 0
  for await (const { file, size } of files) {
    for await (const piece of readPieces(file, 0, size)) {
      for (let at = 0; at < piece.length; ) {
        if (held === 0 && piece.length - at >= BLOCK_BYTES) {
          yield blockOf(piece.subarray(at, at + BLOCK_BYTES))
          at += BLOCK_BYTES
          continue
        }
        const taken = Math.min(BLOCK_BYTES - held, piece.length - at)
        rest.set(piece.subarray(at, at + taken), held)
        held += taken
        at += taken
        if (held < BLOCK_BYTES) continue
        yield blockOf(rest)
        held = 0
      }
    }
  }
  if (held > 0) yield blockOf(rest.subarray(0, held))
}
