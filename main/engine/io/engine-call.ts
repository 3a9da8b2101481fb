/**
 * Asks another engine of this computer over its Unix socket, once it is known whose it is: nothing is sent to an engine of another user than
 * those named. Source of that: what the kernel says of who listens there.
 */
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { EngineError } from '../base/errors.ts'

const LIMIT_MS = 20_000
const ANSWER_LIMIT_BYTES = 1 << 20
const HOST = 'local-tailscaled.sock'

export interface EngineCall {
  readonly socketPath: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  /** Whose engine may be there. */
  readonly mayBe: (uid: number) => boolean
  readonly peerCredentials: (fd: number) => { readonly uid: number } | undefined
}

/** The JSON of its answer. Rejects with EngineError: 'not-found' nobody serves there, 'access-denied' it is another's, 'bad-argument' it refused, 'io' the rest. */
export async function callEngine(call: EngineCall): Promise<unknown> {
  const socket = await connected(call.socketPath)
  try {
    const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd
    const owner = fd === undefined ? undefined : call.peerCredentials(fd)
    if (!owner || !call.mayBe(owner.uid)) throw new EngineError('access-denied', `The engine at ${call.socketPath} is of another user, so it is given nothing.`)
    return await exchange(call, socket)
  } finally {
    socket.destroy()
  }
}

function connected(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath })
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      reject(new EngineError(gone ? 'not-found' : 'io', gone ? `Nobody serves ${socketPath}.` : `${socketPath} cannot be reached: ${error.message}`, { cause: error }))
    })
  })
}

function exchange({ method, path, body }: EngineCall, socket: Socket): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(new EngineError('io', `The other engine did not answer: ${error.message}`, { cause: error }))
    const asked = request({
      createConnection: () => socket, method, path, signal: AbortSignal.timeout(LIMIT_MS),
      headers: { host: HOST, connection: 'close', ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) },
    }, (response) => {
      const parts: Buffer[] = []
      let size = 0
      response.on('data', (part: Buffer) => {
        size += part.length
        if (size > ANSWER_LIMIT_BYTES) response.destroy(new Error('it says too much'))
        else parts.push(part)
      })
      response.on('error', fail)
      response.on('end', () => {
        const said = Buffer.concat(parts).toString('utf8')
        if (response.statusCode === 200) return resolve(parsed(said))
        // What it says may be anybody's words.
        // eslint-disable-next-line no-control-regex
        reject(new EngineError(response.statusCode === 403 ? 'access-denied' : 'bad-argument', `The other engine refused (${response.statusCode}): ${said.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim().slice(0, 300)}`))
      })
    })
    asked.on('error', fail)
    asked.end(text)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
