/**
 * LocalAPI's files/: what came in and waits with the engine.
 *
 *   GET files/?waitsec=N   [{Name, Size}], null when there is none (after N seconds without one)
 *   GET files/NAME         its content      DELETE files/NAME   204, also when there is none
 *
 * Statuses and words are those of a real 1.102.5; partial files and links, which it gives out, are not there for us, and a folder is there
 * as NAME.zip.
 */
import { pipeline } from 'node:stream/promises'
import type { Call } from './handlers.ts'
import { empty, json, text } from './reply.ts'
import type { Reply } from './reply.ts'

const WAIT_SEC = /^[+-]?\d{1,9}$/

export async function files(call: Call): Promise<Reply> {
  const { rest, request, taildrop } = call
  if (rest === '') return request.method === 'GET' ? list(call) : text(400, 'want GET to list files')
  const name = decoded(rest)
  if (name === undefined) return text(400, '400 Bad Request')
  if (request.method === 'DELETE') {
    await taildrop.files.remove(name)
    return empty(204)
  }
  return content(call, name)
}

async function list({ query, response, taildrop }: Call): Promise<Reply> {
  const wait = query.get('waitsec') ?? ''
  if (wait !== '' && !WAIT_SEC.test(wait)) return text(400, 'invalid waitsec')
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  response.once('close', onClose)
  try {
    const found = await taildrop.files.list(Number(wait) * 1_000, gone.signal)
    return json(found.length === 0 ? null : found.map(({ name, size }) => ({ Name: name, Size: size })))
  } finally {
    response.off('close', onClose)
  }
}

async function content({ request, response, taildrop }: Call, name: string): Promise<Reply> {
  const found = await taildrop.files.read(name)
  if (!found) return text(404, `There is no file ${JSON.stringify(name)} here.`)
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': found.size })
  if (request.method === 'HEAD') {
    response.end()
    found.stream.destroy()
    return { kind: 'streams' }
  }
  // Who asks may go; a file that cannot be read to its end must not look as if it had been.
  await pipeline(found.stream, response).catch(() => response.destroy())
  return { kind: 'streams' }
}

function decoded(rest: string): string | undefined {
  try {
    return decodeURIComponent(rest)
  } catch {
    // Valid escapes of bytes that are no text make a bad name, others a bad request.
    return /%(?![\da-f]{2})/i.test(rest) ? undefined : '\0'
  }
}
