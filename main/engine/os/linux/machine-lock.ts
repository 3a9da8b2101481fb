/**
 * One engine alone may have the computer: a lock on /run/bowline/machine.lock that the kernel takes back at death, or where files cannot be
 * locked an abstract socket's name. Who has it is written in the file, for people.
 *
 * A network namespace that is not the machine's own has a lock of its own.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { errorText } from '../../base/errors.ts'
import type { Problem } from './ports.ts'
import { namespaceSuffix } from './runtime-file.ts'

/** Takes the lock of an open file without waiting; false: another has it. Throws where files cannot be locked. */
export type LockFile = (fd: number) => boolean

export class LinuxMachineLock {
  readonly #lockFile: LockFile | undefined
  readonly #dir: string
  #fd: number | undefined
  #server: Server | undefined

  constructor(options: { readonly lockFile: LockFile | undefined; readonly runtimeDir?: string }) {
    this.#lockFile = options.lockFile
    this.#dir = options.runtimeDir ?? '/run/bowline'
  }

  /** Why not, or undefined when it is ours, also when it was already. */
  async take(): Promise<Problem | undefined> {
    if (this.#fd !== undefined || this.#server !== undefined) return undefined
    if (this.#lockFile === undefined) return this.#takeName()
    try {
      mkdirSync(this.#dir, { recursive: true, mode: 0o755 })
    } catch (error) {
      return { code: 'no-rights', text: `The lock of the computer cannot be made: ${errorText(error)}.` }
    }
    return this.#takeFile(join(this.#dir, `machine${namespaceSuffix()}.lock`), this.#lockFile)
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#server?.close()
    this.#fd = this.#server = undefined
  }

  #takeFile(path: string, lockFile: LockFile): Problem | undefined {
    let fd: number | undefined
    try {
      fd = openSync(path, 'a+', 0o600)
      if (lockFile(fd)) {
        ftruncateSync(fd)
        writeSync(fd, `${process.pid}\n`)
        this.#fd = fd
        return undefined
      }
      closeSync(fd)
      return otherEngine(readFileSync(path, 'utf8').slice(0, 20))
    } catch (error) {
      if (fd !== undefined) closeSync(fd)
      return { code: 'no-rights', text: `The lock of the computer cannot be taken: ${errorText(error)}.` }
    }
  }

  /** Names of this kind are of the network namespace, and gone with their process. */
  #takeName(): Promise<Problem | undefined> {
    const server = createServer((socket) => socket.destroy()).unref()
    return new Promise((resolve) => {
      server.once('error', () => resolve(otherEngine('')))
      server.listen('\0bowline-machine', () => {
        this.#server = server
        resolve(undefined)
      })
    })
  }
}

function otherEngine(pid: string): Problem {
  const who = /^\d+\s*$/.test(pid) ? ` (process ${pid.trim()})` : ''
  return { code: 'other-engine', text: `Another Bowline engine${who} has the computer. Stop it, or go on with apps only.` }
}
