/**
 * The bytes of something to send, read here: for the engine's spool, and for daemons that take nothing else.
 */
import { createReadStream } from 'node:fs'
import { PassThrough, Transform, type Readable } from 'node:stream'
import { usageError } from '../exit.ts'
import type { Terminal } from '../verb.ts'
import { zipOf } from './folder-zip.ts'
import type { Item } from './items.ts'

const CHUNK_BYTES = 256 * 1024

export interface ItemBytes {
  readonly name: string
  /** -1: unknown. */
  readonly size: number
  readonly stream: Readable
}

/** Opens it; a folder becomes a zip file, standard input gets an ending when it is text and was given no name. */
export async function openItem(item: Item, terminal: Terminal): Promise<ItemBytes> {
  if (item.kind === 'folder') return { name: `${item.name}.zip`, size: -1, stream: zipOf(item.path) }
  if (item.kind === 'file') return { name: item.name, size: item.size, stream: item.size === 0 ? empty() : createReadStream(item.path, { end: item.size - 1, highWaterMark: CHUNK_BYTES }) }
  if (item.path !== undefined) return { name: item.name, size: -1, stream: createReadStream(item.path, { highWaterMark: CHUNK_BYTES }) }
  if (!terminal.input) throw usageError('There is no standard input to send.')
  const stream = terminal.input()
  const first = await firstOf(stream)
  return { name: item.name === 'stdin' && isText(first) ? 'stdin.txt' : item.name, size: -1, stream }
}

/** The same bytes; `onCount` hears how many have gone through. It fails when they end before `size` (-1: unknown). */
export function counted(stream: Readable, size: number, onCount: (bytes: number) => void): Readable {
  let count = 0
  const meter = new Transform({
    highWaterMark: CHUNK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      onCount((count += chunk.length))
      done(null, chunk)
    },
    flush: (done) => done(size >= 0 && count !== size ? new Error('it was changed while it was read') : null),
  })
  stream.on('error', (error) => meter.destroy(error))
  meter.on('close', () => stream.destroy())
  return stream.pipe(meter)
}

function empty(): Readable {
  const stream = new PassThrough()
  stream.end()
  return stream
}

/** What comes first, put back to be read again; empty at the end. */
async function firstOf(stream: Readable): Promise<Buffer> {
  for (;;) {
    const chunk = stream.read() as Buffer | null
    if (chunk !== null) {
      stream.unshift(chunk)
      return chunk
    }
    if (stream.readableEnded || stream.destroyed) return Buffer.alloc(0)
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        for (const name of ['readable', 'end', 'close']) stream.off(name, done)
        stream.off('error', done)
        if (error instanceof Error) reject(error)
        else resolve()
      }
      for (const name of ['readable', 'end', 'close', 'error']) stream.on(name, done)
    })
  }
}

/** UTF-8 without control characters, as far as it goes; a character that is cut at the end counts. */
function isText(bytes: Buffer): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    // eslint-disable-next-line no-control-regex
    return text !== '' && !/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text)
  } catch {
    return false
  }
}
