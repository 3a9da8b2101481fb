/**
 * zstd, where Node has it: 22.15 and 23.8 on. Electron's Node 20 has not, so callers ask for plain JSON there.
 */
import * as zlib from 'node:zlib'

type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array
const native = (zlib as { zstdDecompressSync?: Decompress }).zstdDecompressSync

/** Decompresses one whole frame to at most `maxBytes`; throws on anything else. Undefined where Node has no zstd. */
export const zstdDecompress: ((bytes: Uint8Array, maxBytes: number) => Uint8Array) | undefined =
  native && ((bytes, maxBytes) => native(bytes, { maxOutputLength: maxBytes }))
