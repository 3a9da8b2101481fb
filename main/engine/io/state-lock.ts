/**
 * One engine a state directory: a lock file that says who holds it.
 *
 *   engine.lock = { pid, started, host, socket, since }     started = the process's start in clock ticks since boot, where
 *                                                           the system tells; since = when it took the lock (RFC 3339)
 *
 * A lock whose process is gone, or whose pid now belongs to a later process, is stale and taken over: it is renamed away
 * first, so that of two takers only one wins. On another machine's lock (a shared home) nothing can be known, so it holds.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { EngineError, errorText } from '../base/errors.ts'

interface Holder {
  readonly pid: number
  readonly started: string
  readonly host: string
  /** For people; "" where unknown. */
  readonly socket: string
  readonly since: string
}

export interface LockOptions {
  /** What this engine serves. */
  readonly socketPath: string
  readonly wallMs: number
}

/** Takes the directory's lock and answers how to give it back. Throws EngineError('already-running' | 'io'). */
export function lockStateDir(dir: string, { socketPath, wallMs }: LockOptions): () => void {
  const path = join(dir, 'engine.lock')
  const me: Holder = { pid: process.pid, started: startOf(process.pid), host: hostname(), socket: socketPath, since: new Date(wallMs).toISOString() }
  const text = JSON.stringify(me)
  const mine = `${path}.${process.pid}`
  try {
    writeFileSync(mine, text, { mode: 0o600 })
    for (let attempt = 0; attempt < 5; attempt++) {
      if (place(mine, path)) return () => release(path, text)
      const seen = read(path)
      if (seen === undefined) continue
      const holder = parseHolder(seen)
      if (holder && isAlive(holder)) {
        throw new EngineError('already-running', `Another engine (${whoIs(holder, me.host)}) uses the state directory ${dir}. Stop it, or give this one its own --statedir.`)
      }
      takeAway(path, seen)
    }
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw new EngineError('io', `The state directory ${dir} cannot be locked: ${errorText(error)}. Check who may write there, or choose another with --statedir.`, { cause: error })
  } finally {
    forget(mine)
  }
  throw new EngineError('already-running', `The lock of ${dir} keeps changing hands; another engine is starting there.`)
}

function whoIs({ pid, host, socket, since }: Holder, here: string): string {
  const at = host === here ? '' : ` on ${host}`
  return `process ${pid}${at}${socket === '' ? '' : `, which serves ${socket}`}${since === '' ? '' : `, since ${since}`}`
}

/** A link appears whole or not at all, and never over another. */
function place(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
  }
  try {
    writeFileSync(to, readFileSync(from), { mode: 0o600, flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Removes a stale lock, unless it has become another one meanwhile: that one is put back. */
function takeAway(path: string, seen: string): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (read(aside) !== seen) place(aside, path)
  rmSync(aside, { force: true })
}

/** Nothing of ours stays, and what went wrong before is not hidden by this. */
function forget(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A directory that may not be entered holds nothing of ours either.
  }
}

function release(path: string, text: string): void {
  if (read(path) === text) rmSync(path, { force: true })
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, host, socket, since } = JSON.parse(text) as Partial<Holder>
    if (!Number.isInteger(pid) || pid! <= 0 || typeof started !== 'string' || typeof host !== 'string') return undefined
    return { pid: pid!, started, host, socket: typeof socket === 'string' ? socket : '', since: typeof since === 'string' ? since : '' }
  } catch {
    return undefined
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true
  if (holder.pid === process.pid) return holder.started === startOf(process.pid) && holder.started !== ''
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const started = startOf(holder.pid)
  return started === '' || holder.started === '' || started === holder.started
}

/** When a process began, as a text that tells two processes of one pid apart; "" where the system does not say. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`)
  const boot = read('/proc/sys/kernel/random/boot_id')
  if (stat === undefined || boot === undefined) return ''
  // The name field may hold spaces and brackets; field 22 counts from behind it.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return ticks === undefined ? '' : `${boot.trim()}:${ticks}`
}
