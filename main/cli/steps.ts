/**
 * The steps of a sign-in on the terminal: one line when a step is over, and on a terminal one more for the step that is
 * under way, with its age. Reads the session's pages; a page from before the sign-in is told by its version.
 */
import type { SessionPage } from '../localapi/types.ts'
import { printable, styled, widthOf } from './text.ts'
import type { Terminal } from './verb.ts'
import { age, milliseconds } from './words.ts'

type Step = SessionPage['Steps'][number]

const WORDS: Readonly<Record<Step['Step'], readonly [running: string, done: string]>> = {
  'server-key': ["Fetching the server's key", "Server's key fetched"],
  'registration-sent': ['Sending the registration', 'Registration sent'],
  'link-shown': ['Waiting for a link', 'Link shown'],
  'waiting-for-approval': ['Waiting for somebody to open the link and approve', 'Approved'],
  authorised: ['Waiting to be let in', 'Let in by the server'],
  'map-received': ['Waiting for the list of devices', 'List of devices received'],
}

const WIDTH = Math.max(...Object.values(WORDS).map(([, done]) => widthOf(done)))
const TICK_MS = 1_000
/** How often a log that is no terminal is told that we still wait. */
const REMIND_MS = 60_000

export class StepLines {
  readonly #terminal: Terminal
  readonly #said = new Set<string>()
  #running: { readonly step: Step; readonly sinceMs: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** These steps are from before. */
  skip(page: SessionPage): void {
    for (const step of page.Steps) this.#said.add(keyOf(step))
  }

  /** Says which steps are over since the last page. */
  finished(page: SessionPage): void {
    for (const step of page.Steps) {
      if (step.State === 'pending' || step.State === 'running' || this.#said.has(keyOf(step))) continue
      this.#said.add(keyOf(step))
      this.#terminal.err(`${overLine(step)}\n`)
    }
  }

  /** Shows the step that is under way, with its age, until another page or `stop`. */
  running(page: SessionPage): void {
    const step = page.Steps.find((one) => one.State === 'running')
    if (step?.Step === this.#running?.step.Step) return
    this.stop()
    if (step === undefined) return
    this.#running = { step, sinceMs: Date.now() }
    this.#timer = setInterval(() => this.#tick(), this.#terminal.line ? TICK_MS : REMIND_MS)
    this.#timer.unref()
    if (this.#terminal.line) this.#tick()
    else if (step.Step === 'waiting-for-approval') this.#terminal.err(`  … ${WORDS[step.Step][0]}\n`)
  }

  /** Takes the line of the running step away, before anything else is said. */
  stop(): void {
    clearInterval(this.#timer)
    this.#running = undefined
    this.#terminal.line?.('')
  }

  #tick(): void {
    if (!this.#running) return
    const { step, sinceMs } = this.#running
    const text = `  … ${WORDS[step.Step]?.[0] ?? printable(step.Step)}  ${age(Date.now() - sinceMs)}`
    if (this.#terminal.line) this.#terminal.line(text)
    else this.#terminal.err(`${text}\n`)
  }
}

/** A step is told once, unless it is gone through again. */
const keyOf = (step: Step): string => `${step.Step} ${step.State} ${step.At ?? ''} ${step.State === 'failed' ? step.Why : ''}`

function overLine(step: Step): string {
  const words = WORDS[step.Step]
  if (step.State === 'failed') return `  ${styled('warning', '✗')} ${words?.[0] ?? printable(step.Step)}: ${printable(step.Why)}`
  const done = words?.[1] ?? printable(step.Step)
  const took = step.TookMs === undefined || step.TookMs === 0 ? '' : styled('faint', step.TookMs < 10_000 ? milliseconds(step.TookMs) : age(step.TookMs))
  return `  ✓ ${done}${took === '' ? '' : ' '.repeat(Math.max(WIDTH - widthOf(done), 0) + 2)}${took}`
}
