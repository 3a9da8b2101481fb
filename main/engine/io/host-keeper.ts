/**
 * The key kept by whoever hosts the engine: the desktop app, which puts it into the system's own safe (Keychain, DPAPI). The
 * two speak over the message port of the process.
 *
 *   engine → host   { kind: 'state-key', id, op: 'load' | 'save' | 'remove', name, key? }
 *   host → engine   { kind: 'state-key', id, key?, failure? }        keys in base64; no key and no failure = holds none
 */
import type { KeptKey, KeyKeeper } from './key-keeper.ts'

/** A process's port to its host, as Electron's utility processes have one. */
export interface HostPort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): unknown
}

const LIMIT_MS = 3_000

interface Answer {
  readonly key?: unknown
  readonly failure?: unknown
}

export class HostKeeper implements KeyKeeper {
  readonly kind = 'host'
  readonly #port: HostPort
  readonly #limitMs: number
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #nextId = 1

  constructor(port: HostPort, limitMs = LIMIT_MS) {
    this.#port = port
    this.#limitMs = limitMs
    port.on('message', ({ data }) => {
      if (typeof data !== 'object' || data === null) return
      const { kind, id, ...answer } = data as { kind?: unknown; id?: unknown } & Answer
      if (kind === 'state-key' && typeof id === 'number') this.#waiting.get(id)?.(answer)
    })
  }

  async load(name: string): Promise<KeptKey> {
    const { key, failure } = await this.#ask('load', name)
    if (typeof failure === 'string') return { kind: 'absent', why: failure }
    const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : undefined
    return bytes?.length === 32 ? { kind: 'key', key: Uint8Array.from(bytes) } : { kind: 'none' }
  }

  async save(name: string, key: Uint8Array): Promise<void> {
    const { failure } = await this.#ask('save', name, Buffer.from(key).toString('base64'))
    if (typeof failure === 'string') throw new Error(failure)
  }

  async remove(name: string): Promise<void> {
    await this.#ask('remove', name)
  }

  async #ask(op: 'load' | 'save' | 'remove', name: string, key?: string): Promise<Answer> {
    const id = this.#nextId++
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve)
      timer = setTimeout(() => resolve({ failure: 'the desktop app does not answer' }), this.#limitMs)
    })
    this.#port.postMessage({ kind: 'state-key', id, op, name, ...(key === undefined ? {} : { key }) })
    return await answer.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(id)
    })
  }
}
