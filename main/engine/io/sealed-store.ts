/**
 * A store some of whose files are sealed with a key that lies elsewhere (key-keeper.ts), so that a copy of the directory is
 * worth nothing. The file is one envelope:
 *
 *   { "sealed": 1, "keeper": KIND, "name": NAME, "box": base64(nonce 24 B | tag 16 B | text under XSalsa20-Poly1305) }
 *
 * Plain files are read too: that is how they were before, and how they stay where there is no keeper.
 */
import { boxOpen, boxSeal } from '../base/crypto.ts'
import { EngineError } from '../base/errors.ts'
import type { Random } from '../base/env.ts'
import type { KeyKeeper } from './key-keeper.ts'
import type { Store, StoreLoaded, StoreProblem } from './store.ts'

export interface SealKey {
  readonly keeper: KeyKeeper['kind']
  readonly name: string
  /** 32 B. */
  readonly key: Uint8Array
}

export interface Envelope {
  readonly keeper: string
  readonly name: string
  readonly box: Uint8Array
}

const NONCE_BYTES = 24

/** The envelope that a file's text is; undefined for plain text and rubbish. */
export function parseEnvelope(text: string): Envelope | undefined {
  // A plain state file need not be parsed twice.
  if (!text.startsWith('{"sealed":1,')) return undefined
  try {
    const { keeper, name, box } = JSON.parse(text) as Record<string, unknown>
    if (typeof keeper !== 'string' || typeof name !== 'string' || typeof box !== 'string') return undefined
    return { keeper, name, box: Buffer.from(box, 'base64') }
  } catch {
    return undefined
  }
}

export class SealedStore {
  readonly #store: Store
  readonly #random: Random
  readonly #sealed: ReadonlySet<string>
  #key: SealKey | undefined

  constructor(options: { readonly store: Store; readonly random: Random; readonly sealed: readonly string[] }) {
    this.#store = options.store
    this.#random = options.random
    this.#sealed = new Set(options.sealed)
  }

  /** What files are sealed with from here on; undefined = they are written as they are. */
  setKey(key: SealKey | undefined): void {
    this.#key = key
  }

  /** The newest good generation; a file sealed with a key that is not here is refused, never set aside. */
  load<T>(name: string, parse: (text: string) => T | undefined): StoreLoaded<T> | undefined {
    if (!this.#sealed.has(name)) return this.#store.load(name, parse)
    return this.#store.load(name, (text) => {
      const plain = this.#open(text)
      return plain === undefined ? undefined : parse(plain)
    })
  }

  save(name: string, text: string): void {
    this.#store.save(name, this.#seal(name, text))
  }

  replace(name: string, text: string): void {
    this.#store.replace(name, this.#seal(name, text))
  }

  saveLater(name: string, text: () => string): void {
    this.#store.saveLater(name, () => this.#seal(name, text()))
  }

  flush(): void {
    this.#store.flush()
  }

  remove(name: string): void {
    this.#store.remove(name)
  }

  problems(): readonly StoreProblem[] {
    return this.#store.problems()
  }

  #open(text: string): string | undefined {
    const envelope = parseEnvelope(text)
    if (!envelope) return text
    const key = this.#key
    if (!key || key.name !== envelope.name) throw new EngineError('bad-state-file', "is sealed with a key that is not at hand. Unlock the system's keyring and start again; the file was left as it is.")
    const plain = boxOpen(key.key, envelope.box.subarray(0, NONCE_BYTES), envelope.box.subarray(NONCE_BYTES))
    return plain && Buffer.from(plain).toString('utf8')
  }

  #seal(name: string, text: string): string {
    const key = this.#key
    if (!key || !this.#sealed.has(name)) return text
    const nonce = this.#random.bytes(NONCE_BYTES)
    const box = Buffer.concat([nonce, boxSeal(key.key, nonce, Buffer.from(text))]).toString('base64')
    return JSON.stringify({ sealed: 1, keeper: key.keeper, name: key.name, box })
  }
}
