/**
 * What the demo shows: one line a step, with what came of it and how long it took. On a terminal the line of the step
 * under way is redrawn with its age; anywhere else every line is written once, and a slow step says that it still waits.
 */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Between two lines about one step where lines cannot be redrawn. */
const QUIET_MS = 2000

export class Screen {
  readonly #out: Output
  readonly #live: boolean
  readonly #colour: boolean
  #line: string | undefined
  #current: string | undefined
  #closed = false

  constructor(out: Output, environment: Readonly<Record<string, string | undefined>>) {
    this.#out = out
    this.#live = out.isTTY === true && environment['TERM'] !== 'dumb'
    this.#colour = this.#live && !environment['NO_COLOR']
  }

  /** The step under way. */
  get current(): string | undefined {
    return this.#current
  }

  /** Ends the line under way; whatever steps still say is not shown. */
  close(): void {
    this.#end()
    this.#closed = true
  }

  heading(text: string): void {
    this.#write(`\n${this.#paint('1', text)}\n`)
  }

  /** A line under the step before it. */
  note(text: string): void {
    this.#write(`    ${this.#paint('2', text)}\n`)
  }

  /** A line as it is. */
  line(text = ''): void {
    this.#write(`${text}\n`)
  }

  good(text: string): void {
    this.#write(`  ${this.#paint('32', '✓')} ${text}\n`)
  }

  bad(text: string): void {
    this.#write(`  ${this.#paint('31', '✗')} ${text}\n`)
  }

  /**
   * Runs one step: `what` while it lasts, then the sentence that `done` makes of its result. `work` may say how it is
   * getting on. A failure is shown and passed on.
   */
  async step<T>(what: string, work: (say: (text: string) => void) => Promise<T>, done: (result: T) => string): Promise<T> {
    const startMs = performance.now()
    this.#current = what
    let said = ''
    let saidMs = startMs
    const age = (): string => `${((performance.now() - startMs) / 1000).toFixed(1)} s`
    const redraw = (): void => {
      if (this.#live) return this.#draw(`${what} … ${said === '' ? '' : `${said}, `}${age()}`)
      if (performance.now() - saidMs < QUIET_MS) return
      saidMs = performance.now()
      this.note(`${what}: ${said === '' ? 'still waiting' : said}, ${age()}`)
    }
    redraw()
    const timer = setInterval(redraw, 100)
    try {
      const result = await work((text) => (said = text))
      this.#end()
      this.good(`${done(result)} ${this.#paint('2', `(${age()})`)}`)
      return result
    } catch (error) {
      this.#end()
      this.bad(`${what}: failed after ${age()}`)
      throw error
    } finally {
      clearInterval(timer)
    }
  }

  /** Rows under each other in columns as wide as their widest cell. */
  table(rows: readonly (readonly string[])[]): void {
    const widths: number[] = []
    for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
    for (const row of rows) this.line(`    ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ').trimEnd()}`)
  }

  #draw(text: string): void {
    if (!this.#live || this.#closed) return
    // A line that wraps could not be erased.
    const line = `  ${this.#paint('36', '·')} ${text.slice(0, Math.max(10, (this.#out.columns ?? 80) - 5))}`
    this.#line = line
    this.#out.write(`\r\u001b[2K${line}`)
  }

  #end(): void {
    if (this.#line !== undefined) this.#out.write('\r\u001b[2K')
    this.#line = undefined
  }

  /** Writes whole lines above the step under way. */
  #write(text: string): void {
    if (this.#closed) return
    if (this.#line === undefined) this.#out.write(text)
    else this.#out.write(`\r\u001b[2K${text}${this.#line}`)
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text
  }
}
