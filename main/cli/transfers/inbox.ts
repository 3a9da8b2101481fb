/**
 * Files that wait with the daemon, brought into a folder of this computer.
 *
 *   written under a name of our own (".NAME.RANDOM.bowline"), to the disk, then given its final name in one step
 *   skip        the name is taken: nothing is fetched, the file goes on waiting
 *   overwrite   what has the name is replaced in that one step; a link is replaced itself, never followed
 *   rename      "NAME (1).ext" and so on
 *
 * Only what is on disk under its name is taken away from the daemon.
 */
import { randomBytes } from 'node:crypto'
import { constants, lstatSync } from 'node:fs'
import { link, open, rename, rm, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { nameFault, nextName } from '../../engine/core/taildrop/names.ts'
import type { LocalApi } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { printable } from '../text.ts'
import { markFromInternet } from './mark.ts'

export type Conflict = 'skip' | 'overwrite' | 'rename'

export interface Waiting {
  readonly Name: string
  readonly Size: number
}

const MAX_NAMES = 100
/** A daemon is asked again after so long, in seconds: it may have gone to sleep meanwhile. */
const WAIT_SEC = 60

/** Files that wait; with `wait` it comes back when there is one. Throws CliError. */
export async function waitingFiles(api: LocalApi, wait: boolean, signal: AbortSignal): Promise<readonly Waiting[]> {
  const ask = async (path: string, timeoutMs: number): Promise<readonly Waiting[]> => ((await api.request({ method: 'GET', path, timeoutMs, signal })) as readonly Waiting[] | null) ?? []
  let found = await ask('files/', 30_000)
  while (wait && found.length === 0) found = await ask(`files/?waitsec=${WAIT_SEC}`, (WAIT_SEC + 30) * 1_000)
  return found
}

/** Takes one file out of the daemon's hands; answers the path it got. Throws CliError: it goes on waiting. */
export async function fetchFile(api: LocalApi, file: Waiting, folder: string, conflict: Conflict, onBytes: (count: number) => void, signal: AbortSignal): Promise<string> {
  const name = file.Name
  // The daemon's word is not taken for it: it may be any at this socket.
  const fault = nameFault(name)
  if (fault !== undefined) throw failure('bad-name', `${JSON.stringify(name)} is not saved: ${fault}`)
  if (conflict === 'skip' && exists(join(folder, name))) throw taken(folder, name)
  const from = `files/${encodeURIComponent(name)}`
  const partial = join(folder, `.${name.slice(0, 100)}.${randomBytes(6).toString('hex')}.bowline`)
  try {
    await write(api, from, partial, onBytes, signal)
    const path = await place(partial, folder, name, conflict)
    await syncFolder(folder)
    await api.request({ method: 'DELETE', path: from, signal })
    return path
  } catch (error) {
    await rm(partial, { force: true })
    throw error instanceof CliError ? error : failure('io', `${printable(name)} is not saved: ${(error as Error).message}`)
  }
}

/** Forgets one that waits. */
export async function dropFile(api: LocalApi, name: string, signal: AbortSignal): Promise<void> {
  await api.request({ method: 'DELETE', path: `files/${encodeURIComponent(name)}`, signal })
}

async function write(api: LocalApi, from: string, partial: string, onBytes: (count: number) => void, signal: AbortSignal): Promise<void> {
  const { size, stream } = await api.download(from, signal)
  let handle: FileHandle | undefined
  try {
    handle = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o644)
    await markFromInternet(partial)
    let count = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      await handle.writeFile(chunk)
      onBytes((count += chunk.length))
    }
    if (size >= 0 && count !== size) throw new Error('it ended too early')
    await handle.sync()
  } catch (error) {
    if (signal.aborted) throw new CliError(EXIT.interrupted, 'interrupted', 'Stopped.')
    throw error
  } finally {
    stream.destroy()
    await handle?.close()
  }
}

/** Gives it its final name, and answers the path. */
async function place(partial: string, folder: string, name: string, conflict: Conflict): Promise<string> {
  let wanted = name
  if (conflict === 'overwrite') {
    await rename(partial, join(folder, name))
    return join(folder, name)
  }
  for (let tries = 0; tries < MAX_NAMES; tries++) {
    if (await claim(partial, join(folder, wanted))) return join(folder, wanted)
    if (conflict === 'skip') throw taken(folder, name)
    wanted = nextName(wanted)
  }
  throw failure('no-free-name', `${printable(name)} is not saved: too many files of this name are in ${printable(folder)} already`)
}

/** Whether the file now has this name; false when another has it. */
async function claim(partial: string, path: string): Promise<boolean> {
  try {
    await link(partial, path)
    await unlink(partial)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // A disk without second names: the name is taken by an empty file, which the rename replaces.
    try {
      await (await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o644)).close()
    } catch (second) {
      if ((second as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw second
    }
    await rename(partial, path)
    return true
  }
}

/** So that the name survives a crash; not every system can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

const taken = (folder: string, name: string): CliError => failure('exists', `${printable(name)} is not saved: ${printable(folder)} has a file of this name. It goes on waiting; --conflict=rename or --conflict=overwrite takes it`)
const failure = (code: string, message: string): CliError => new CliError(EXIT.failed, code, message)
