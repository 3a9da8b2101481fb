/**
 * Keeps the engine's state key in the system's own safe, through Electron's safeStorage: Keychain, DPAPI, or the keyring.
 *
 *   engine-keys.json   { NAME: base64(what safeStorage made of the key) }      0600, beside the app's settings
 *
 * On Linux safeStorage without a keyring "encrypts" with a password that everybody knows: that is refused.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Of Electron's safeStorage what is used. */
export interface Safe {
  isEncryptionAvailable(): boolean
  getSelectedStorageBackend?(): string
  encryptString(text: string): Buffer
  decryptString(encrypted: Buffer): string
}

export interface KeyAnswer {
  readonly kind: 'state-key'
  readonly id: number
  readonly key?: string
  readonly failure?: string
}

export class StateKeys {
  readonly #safe: Safe
  readonly #path: string

  constructor(safe: Safe, path: string) {
    this.#safe = safe
    this.#path = path
  }

  /** Answers a message of the engine; undefined when it is about something else. */
  handle(message: unknown): KeyAnswer | undefined {
    if (typeof message !== 'object' || message === null) return undefined
    const { kind, id, op, name, key } = message as Record<string, unknown>
    if (kind !== 'state-key' || typeof id !== 'number' || typeof name !== 'string' || !/^[0-9a-f]{16}$/.test(name)) return undefined
    try {
      return { kind, id, ...this.#do(op, name, key) }
    } catch (error) {
      return { kind, id, failure: `the system's safe for secrets failed (${error instanceof Error ? error.message : String(error)})` }
    }
  }

  #do(op: unknown, name: string, key: unknown): { key?: string; failure?: string } {
    const kept = this.#read()
    if (op === 'remove') {
      this.#write(Object.fromEntries(Object.entries(kept).filter(([other]) => other !== name)))
      return {}
    }
    if (!this.#isSafe()) return { failure: 'the system offers the app no safe place for secrets' }
    if (op === 'save' && typeof key === 'string') {
      this.#write({ ...kept, [name]: this.#safe.encryptString(key).toString('base64') })
      return {}
    }
    const found = kept[name]
    return found === undefined ? {} : { key: this.#safe.decryptString(Buffer.from(found, 'base64')) }
  }

  #isSafe(): boolean {
    return this.#safe.isEncryptionAvailable() && !['basic_text', 'unknown'].includes(this.#safe.getSelectedStorageBackend?.() ?? 'system')
  }

  #read(): Readonly<Record<string, string>> {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw error
    }
    const raw: unknown = JSON.parse(text)
    if (typeof raw !== 'object' || raw === null) throw new Error(`${this.#path} is damaged`)
    return Object.fromEntries(Object.entries(raw).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  }

  #write(kept: Readonly<Record<string, string>>): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    writeFileSync(`${this.#path}.tmp`, JSON.stringify(kept), { mode: 0o600, flush: true })
    renameSync(`${this.#path}.tmp`, this.#path)
  }
}
