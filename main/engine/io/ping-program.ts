/**
 * Echo requests by the system's own `ping`, for peers that go out through this device where the packet thread may have no ping
 * socket: one request a run, few runs at once, nothing read but how it ended.
 *
 *   0 answered · 1 no answer · anything else, or no such program: this user may send none
 */
import { spawn } from 'node:child_process'
import { isIp4 } from '../base/ip.ts'

const MOST_AT_ONCE = 20
const WAIT_SEC = 3
/** The program is ended then, whatever it does. */
const PATIENCE_MS = 4_000

export type PingEnd = 'answered' | 'silent' | 'too-many' | 'unable'

export class PingProgram {
  readonly #platform: NodeJS.Platform
  readonly #program: string | undefined
  #running = 0

  /** `program`: in place of the system's. */
  constructor(options: { platform?: NodeJS.Platform; program?: string } = {}) {
    this.#platform = options.platform ?? process.platform
    this.#program = options.program
  }

  /** How one request to an address, in canonical text, ends; never rejects. */
  ask(ip: string): Promise<PingEnd> {
    if (this.#running >= MOST_AT_ONCE) return Promise.resolve('too-many')
    this.#running++
    return new Promise<PingEnd>((resolve) => {
      const [program, ...words] = pingCommand(this.#platform, ip)
      const child = spawn(this.#program ?? program!, words, { stdio: 'ignore', timeout: PATIENCE_MS, killSignal: 'SIGKILL', windowsHide: true })
      child.once('error', () => resolve('unable'))
      child.once('exit', (code, signal) => resolve(code === 0 ? 'answered' : code === 1 || signal !== null ? 'silent' : 'unable'))
    }).finally(() => this.#running--)
  }
}

/** Program and words of one request on a system. */
export function pingCommand(platform: NodeJS.Platform, ip: string): string[] {
  if (platform === 'win32') return ['ping', '-n', '1', '-w', String(WAIT_SEC * 1000), ip]
  if (platform === 'darwin') return isIp4(ip) ? ['ping', '-n', '-c', '1', '-t', String(WAIT_SEC), ip] : ['ping6', '-n', '-c', '1', ip]
  return ['ping', '-n', '-c', '1', '-W', String(WAIT_SEC), ip]
}
