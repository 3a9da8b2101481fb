/**
 * Keeps one engine running for the app: a utility process that is started again when it ends, quickly at first, and ended when it hangs.
 *
 * The engine is the same bundle that `bowline daemon` runs; it does not know who started it. A crash of it never takes
 * the window down. What it says before it gives up: { kind: 'start-failed', code, message }.
 */
import { utilityProcess, type UtilityProcess } from 'electron'
import type { EngineLife } from '../localapi/app-state.ts'
import { endAtMs, recentEnds, toldLife, waitMs, type Run } from './engine-rules.ts'

/** Longer than the engine takes to say goodbye to everybody. */
const STOP_LIMIT_MS = 5000
const MESSAGE_LIMIT = 500

export interface EngineHostOptions {
  /** The bundle that runs `daemon`. */
  readonly entry: string
  readonly socketPath: string
  readonly stateDir: string
  /** The first run starts without connecting. */
  readonly startDisconnected: boolean
  /** Answers what the engine asks of its host: at once, or later through `reply`. */
  readonly answer: (message: unknown, reply: (message: unknown) => void) => void
  /** The engine's life, as far as it is another than was told. */
  readonly onLife: (life: EngineLife) => void
}

export class EngineHost {
  readonly #options: EngineHostOptions
  #child: UtilityProcess | undefined
  #run: Run | undefined
  #seen: EngineLife = { engine: 'starting', sinceMs: Date.now(), restarts: 0 }
  #endsMs: readonly number[] = []
  #fault: { code: string; message: string } | undefined
  #timer: NodeJS.Timeout | undefined
  #starts = 0
  #everAnswered = false
  #stopped = false

  constructor(options: EngineHostOptions) {
    this.#options = options
  }

  /** Process id of the running engine, for tests and the about page. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    if (this.#stopped || this.#child) return
    const { entry, socketPath, stateDir, startDisconnected, answer } = this.#options
    const words = [`--socket=${socketPath}`, `--statedir=${stateDir}`, '--port=0', ...(startDisconnected && this.#starts === 0 ? ['--start-disconnected'] : [])]
    this.#starts++
    const child = utilityProcess.fork(entry, words, { serviceName: 'Bowline engine', stdio: 'inherit' })
    this.#child = child
    this.#run = { startedMs: Date.now(), answered: false, lostMs: undefined }
    child.on('message', (message: unknown) => {
      if (!this.#noteFault(message)) answer(message, (reply) => child.postMessage(reply))
    })
    child.on('exit', () => this.#ended(child))
    this.#plan()
  }

  /** What the feed sees of the engine. */
  handleLife(life: EngineLife): void {
    this.#seen = life
    if (this.#run) {
      const runs = life.engine === 'running'
      this.#run = { ...this.#run, answered: this.#run.answered || runs, lostMs: runs ? undefined : (this.#run.lostMs ?? Date.now()) }
    }
    if (life.engine === 'running') {
      this.#everAnswered = true
      this.#fault = undefined
    }
    this.#plan()
    this.#tell()
  }

  /** The machine woke up: silence until now says nothing. */
  handleResume(): void {
    const nowMs = Date.now()
    if (this.#run) this.#run = { ...this.#run, startedMs: nowMs, lostMs: this.#run.lostMs === undefined ? undefined : nowMs }
    this.#plan()
  }

  /** The person wants it anew, now: earlier ends are forgiven. */
  restart(): void {
    this.#endsMs = []
    this.#fault = undefined
    if (this.#child) this.#kill(this.#child)
    else {
      clearTimeout(this.#timer)
      this.start()
    }
  }

  /** Says something to the engine that runs now. */
  tell(message: unknown): void {
    this.#child?.postMessage(message)
  }

  /** Ends the engine for good; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (!child) return
    await new Promise<void>((resolve) => {
      const limit = setTimeout(() => {
        this.#kill(child)
        resolve()
      }, STOP_LIMIT_MS)
      child.once('exit', () => {
        clearTimeout(limit)
        resolve()
      })
      child.kill()
    })
  }

  #ended(child: UtilityProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#run = undefined
    if (this.#stopped) return
    const nowMs = Date.now()
    this.#endsMs = [...recentEnds(this.#endsMs, nowMs), nowMs]
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.start(), waitMs(this.#endsMs, nowMs))
    this.#tell()
  }

  /** Waits for the moment at which a run that does not answer is ended. */
  #plan(): void {
    if (!this.#run || this.#stopped) return
    clearTimeout(this.#timer)
    const atMs = endAtMs(this.#run)
    if (atMs === undefined) return
    this.#timer = setTimeout(() => {
      if (!this.#child) return
      this.#fault = { code: 'engine-hung', message: 'The engine did not answer and was ended.' }
      this.#kill(this.#child)
    }, Math.max(0, atMs - Date.now()))
  }

  /** At once: what hangs does not heed a polite signal. */
  #kill({ pid }: UtilityProcess): void {
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }

  #noteFault(message: unknown): boolean {
    if (typeof message !== 'object' || message === null) return false
    const { kind, code, message: words } = message as Record<string, unknown>
    if (kind !== 'start-failed' || typeof code !== 'string' || typeof words !== 'string') return false
    this.#fault = { code: code.slice(0, 50), message: words.slice(0, MESSAGE_LIMIT) }
    return true
  }

  #tell(): void {
    this.#options.onLife(toldLife(this.#seen, { everAnswered: this.#everAnswered, endsMs: this.#endsMs, restarts: Math.max(0, this.#starts - 1), fault: this.#fault }, Date.now()))
  }
}
