/**
 * Remembers where the main window was: one small JSON file, written beside and renamed. Anything wrong with it means "not remembered".
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readPlacement, type Placement } from './placement.ts'

const LIMIT_BYTES = 4096

export class PlacementFile {
  readonly #path: string
  #kept = ''

  constructor(path: string) {
    this.#path = path
  }

  load(): Placement | undefined {
    try {
      const text = readFileSync(this.#path, 'utf8')
      return text.length > LIMIT_BYTES ? undefined : readPlacement(JSON.parse(text))
    } catch {
      return undefined
    }
  }

  /** A place that cannot be kept is forgotten: that is no fault worth telling. */
  save(placement: Placement): void {
    const text = JSON.stringify(placement)
    if (text === this.#kept) return
    this.#kept = text
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      writeFileSync(`${this.#path}.tmp`, text, { mode: 0o600, flush: true })
      renameSync(`${this.#path}.tmp`, this.#path)
    } catch {
      this.#kept = ''
    }
  }
}
