/**
 * Echo requests by the system's own `ping`, for peers that go out through this device where the packet thread may have no ping
 * socket: one request a run, few runs at once and few a second, nothing kept but how it ended.
 *
 *   0 answered · anything else: no answer, or no way to it · no such program, or one that may not: this user may send none
 */
import { spawn } from 'node:child_process'
import { canonicalIp, isIp4 } from '../base/ip.ts'

const MOST_AT_ONCE = 20
/** A run costs this thread some milliseconds. */
const MOST_A_SEC = 10
const WAIT_SEC = 3
/** The program is ended then, whatever it does. */
const PATIENCE_MS = 4_000
const MAX_SAID = 2_000

export type PingEnd = 'answered' | 'silent' | 'too-many' | 'unable'

export class PingProgram {
  readonly #nowMs: () => number
  readonly #platform: NodeJS.Platform
  readonly #program: string | undefined
  readonly #path: string | undefined
  #running = 0
  /** Runs that may start now. */
  #tokens = MOST_AT_ONCE
  #filledMs: number

  /** `nowMs`: monotonic. `path`: where programs are. `program`: in place of the system's. */
  constructor(options: { nowMs: () => number; path: string | undefined; platform?: NodeJS.Platform; program?: string }) {
    this.#nowMs = options.nowMs
    this.#platform = options.platform ?? process.platform
    this.#program = options.program
    this.#path = options.path
    this.#filledMs = options.nowMs()
  }

  /** How one request to an address, in canonical text, ends; never rejects. */
  ask(ip: string): Promise<PingEnd> {
    if (canonicalIp(ip) !== ip) return Promise.resolve('silent')
    if (!this.#take()) return Promise.resolve('too-many')
    this.#running++
    return new Promise<PingEnd>((resolve) => {
      const [program, ...words] = pingCommand(this.#platform, ip)
      const child = spawn(this.#program ?? program!, words, {
        stdio: ['ignore', 'ignore', 'pipe'], env: { LC_ALL: 'C', ...(this.#path === undefined ? {} : { PATH: this.#path }) }, timeout: PATIENCE_MS, killSignal: 'SIGKILL', windowsHide: true,
      })
      let said = ''
      child.stderr?.on('data', (bytes: Buffer) => {
        if (said.length < MAX_SAID) said += bytes.toString()
      })
      child.once('error', () => resolve('unable'))
      child.once('close', (code) => resolve(code === 0 ? 'answered' : /permitted|permission denied/i.test(said) ? 'unable' : 'silent'))
    }).finally(() => this.#running--)
  }

  #take(): boolean {
    const nowMs = this.#nowMs()
    this.#tokens = Math.min(MOST_AT_ONCE, this.#tokens + ((nowMs - this.#filledMs) / 1000) * MOST_A_SEC)
    this.#filledMs = nowMs
    if (this.#running >= MOST_AT_ONCE || this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** Program and words of one request on a system. */
export function pingCommand(platform: NodeJS.Platform, ip: string): string[] {
  if (platform === 'win32') return ['ping', '-n', '1', '-w', String(WAIT_SEC * 1000), ip]
  if (platform === 'darwin') return isIp4(ip) ? ['ping', '-n', '-c', '1', '-t', String(WAIT_SEC), ip] : ['ping6', '-n', '-c', '1', ip]
  return ['ping', '-n', '-c', '1', '-W', String(WAIT_SEC), ip]
}
