/**
 * The system's own programs that set routes, firewall and names: a fixed list, found in the system's own folders alone, started
 * without a shell and with an empty environment, fed by standard input, bounded in time and in what they may say.
 *
 *   ended by itself  → ProgramEnd, whatever its code       not there → 'not-found'       too slow → 'timeout'       too much said → 'io'
 *
 * Nothing of a stranger is a word of a command unless it is canonical text of an address; the caller sees to that.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '../base/errors.ts'

/** Programs that may be started. */
export const SYSTEM_PROGRAMS = [
  'ip', 'nft', 'iptables-restore', 'ip6tables-restore', 'iptables-save', 'ip6tables-save', 'resolvconf', 'systemctl',
  // macOS and Windows.
  'ifconfig', 'route', 'pfctl', 'scutil', 'dscacheutil', 'killall', 'netsh', 'reg', 'ipconfig', 'powershell',
] as const
export type SystemProgram = (typeof SYSTEM_PROGRAMS)[number]

/** Never a path that a person set. */
const WINDOWS = 'C:\\Windows'
const SYSTEM32 = `${WINDOWS}\\System32`
const FOLDERS = process.platform === 'win32' ? [SYSTEM32, `${SYSTEM32}\\WindowsPowerShell\\v1.0`] : ['/usr/sbin', '/sbin', '/usr/bin', '/bin']
const ENDING = process.platform === 'win32' ? '.exe' : ''
/** Windows programs find nothing of their system without its folder. */
const ENVIRONMENT = process.platform === 'win32' ? { PATH: FOLDERS.join(';'), SystemRoot: WINDOWS } : { LC_ALL: 'C', PATH: FOLDERS.join(':') }
const PATIENCE_MS = 15_000
/** A table of 10,000 routes is a megabyte. */
const MAX_OUT = 32 << 20
const MAX_ERR = 16 << 10
/** Of a program's own words in a sentence for people. */
const MAX_QUOTED = 300

export interface ProgramEnd {
  /** Exit status; undefined: ended by a signal. */
  readonly code: number | undefined
  readonly out: string
  /** The first 16 KiB of what it complained about. */
  readonly err: string
}

export interface ProgramOptions {
  /** For its standard input. */
  readonly input?: string
  readonly timeoutMs?: number
  /** In place of the system's folders. */
  readonly folders?: readonly string[]
}

/** Where a program of the list is, or undefined: looked up anew at every call, since packages come and go. */
export function findProgram(program: SystemProgram, folders: readonly string[] = FOLDERS): string | undefined {
  return folders.map((folder) => join(folder, `${program}${ENDING}`)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Runs a program to its end. Rejects with EngineError('not-found' | 'timeout' | 'access-denied' | 'io') when it did not end by itself. */
export function runProgram(program: SystemProgram, words: readonly string[], options: ProgramOptions = {}): Promise<ProgramEnd> {
  const path = SYSTEM_PROGRAMS.includes(program) ? findProgram(program, options.folders) : undefined
  if (path === undefined) return Promise.reject(new EngineError('not-found', `The program ${program} is not installed.`))
  const timeoutMs = options.timeoutMs ?? PATIENCE_MS
  return new Promise((resolve, reject) => {
    const child = spawn(path, words, { stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT, cwd: process.platform === 'win32' ? SYSTEM32 : '/', windowsHide: true })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let outBytes = 0
    let errBytes = 0
    let stopped: EngineError | undefined
    const stop = (why: EngineError): void => {
      stopped ??= why
      child.kill('SIGKILL')
      // A child of its own may hold the pipes open.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const timer = setTimeout(() => stop(new EngineError('timeout', `${program} did not end in ${timeoutMs / 1000} s.`)), timeoutMs)
    child.stdout.on('data', (bytes: Buffer) => {
      outBytes += bytes.length
      if (outBytes > MAX_OUT) stop(new EngineError('io', `${program} says too much.`))
      else out.push(bytes)
    })
    child.stderr.on('data', (bytes: Buffer) => {
      if (errBytes < MAX_ERR) err.push(bytes)
      errBytes += bytes.length
    })
    // It may end without reading what it was given.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(new EngineError(cause.code === 'EACCES' || cause.code === 'EPERM' ? 'access-denied' : 'io', `${program} cannot be started: ${cause.message}`, { cause }))
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      if (stopped) reject(stopped)
      else resolve({ code: code ?? undefined, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString().slice(0, MAX_ERR) })
    })
  })
}

/** What a program that ended well said. Rejects as runProgram does, and with 'access-denied' or 'io' and its own words when it failed. */
export async function programText(program: SystemProgram, words: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const end = await runProgram(program, words, options)
  if (end.code !== 0) throw programFault(program, end)
  return end.out
}

/** A failed program's own words as an error; control characters and what is too long are left out. */
export function programFault(program: SystemProgram, { code, err, out }: ProgramEnd): EngineError {
  // eslint-disable-next-line no-control-regex
  const said = (err.trim() === '' ? out : err).replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim().slice(0, MAX_QUOTED)
  const isRefused = /operation not permitted|permission denied|must be root/i.test(said)
  return new EngineError(isRefused ? 'access-denied' : 'io', `${program} failed (${code ?? 'ended by a signal'})${said === '' ? '' : `: ${said}`}`)
}
