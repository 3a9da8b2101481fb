/**
 * Keeps one engine running for the app: a utility process that is started again when it ends, quickly at first.
 *
 * The engine is the same bundle that `bowline daemon` runs; it does not know who started it. A crash of it never takes
 * the window down.
 */
import { utilityProcess, type UtilityProcess } from 'electron'

const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 30_000
/** A run this long forgives earlier deaths. */
const HEALTHY_MS = 60_000

export interface EngineHostOptions {
  /** The bundle that runs `daemon`. */
  readonly entry: string
  readonly socketPath: string
  readonly stateDir: string
  /** Answers what the engine asks of its host. */
  readonly answer: (message: unknown) => unknown
}

export class EngineHost {
  readonly #options: EngineHostOptions
  #child: UtilityProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #waitMs = FIRST_WAIT_MS
  #stopped = false

  constructor(options: EngineHostOptions) {
    this.#options = options
  }

  /** Process id of the running engine, for tests and the about page. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    if (this.#stopped) return
    const { entry, socketPath, stateDir, answer } = this.#options
    const startedMs = Date.now()
    const child = utilityProcess.fork(entry, [`--socket=${socketPath}`, `--statedir=${stateDir}`, '--port=0'], { serviceName: 'Bowline engine', stdio: 'inherit' })
    this.#child = child
    child.on('message', (message: unknown) => {
      const reply = answer(message)
      if (reply !== undefined) child.postMessage(reply)
    })
    child.on('exit', () => {
      if (this.#child !== child) return
      this.#child = undefined
      if (this.#stopped) return
      this.#waitMs = Date.now() - startedMs > HEALTHY_MS ? FIRST_WAIT_MS : Math.min(this.#waitMs * 2, LONGEST_WAIT_MS)
      this.#timer = setTimeout(() => this.start(), this.#waitMs)
    })
  }

  /** Says something to the engine that runs now. */
  tell(message: unknown): void {
    this.#child?.postMessage(message)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#child?.kill()
  }
}
