/**
 * How much of a source a device has already: its hashes of 64 KiB blocks beside the source's own, up to the first that differs.
 *
 * The source stands behind what is equal afterwards. What the device says is trusted for nothing but that: nonsense, silence
 * or a list without end stops the comparison where it is; a connection that breaks ends the try, since sending from there on would
 * throw away what the device has behind it.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Clock } from '../../../base/env.ts'
import { isDecodeError } from '../../../base/errors.ts'
import { BLOCK_BYTES, decodeBlockHash } from '../../../core/taildrop/wire.ts'
import type { SourceReader } from '../ports.ts'
import { Conversation } from './conversation.ts'
import type { Answer } from './conversation.ts'
import { SendFault } from './fault.ts'
import type { PeerLink } from './link.ts'
import { Patience } from './patience.ts'

/** Between two pieces of the list. */
const PIECE_MS = 10_000
const MAX_LINE = 1_024

export interface Comparison {
  readonly path: string
  readonly reader: SourceReader
  /** Of the whole source; is given what is equal. */
  readonly whole: Hash | undefined
  readonly signal: AbortSignal
}

/** Bytes that are equal, from the start; or the answer by which we may not send at all. Rejects with SourceFault, and with SendFault when it was aborted. */
export async function compare(link: PeerLink, clock: Clock, { path, reader, whole, signal }: Comparison): Promise<number | Answer> {
  const talk = new Conversation(link, clock, { method: 'GET', path, signal })
  const patience = new Patience(clock, () => talk.fail(new SendFault('silent', 'the device does not answer')))
  patience.renew(PIECE_MS)
  talk.request.end()
  let equal = 0
  let isWhole = (): boolean => false
  try {
    const response = await talk.response
    isWhole = () => response.complete
    patience.rest()
    if (response.statusCode !== 200) {
      const answer = await talk.answer(BLOCK_BYTES)
      // 409: what came of the last try is still being written there; beginning anew would throw it away.
      return answer.status === 403 || answer.status === 409 ? answer : 0
    }
    for await (const line of lines(talk.pieces(PIECE_MS))) {
      const block = decodeBlockHash(line)
      if (isDecodeError(block)) break
      const bytes = await take(reader, block.size)
      if (bytes.length < block.size || createHash('sha256').update(bytes).digest('hex') !== block.checksum) {
        reader.unread(bytes)
        break
      }
      whole?.update(bytes)
      equal += bytes.length
      // Only the last block is shorter.
      if (bytes.length < BLOCK_BYTES) break
    }
  } catch (error) {
    if (!(error instanceof SendFault) || error.code === 'aborted' || error.code === 'away' || error.code === 'broken') throw error
  } finally {
    patience.rest()
    if (!isWhole()) talk.fail(new SendFault('broken', 'enough is known'))
  }
  return equal
}

/** Exactly `size` bytes, fewer at the end. */
async function take(reader: SourceReader, size: number): Promise<Uint8Array> {
  const first = await reader.read(size)
  if (first.length === size || first.length === 0) return first
  const parts = [first]
  let length = first.length
  while (length < size) {
    const more = await reader.read(size - length)
    if (more.length === 0) break
    parts.push(more)
    length += more.length
  }
  return Buffer.concat(parts)
}

/** Ends at a line that is too long. */
async function* lines(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of pieces) {
    const all = (rest + piece.toString('latin1')).split('\n')
    rest = all.pop()!
    // An empty one, too: a list of nothing else would have no end.
    yield* all
    if (rest.length > MAX_LINE) return
  }
  if (rest !== '') yield rest
}
