/**
 * Exit nodes that answer or do not, and the machine that chooses among them, on a clock that only moves here.
 */
import { ExitNodes } from '../../../../main/engine/core/exit-node/exit-nodes.ts'
import type { ExitCandidate, ExitFacts, ExitStep, ExitWay } from '../../../../main/engine/core/exit-node/types.ts'
import type { ExitVerdict } from '../../../../main/engine/core/plan/egress.ts'

export interface Place {
  name?: string
  online?: boolean | undefined
  fault?: string
  recommended?: boolean
  /** Whether it answers. */
  up?: boolean
  way?: ExitWay
  latencyMs?: number
}

/** How often the packets to and from the one in use are counted. */
const COUNT_MS = 500

/** Steps at one moment before it counts as a machine that never rests. */
const MAX_STEPS = 50

export class World {
  readonly machine = new ExitNodes()
  nowMs = 1000
  places: Record<string, Place>
  facts: Omit<ExitFacts, 'candidates'> = { choice: { kind: 'none' }, failure: 'block', order: [], hasNetwork: true }
  last: ExitStep | undefined
  /** Every verdict that differed from the one before, with its time. */
  readonly told: { atMs: number; verdict: ExitVerdict | undefined }[] = []
  asked = 0
  /** When the packets of steady traffic are counted next; Infinity = nobody sends. */
  #countAtMs = Infinity
  #answers: { atMs: number; id: string }[] = []

  constructor(places: Record<string, Place>, facts: Partial<Omit<ExitFacts, 'candidates'>> = {}) {
    this.places = places
    this.set(facts)
  }

  set(facts: Partial<Omit<ExitFacts, 'candidates'>>): void {
    this.facts = { ...this.facts, ...facts }
    this.tell()
  }

  /** The map as it is now. */
  tell(): void {
    const candidates = new Map(Object.entries(this.places).map(([id, { name = id, online, fault, recommended = false }]): [string, ExitCandidate] => [id, { id, name, online, fault, recommended }]))
    this.machine.handleFacts(this.nowMs, { ...this.facts, candidates })
    this.step()
  }

  change(id: string, place: Place): void {
    this.places = { ...this.places, [id]: { ...this.places[id], ...place } }
    this.tell()
  }

  /** Steady traffic both ways begins or ends. */
  send(on: boolean): void {
    this.#countAtMs = on ? this.nowMs + COUNT_MS : Infinity
  }

  #count(): void {
    const id = this.last?.verdict?.kind === 'use' ? this.last.verdict.id : undefined
    if (id !== undefined && this.places[id]?.up !== false && this.facts.hasNetwork) this.machine.handleHeard(this.nowMs, id)
    else if (id !== undefined) this.machine.handleOneWay(this.nowMs, this.nowMs - COUNT_MS)
    this.#countAtMs = this.nowMs + COUNT_MS
  }

  step(): ExitStep {
    const step = this.machine.step(this.nowMs)
    this.asked += step.ask.length
    for (const id of step.ask) {
      const { up = true, latencyMs = 20 } = this.places[id] ?? { up: false }
      if (up && this.facts.hasNetwork) this.#answers.push({ atMs: this.nowMs + latencyMs, id })
    }
    if (JSON.stringify(step.verdict) !== JSON.stringify(this.told.at(-1)?.verdict) || this.told.length === 0) this.told.push({ atMs: this.nowMs, verdict: step.verdict })
    // As the engine notes it in the settings.
    if (step.chosen !== undefined && this.facts.choice.kind === 'auto' && this.facts.choice.id !== step.chosen) {
      this.facts = { ...this.facts, choice: { kind: 'auto', id: step.chosen } }
      this.last = step
      this.tell()
      return this.last
    }
    this.last = step
    return step
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs
    let steps = 0
    while (this.nowMs < untilMs) {
      const before = this.nowMs
      const nextAnswer = Math.min(Infinity, ...this.#answers.map(({ atMs }) => atMs))
      this.nowMs = Math.min(untilMs, nextAnswer, this.#countAtMs, this.last?.wakeAtMs ?? Infinity)
      steps = this.nowMs === before ? steps + 1 : 0
      if (steps > MAX_STEPS) throw new Error(`the machine does not rest at ${this.nowMs}`)
      const due = this.#answers.filter(({ atMs }) => atMs <= this.nowMs)
      this.#answers = this.#answers.filter(({ atMs }) => atMs > this.nowMs)
      for (const { id } of due) {
        const { up = true, way = 'direct', latencyMs = 20 } = this.places[id] ?? { up: false }
        if (up) this.machine.handleHeard(this.nowMs, id, { way, latencyMs })
      }
      if (this.nowMs >= this.#countAtMs) this.#count()
      this.step()
    }
  }

  /** "use a", "block a", "pause", "none". */
  get verdict(): string {
    return shown(this.last?.verdict)
  }

  get why(): string {
    return this.last?.verdict?.why ?? ''
  }

  get history(): string[] {
    return this.told.map(({ verdict }) => shown(verdict)).filter((text, i, all) => text !== all[i - 1])
  }
}

function shown(verdict: ExitVerdict | undefined): string {
  return verdict === undefined ? 'none' : `${verdict.kind} ${verdict.id}`
}
