/**
 * Files of the engine's state directory. Every write is whole or not at all: temporary file, fsync, read back, rename,
 * fsync of the directory, with one previous generation beside it.
 *
 *   NAME.json   NAME.json.previous   NAME.json.tmp (a write under way)   NAME.json.damaged-TIME (kept aside)
 *
 * A file that cannot be read as what it should be is kept aside, the previous generation is used, and that is told through
 * `problems`. Files are 0600, the directory 0700. One engine a directory: see state-lock.ts.
 */
import * as nodeFs from 'node:fs'
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

/** What the store asks of the file system; tests put faults and the end of the process between. */
export type StoreFs = Pick<
  typeof nodeFs,
  'closeSync' | 'copyFileSync' | 'existsSync' | 'fsyncSync' | 'linkSync' | 'mkdirSync' | 'openSync' | 'readFileSync' | 'renameSync' | 'rmSync' | 'statSync' | 'writeSync'
>

export interface StoreOptions {
  readonly dir: string
  /** Paths of single files elsewhere, by name. */
  readonly paths?: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly fs?: StoreFs
  /** A write that nobody waits for failed. */
  readonly onLateFailure?: (name: string, message: string) => void
}

export class Store {
  readonly #options: StoreOptions
  readonly #fs: StoreFs
  readonly #problems: StoreProblem[] = []
  readonly #later = new Map<string, { text: () => string; takeBack: () => void }>()
  /** How long the last late write of a file took. */
  readonly #tookMs = new Map<string, number>()

  /** Makes the directory; throws EngineError('io') when that cannot be. */
  constructor(options: StoreOptions) {
    this.#options = options
    this.#fs = options.fs ?? nodeFs
    for (const dir of [options.dir, ...Object.values(options.paths ?? {}).map((path) => dirname(path))]) {
      try {
        this.#fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
      } catch (error) {
        throw new EngineError('io', `The state directory ${dir} cannot be made: ${errorText(error)}. Choose another with --statedir.`, { cause: error })
      }
    }
  }

  /** The newest good generation, as `parse` reads it; undefined when there is none. */
  load<T>(name: string, parse: (text: string) => T | undefined): StoreLoaded<T> | undefined {
    const path = this.#path(name)
    const current = readGood(this.#fs, path, parse)
    if (current.kind === 'good') return { value: current.value, from: 'current', savedAtMs: current.savedAtMs }
    const previous = readGood(this.#fs, `${path}.previous`, parse)
    if (current.kind === 'bad') {
      const keptAside = this.#putAside(path)
      this.#problems.push({ name, keptAside, usedFromMs: previous.kind === 'good' ? previous.savedAtMs : undefined })
    }
    if (previous.kind === 'bad') this.#putAside(`${path}.previous`)
    return previous.kind === 'good' ? { value: previous.value, from: 'previous', savedAtMs: previous.savedAtMs } : undefined
  }

  /** The texts of both generations, the newest first, whatever they are; missing ones are left out. */
  peek(name: string): readonly string[] {
    const path = this.#path(name)
    return [path, `${path}.previous`].flatMap((file) => {
      const read = readGood(this.#fs, file, (text) => text)
      return read.kind === 'good' ? [read.value] : []
    })
  }

  /** What was wrong in all reads so far. */
  problems(): readonly StoreProblem[] {
    return this.#problems
  }

  /** On disk when it returns. Throws EngineError('io'). */
  save(name: string, text: string): void {
    this.#write(name, (path) => writeWhole(this.#fs, path, text, 'keep'))
  }

  /** The same, and from the moment of the change on no generation holds what was there before: for secrets given up. */
  replace(name: string, text: string): void {
    this.#write(name, (path) => {
      this.#fs.rmSync(`${path}.previous`, { force: true })
      this.#fs.rmSync(linkPath(path), { force: true })
      writeWhole(this.#fs, path, text, 'drop')
      // Written again, not linked: damage to one generation must not be damage to both.
      writeWhole(this.#fs, path, text, 'keep')
    })
  }

  #write(name: string, write: (path: string) => void): void {
    this.#cancel(name)
    try {
      write(this.#path(name))
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
    const path = this.#path(name)
    // The previous generation first: after a power cut between the two nothing old comes back.
    for (const file of [`${path}.previous`, `${path}.tmp`, linkPath(path), path]) this.#fs.rmSync(file, { force: true })
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
      this.#fs.renameSync(path, aside)
    } catch {
      return path
    }
    return aside
  }
}

type Read<T> = { readonly kind: 'good'; readonly value: T; readonly savedAtMs: number } | { readonly kind: 'none' } | { readonly kind: 'bad' }

/** Beyond this a state file is none of ours. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

function readGood<T>(fs: StoreFs, path: string, parse: (text: string) => T | undefined): Read<T> {
  let text: string
  let savedAtMs: number
  try {
    const stat = fs.statSync(path)
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return { kind: 'bad' }
    savedAtMs = stat.mtimeMs
    text = fs.readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' }
    throw new EngineError('io', `${path} cannot be read: ${errorText(error)}. Check who may read it; nothing was changed.`, { cause: error })
  }
  const value = parseFile(path, text, parse)
  return value === undefined ? { kind: 'bad' } : { kind: 'good', value, savedAtMs }
}

/** A refusal of `parse` gets the file's name; whatever else it throws means that the file makes no sense. */
function parseFile<T>(path: string, text: string, parse: (text: string) => T | undefined): T | undefined {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `${path} ${error.message}`, { cause: error })
    return undefined
  }
}

/** Replaces a file whole; whatever happens, one good generation is at `path` or at `path`.previous. */
function writeWhole(fs: StoreFs, path: string, text: string, before: 'keep' | 'drop'): void {
  const temporary = `${path}.tmp`
  try {
    const bytes = Buffer.from(text)
    const fd = fs.openSync(temporary, 'w', 0o600)
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    if (!fs.readFileSync(temporary).equals(bytes)) throw new Error('what was written cannot be read back')
  } catch (error) {
    // A full disk needs the room.
    fs.rmSync(temporary, { force: true })
    throw error
  }
  if (before === 'keep' && fs.existsSync(path)) keepPrevious(fs, path)
  fs.renameSync(temporary, path)
  fsyncDirectory(fs, dirname(path))
}

const linkPath = (path: string): string => join(dirname(path), `.${basename(path)}.link`)

function keepPrevious(fs: StoreFs, path: string): void {
  const link = linkPath(path)
  fs.rmSync(link, { force: true })
  try {
    fs.linkSync(path, link)
  } catch {
    // File systems without hard links get a copy.
    fs.copyFileSync(path, link)
  }
  fs.renameSync(link, `${path}.previous`)
}

function fsyncDirectory(fs: StoreFs, dir: string): void {
  // Windows has no way to open a directory for this.
  if (process.platform === 'win32') return
  const fd = fs.openSync(dir, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
