/**
 * Child processes of tests: started, watched, and ended by their own pid. Output is kept in memory (the newest part) and
 * shown when a test fails. A child does not outlive the test: on Linux the kernel ends it with its parent, and programs
 * that know TS_PARENT_DEATH_FD see descriptor 3 close.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'

/** Newest bytes of output that are kept for each child. */
const LOG_BYTES = 512 * 1024

const SETPRIV = '/usr/bin/setpriv'

/** Whether children can be tied to their parent by the kernel. */
const canTie = process.platform === 'linux' && isExecutable(SETPRIV)

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface ChildOptions {
  /** Name shown in logs. */
  name: string
  command: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Words put before the command, such as `ip netns exec NAME`. */
  prefix?: readonly string[]
  /** Bytes of standard output that are kept from its beginning; else as many as of the log. */
  stdoutBytes?: number
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export class Child {
  readonly name: string
  readonly startedMs = performance.now()
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>
  #process: ChildProcess
  #chunks: Buffer[] = []
  #bytes = 0
  #exit: Exit | undefined
  #stdout = ''

  constructor(options: ChildOptions) {
    this.name = options.name
    const tie = canTie ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []
    const words = [...(options.prefix ?? []), ...tie, options.command, ...options.args]
    this.#process = spawn(words[0] ?? options.command, words.slice(1), {
      env: { ...cleanEnv(), ...options.env, TS_PARENT_DEATH_FD: '3' },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#process.stdout?.on('data', (bytes: Buffer) => {
      this.#keep(bytes)
      if (this.#stdout.length < (options.stdoutBytes ?? LOG_BYTES)) this.#stdout += bytes.toString()
    })
    this.#process.stderr?.on('data', (bytes: Buffer) => this.#keep(bytes))
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.#keep(Buffer.from(`cannot start: ${error.message}\n`))
        this.#exit = { code: 127, signal: null }
        resolve(this.#exit)
      })
      this.#process.once('close', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  #keep(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    while (this.#bytes > LOG_BYTES && this.#chunks.length > 1) this.#bytes -= this.#chunks.shift()?.length ?? 0
  }

  get pid(): number {
    const { pid } = this.#process
    if (pid === undefined) throw new Error(`${this.name} did not start`)
    return pid
  }

  /** How the process ended, or undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit
  }

  /** The newest output, both streams in the order they came. */
  get log(): string {
    return Buffer.concat(this.#chunks).toString()
  }

  /** Standard output alone, from its beginning. */
  get stdout(): string {
    return this.#stdout
  }

  /** Throws when the process has ended; the error carries the end of its log. */
  assertRunning(): void {
    if (this.#exit === undefined) return
    const how = this.#exit.signal ?? `status ${String(this.#exit.code)}`
    throw new Error(`${this.name} ended early (${how}):\n${this.log.slice(-4000)}`)
  }

  /** Sends one signal to this process alone. */
  signal(name: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#process.kill(name)
  }

  /** Ends the process and waits: SIGTERM first, SIGKILL after `graceMs`. Returns how it ended. */
  async stop(graceMs = 5000): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  /** Ends the process at once, as a crash would, and waits. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }
}

/** The environment without what would change the behaviour of the programs under test. */
function cleanEnv(): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(TS_|HEADSCALE_|BOWLINE_|DBUS_|https?_proxy$|all_proxy$|no_proxy$|VITEST|NODE_OPTIONS$)/i.test(name)) continue
    kept[name] = value
  }
  return kept
}

export interface RunResult {
  code: number | null
  stdout: string
  stderr: string
  tookMs: number
}

export interface RunOptions {
  env?: Readonly<Record<string, string>>
  cwd?: string
  timeoutMs?: number
  prefix?: readonly string[]
}

/** Runs a program to its end and returns what it said. Never throws for a bad status; ends it by pid at the timeout. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const startedMs = performance.now()
    const words = [...(options.prefix ?? []), command, ...args]
    const child = spawn(words[0] ?? command, words.slice(1), {
      env: { ...cleanEnv(), ...options.env },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    const timeoutMs = options.timeoutMs ?? 30_000
    const timer = setTimeout(() => {
      stderr += `\n(ended after ${timeoutMs} ms)`
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    child.once('error', (error) => (stderr += error.message))
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr, tookMs: performance.now() - startedMs })
    })
  })
}

/** Runs a program and throws with its output when its status is not 0. Returns stdout. */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options)
  if (result.code === 0) return result.stdout
  throw new Error(`${command} ${args.join(' ')}: status ${String(result.code)}\n${result.stdout}\n${result.stderr}`)
}

export interface Usage {
  /** Processor seconds, user and system, since the process started. */
  cpuSec: number
  /** Resident memory in MB (10^6 bytes): now, and the highest so far. */
  rssMb: number
  peakRssMb: number
}

/** Reads what a process has used so far. Linux only. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
  return { cpuSec: ticks / 100, rssMb: (kb('VmRSS') * 1024) / 1e6, peakRssMb: (kb('VmHWM') * 1024) / 1e6 }
}

/** Processor seconds of the threads that a process has, to the nanosecond: for what uses too little for usageOf's ticks of 10 ms. */
export function threadCpuSec(pid: number): number {
  let ns = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      // The thread ended between the two readings.
    }
  }
  return ns / 1e9
}
