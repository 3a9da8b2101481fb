/**
 * file-put: content that a program sends on to a device, answered with what the device answers.
 *
 *   PUT  file-put/PEER/NAME   the body is the file
 *   POST file-put/PEER        multipart/form-data: first a JSON list of what comes ([OutgoingFile]), then the files, named as
 *                             in the list; the first that fails ends it
 *
 * Names are as they stand in the URL of the device, percent-escaped. Source: tailscale feature/taildrop/localapi.go.
 */
import { Busboy } from '@fastify/busboy'
import type { Readable } from 'node:stream'
import { EngineError } from '../base/errors.ts'
import type { PutReply } from '../features/taildrop/send/file-put.ts'
import { nameFault } from '../core/taildrop/names.ts'
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

const MAX_LIST_BYTES = 4 << 20
const FILE_BUFFER_BYTES = 1 << 20

export async function filePut(call: Call): Promise<Reply> {
  const { taildrop, request, response, rest } = call
  const isForm = request.method === 'POST'
  const slash = rest.indexOf('/')
  if (!isForm && slash < 0) return text(400, 'bogus URL')
  const peer = isForm ? rest : rest.slice(0, slash)
  try {
    if (!taildrop.targets.stock().some(({ node }) => node.StableID === peer)) return text(404, 'node not found')
  } catch (error) {
    if (error instanceof EngineError) return text(500, error.message)
    throw error
  }
  const gone = new AbortController()
  const leave = (): void => gone.abort()
  response.once('close', leave)
  try {
    if (isForm) return await putForm(call, peer, gone.signal)
    const name = nameOf(rest.slice(slash + 1))
    if (name === undefined) return text(400, 'invalid filename')
    const length = request.headers['content-length']
    return replyOf(await taildrop.filePut.put({ peer, name, size: length === undefined ? -1 : Number(length), content: request, signal: gone.signal }))
  } finally {
    response.off('close', leave)
  }
}

interface Listed {
  readonly id: string | undefined
  readonly name: string
  readonly size: number
}

async function putForm({ taildrop, request }: Call, peer: string, signal: AbortSignal): Promise<Reply> {
  const type = request.headers['content-type'] ?? ''
  if (!/^multipart\/form-data;/i.test(type)) return text(400, 'invalid Content-Type for multipart POST')
  let listed: Map<string, Listed> | undefined
  const take = async (content: Readable, fileName: string | undefined, mime: string): Promise<PutReply> => {
    if (!listed) {
      if (mime !== 'application/json') return { status: 400, text: 'first MIME part must be a JSON map of filename -> size' }
      listed = parseList(await readText(content))
      return listed ? { status: 200, text: '' } : { status: 400, text: 'invalid manifest' }
    }
    const file = listed.get(fileName ?? '')
    const name = file && nameOf(file.name)
    if (!file || name === undefined) return { status: 400, text: 'invalid filename' }
    return taildrop.filePut.put({ ...(file.id === undefined ? {} : { id: file.id }), peer, name, size: file.size, content, signal })
  }
  return replyOf(await eachPart(request, type, take))
}

/** Hands over one part after the other, until one is not taken. Resolves with the last answer; never rejects. */
function eachPart(body: Readable, type: string, take: (content: Readable, fileName: string | undefined, mime: string) => Promise<PutReply>): Promise<PutReply> {
  return new Promise((resolve) => {
    let last: PutReply = { status: 200, text: '' }
    let turn = Promise.resolve()
    let latest: Readable | undefined
    const end = (reply: PutReply): void => {
      body.unpipe()
      resolve(reply)
    }
    const nonsense = (): void => end({ status: 400, text: 'failed to decode multipart/form-data' })
    let parts: InstanceType<typeof Busboy>
    try {
      parts = new Busboy({ headers: { 'content-type': type }, isPartAFile: () => true, fileHwm: FILE_BUFFER_BYTES, limits: { headerPairs: 100, headerSize: 16_384 } })
    } catch {
      return nonsense()
    }
    parts.on('file', (_field, content, fileName, _encoding, mime) => {
      latest = content
      turn = turn.then(async () => {
        if (last.status >= 400) return void content.resume()
        last = await take(content, fileName, mime)
        content.resume()
        if (last.status >= 400) end(last)
      })
    })
    parts.on('error', () => {
      // What breaks off would get an end like what is whole.
      latest?.destroy()
      void turn.then(nonsense)
    })
    parts.on('finish', () => void turn.then(() => end(last)))
    body.once('close', () => {
      if (!body.readableEnded) parts.destroy(new Error('the body broke off'))
    })
    body.pipe(parts)
  })
}

async function readText(content: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of content as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_LIST_BYTES) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseList(list: string): Map<string, Listed> | undefined {
  try {
    const files = JSON.parse(list) as unknown
    if (!Array.isArray(files)) return undefined
    return new Map(files.map(({ ID, Name, DeclaredSize }: { ID?: unknown; Name?: unknown; DeclaredSize?: unknown }) => {
      const name = typeof Name === 'string' ? Name : ''
      return [name, { id: typeof ID === 'string' && /^[\w-]{1,64}$/.test(ID) ? ID : undefined, name, size: Number.isSafeInteger(DeclaredSize) && (DeclaredSize as number) >= 0 ? (DeclaredSize as number) : -1 }]
    }))
  } catch {
    return undefined
  }
}

/** undefined: it cannot be unescaped, or no device takes it. */
function nameOf(escaped: string): string | undefined {
  try {
    const name = decodeURIComponent(escaped)
    return nameFault(name) === undefined ? name : undefined
  } catch {
    return undefined
  }
}

const replyOf = ({ status, text: line }: PutReply): Reply => text(status, line)
