/**
 * A zstd frame of given bytes, with Node's compressor where it has one and stored blocks where it has not.
 *
 *   magic 28 b5 2f fd | descriptor e0 (single segment, 8 B content size) | content size u64 LE | blocks
 *   block = header u24 LE (last 1 bit | type 2 bits = 0 stored | size 21 bits) | bytes, at most 128 KiB
 *
 * Source: RFC 8878 §3.1.1.
 */
import zlib from 'node:zlib'

const MAX_BLOCK_BYTES = 128 * 1024

/** One whole zstd frame; decompresses to exactly `bytes`. */
export function zstdFrame(bytes: Uint8Array): Uint8Array {
  const compress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync
  return compress ? compress(bytes) : storedFrame(bytes)
}

/** The frame with every block stored as it is: any decoder takes it. */
export function storedFrame(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / MAX_BLOCK_BYTES))
  const out = Buffer.alloc(13 + 3 * blocks + bytes.length)
  out.writeUInt32LE(0xfd2fb528, 0)
  out[4] = 0xe0
  out.writeBigUInt64LE(BigInt(bytes.length), 5)
  let at = 13
  for (let block = 0; block < blocks; block++) {
    const part = bytes.subarray(block * MAX_BLOCK_BYTES, (block + 1) * MAX_BLOCK_BYTES)
    out.writeUIntLE((part.length << 3) | (block === blocks - 1 ? 1 : 0), at, 3)
    out.set(part, at + 3)
    at += 3 + part.length
  }
  return out
}
