/**
 * What is wrong just now, as a set of warnings by code, in groups that their owners set whole.
 *
 * A warning keeps the time at which it began while it stays; the text may change meanwhile. Nobody is told of a set that
 * is the same as before.
 */
import type { Clock } from '../base/env.ts'
import type { HealthState, Warning } from '../../localapi/types.ts'

type Body = Omit<Warning, 'WarnableCode' | 'BrokenSince'>

export class Health {
  readonly #clock: Clock
  readonly #groups = new Map<string, ReadonlyMap<string, Warning>>()
  readonly #listeners: (() => void)[] = []

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock
  }

  /** Sets a group's warnings; a code that stays keeps its beginning. */
  setGroup(group: string, warnings: Readonly<Record<string, Body>>): void {
    const before = this.#groups.get(group)
    const after = new Map<string, Warning>()
    for (const [code, body] of Object.entries(warnings)) {
      const since = before?.get(code)?.BrokenSince ?? new Date(this.#clock.wallMs()).toISOString()
      after.set(code, { WarnableCode: code, ...body, BrokenSince: since })
    }
    if (JSON.stringify([...after]) === JSON.stringify([...(before ?? [])])) return
    this.#groups.set(group, after)
    for (const call of this.#listeners) call()
  }

  state(): HealthState {
    const all = this.#all()
    return { Warnings: all.length === 0 ? null : Object.fromEntries(all.map((warning) => [warning.WarnableCode, warning])) }
  }

  /** One sentence a warning, the gravest first. */
  texts(): readonly string[] {
    return this.#all().map((warning) => warning.Text)
  }

  /** Calls after each change. */
  onChange(call: () => void): void {
    this.#listeners.push(call)
  }

  #all(): Warning[] {
    const order = { high: 0, medium: 1, low: 2 }
    const all = [...this.#groups.values()].flatMap((group) => [...group.values()])
    return all.toSorted((a, b) => order[a.Severity] - order[b.Severity] || (a.WarnableCode < b.WarnableCode ? -1 : 1))
  }
}
