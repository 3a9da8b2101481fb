/**
 * `bowline daemon` as a process of its own, with whatever a hostile or careless start gives it: signals, closed or broken
 * streams, a bare environment, another user, little memory. For tests of the program itself; peers are simulated.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exchange, type Answer } from '../unit/server/rig.ts'
import { waitFor } from '../support/wait.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const NODE = `${ROOT}node_modules/.bin/node`
export const PROGRAM = `${ROOT}build/scripts/bowline.mjs`

export interface DaemonStart {
  readonly dir: string
  readonly flags?: readonly string[]
  /** The whole environment, but for PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** A shell line that ends in `exec "$@"`, run before the program. */
  readonly shell?: string
  readonly stdio?: StdioOptions
  readonly nodeFlags?: readonly string[]
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class Daemon {
  readonly socketPath: string
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  /** Both streams, as far as they were piped. */
  output = ''
  #end: Ended | undefined

  constructor({ dir, flags = [], env = {}, shell = 'exec "$@"', stdio = ['ignore', 'pipe', 'pipe'], nodeFlags = [] }: DaemonStart) {
    this.socketPath = join(dir, 's.sock')
    const words = [NODE, ...nodeFlags, PROGRAM, 'daemon', `--statedir=${join(dir, 'state')}`, `--socket=${this.socketPath}`, ...flags]
    this.process = spawn('/bin/sh', ['-c', shell, 'sh', ...words], { stdio, env: { PATH: process.env['PATH'] ?? '', ...env } })
    for (const stream of [this.process.stdout, this.process.stderr]) stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => resolve((this.#end = { code, signal })))
    })
  }

  /** Waits until the LocalAPI answers. */
  async ready(): Promise<this> {
    await waitFor('the engine to answer', async () => {
      if (this.#end) throw new Error(`it ended with ${JSON.stringify(this.#end)}: ${this.output}`)
      return (await this.call('GET', 'status')).status === 200
    }, { withinMs: 20_000, everyMs: 20 })
    return this
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    return exchange(this.socketPath, method, `/localapi/v0/${path}`, body)
  }

  async state(): Promise<string> {
    return ((await this.call('GET', 'status?peers=false')).json() as { BackendState: string }).BackendState
  }

  /** Signs in with a key and waits until it is connected. */
  async join(controlUrl: string, authKey: string): Promise<void> {
    await this.call('POST', 'start', { UpdatePrefs: { ControlURL: controlUrl, WantRunning: true }, AuthKey: authKey })
    await waitFor('the engine to be connected', async () => (await this.state()) === 'Running', { withinMs: 20_000 })
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    if (this.#end) return this.#end
    this.process.kill(signal)
    return await this.ended
  }
}
