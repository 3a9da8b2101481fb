/**
 * The place of the local socket: its directory is made, a socket that a dead engine left is taken away, and nothing else
 * is ever removed.
 */
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { EngineError, errorText } from '../base/errors.ts'

/** Unix socket paths are this long at most (sun_path less its end). */
const MAX_SOCKET_PATH = process.platform === 'darwin' ? 103 : 107

/** Makes the directory, and removes a socket that nobody serves. Throws EngineError('already-running' | 'bad-argument' | 'io'). */
export async function makeWay(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new EngineError('bad-argument', `The socket path ${path} is longer than the ${MAX_SOCKET_PATH} bytes that the system allows. Choose a shorter --socket.`)
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  } catch (error) {
    throw new EngineError('io', `The directory of the socket ${path} cannot be made: ${errorText(error)}. Choose another --socket.`, { cause: error })
  }
  const state = await probe(path)
  if (state === 'served') throw new EngineError('already-running', `${path} is already served by another engine. Stop it, or choose another --socket.`)
  if (state === 'stale') rmSync(path, { force: true })
  if (state === 'other') throw new EngineError('io', `${path} exists and is not a socket that may be replaced. Choose another --socket.`)
}

async function probe(path: string): Promise<'free' | 'stale' | 'served' | 'other'> {
  // Connecting to a plain file is refused just as to a dead socket is; nobody's file may be removed.
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'free'
  if (!stat.isSocket()) return 'other'
  return await new Promise((resolve) => {
    const socket = connect({ path })
    const done = (answer: 'free' | 'stale' | 'served' | 'other'): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done('served'))
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ENOENT' ? 'free' : error.code === 'ECONNREFUSED' ? 'stale' : 'other'))
  })
}
