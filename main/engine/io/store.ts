/**
 * Files of the engine's state directory. Every write is whole or not at all: temporary file, fsync, rename, fsync of the
 * directory, with one previous generation beside it.
 *
 *   NAME.json   NAME.json.previous   NAME.json.tmp (a write under way)   NAME.json.damaged-TIME (kept aside)
 *
 * A file that cannot be read as what it should be is kept aside, the previous generation is used, and that is told through
 * `problems`. Files are 0600, the directory 0700. One engine a directory: see state-lock.ts.
 */
import { closeSync, copyFileSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EngineError, errorText } from '../base/errors.ts'
import type { Clock } from '../base/env.ts'

/** Something was wrong with a file when it was read. */
export interface StoreProblem {
  readonly name: string
  /** Where the damaged file is. */
  readonly keptAside: string
  /** Wall time of the previous generation that is used; undefined = there was no good one, so it starts empty. */
  readonly usedFromMs: number | undefined
}

export interface StoreLoaded<T> {
  readonly value: T
  readonly from: 'current' | 'previous'
  /** Wall time of the file. */
  readonly savedAtMs: number
}

/** How long a `saveLater` waits at least for a newer one. */
const LATER_MS = 500
/** A large file is written so seldom that writing takes no more than one part in this many of the time. */
const LATER_SHARE = 100

export interface StoreOptions {
  readonly dir: string
  /** Paths of single files elsewhere, by name. */
  readonly paths?: Readonly<Record<string, string>>
  readonly clock: Clock
  /** A write that nobody waits for failed. */
  readonly onLateFailure?: (name: string, message: string) => void
}

export class Store {
  readonly #options: StoreOptions
  readonly #problems: StoreProblem[] = []
  readonly #later = new Map<string, { text: () => string; takeBack: () => void }>()
  /** How long the last late write of a file took. */
  readonly #tookMs = new Map<string, number>()

  /** Makes the directory; throws EngineError('io') when that cannot be. */
  constructor(options: StoreOptions) {
    this.#options = options
    for (const dir of [options.dir, ...Object.values(options.paths ?? {}).map((path) => dirname(path))]) {
      try {
        mkdirSync(dir, { recursive: true, mode: 0o700 })
      } catch (error) {
        throw new EngineError('io', `The state directory ${dir} cannot be made: ${errorText(error)}. Choose another with --statedir.`, { cause: error })
      }
    }
  }

  /** The newest good generation, as `parse` reads it; undefined when there is none. */
  load<T>(name: string, parse: (text: string) => T | undefined): StoreLoaded<T> | undefined {
    const path = this.#path(name)
    const current = readGood(path, parse)
    if (current.kind === 'good') return { value: current.value, from: 'current', savedAtMs: current.savedAtMs }
    const previous = readGood(`${path}.previous`, parse)
    if (current.kind === 'bad') {
      const keptAside = this.#putAside(path)
      this.#problems.push({ name, keptAside, usedFromMs: previous.kind === 'good' ? previous.savedAtMs : undefined })
    }
    if (previous.kind === 'bad') this.#putAside(`${path}.previous`)
    return previous.kind === 'good' ? { value: previous.value, from: 'previous', savedAtMs: previous.savedAtMs } : undefined
  }

  /** What was wrong in all reads so far. */
  problems(): readonly StoreProblem[] {
    return this.#problems
  }

  /** On disk when it returns. Throws EngineError('io'). */
  save(name: string, text: string): void {
    this.#cancel(name)
    try {
      writeWhole(this.#path(name), text)
    } catch (error) {
      throw new EngineError('io', `${this.#path(name)} cannot be written: ${errorText(error)}. Free space, or check who may write there.`, { cause: error })
    }
  }

  /** Saves soon; of several in a row only the last is made into text and written. */
  saveLater(name: string, text: () => string): void {
    const waiting = this.#later.get(name)
    if (waiting) {
      waiting.text = text
      return
    }
    const delayMs = Math.max(LATER_MS, LATER_SHARE * (this.#tookMs.get(name) ?? 0))
    const takeBack = this.#options.clock.after(delayMs, () => this.#flushOne(name))
    this.#later.set(name, { text, takeBack })
  }

  /** Writes what still waits; for the end of the process. */
  flush(): void {
    for (const name of this.#later.keys()) this.#flushOne(name)
  }

  /** Takes away both generations. */
  remove(name: string): void {
    this.#cancel(name)
    for (const suffix of ['', '.previous', '.tmp']) rmSync(this.#path(name) + suffix, { force: true })
  }

  #flushOne(name: string): void {
    const waiting = this.#later.get(name)
    if (!waiting) return
    const startedMs = this.#options.clock.nowMs()
    try {
      this.save(name, waiting.text())
      this.#tookMs.set(name, this.#options.clock.nowMs() - startedMs)
    } catch (error) {
      this.#options.onLateFailure?.(name, errorText(error))
    }
  }

  #cancel(name: string): void {
    this.#later.get(name)?.takeBack()
    this.#later.delete(name)
  }

  #path(name: string): string {
    return this.#options.paths?.[name] ?? join(this.#options.dir, `${name}.json`)
  }

  #putAside(path: string): string {
    const at = new Date(this.#options.clock.wallMs()).toISOString().replaceAll(':', '-')
    const aside = `${path}.damaged-${at}`
    try {
      renameSync(path, aside)
    } catch {
      return path
    }
    return aside
  }
}

type Read<T> = { readonly kind: 'good'; readonly value: T; readonly savedAtMs: number } | { readonly kind: 'none' } | { readonly kind: 'bad' }

/** Beyond this a state file is none of ours. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

function readGood<T>(path: string, parse: (text: string) => T | undefined): Read<T> {
  let text: string
  let savedAtMs: number
  try {
    const stat = statSync(path)
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return { kind: 'bad' }
    savedAtMs = stat.mtimeMs
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' }
    throw new EngineError('io', `${path} cannot be read: ${errorText(error)}`, { cause: error })
  }
  const value = parse(text)
  return value === undefined ? { kind: 'bad' } : { kind: 'good', value, savedAtMs }
}

/** Replaces a file whole; whatever happens, one good generation is at `path` or at `path`.previous. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.tmp`
  const fd = openSync(temporary, 'w', 0o600)
  try {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  if (existsSync(path)) keepPrevious(path)
  renameSync(temporary, path)
  fsyncDirectory(dirname(path))
}

function keepPrevious(path: string): void {
  const link = join(dirname(path), `.${basename(path)}.link`)
  rmSync(link, { force: true })
  try {
    linkSync(path, link)
  } catch {
    // File systems without hard links get a copy.
    copyFileSync(path, link)
  }
  renameSync(link, `${path}.previous`)
}

function fsyncDirectory(dir: string): void {
  // Windows has no way to open a directory for this.
  if (process.platform === 'win32') return
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
