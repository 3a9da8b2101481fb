/**
 * When the app ends an engine that does not answer, how long it waits before it starts the next, and what it tells of it. Pure.
 *
 *   a run   started → answered ⇄ lost        lost = it answered, and now it does not: said at once, ended after a grace
 */
import type { EngineLife } from '../localapi/app-state.ts'

/** A machine under load or just awake can be slow to answer: so much longer than the first sign. */
export const HANG_GRACE_MS = 8_000
/** From its start to its first answer. */
export const START_GRACE_MS = 60_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 30_000
/** Ends are counted over this long. */
const MEMORY_MS = 120_000
const KEEPS_STOPPING = 4

export interface Run {
  readonly startedMs: number
  readonly answered: boolean
  /** Since when it does not answer. */
  readonly lostMs: number | undefined
}

/** When a run that goes on not answering is ended; undefined = it answers. */
export function endAtMs({ startedMs, answered, lostMs }: Run): number | undefined {
  if (!answered) return startedMs + START_GRACE_MS
  return lostMs === undefined ? undefined : lostMs + HANG_GRACE_MS
}

/** The ends that still count. */
export const recentEnds = (endsMs: readonly number[], nowMs: number): readonly number[] => endsMs.filter((atMs) => nowMs - atMs < MEMORY_MS)

/** How long to wait before the next start, in ms; `endsMs` with the one that just came. */
export function waitMs(endsMs: readonly number[], nowMs: number): number {
  const recent = recentEnds(endsMs, nowMs).length
  return recent === 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (recent - 1), LONGEST_WAIT_MS)
}

/** What the host knows beside the feed. */
export interface HostFacts {
  /** It answered once, in this run or an earlier one. */
  readonly everAnswered: boolean
  readonly endsMs: readonly number[]
  /** How often it was started again. */
  readonly restarts: number
  /** What the last run said of its end. */
  readonly fault: { readonly code: string; readonly message: string } | undefined
}

/** The engine's life as it is told: what the feed sees, with what the host of the process knows. */
export function toldLife(seen: EngineLife, { everAnswered, endsMs, restarts, fault }: HostFacts, nowMs: number): EngineLife {
  const { sinceMs, message } = seen
  if (seen.engine === 'running') return { ...seen, restarts }
  const ends = recentEnds(endsMs, nowMs).length
  // Nobody answers yet: that is how each start looks.
  if (!everAnswered && ends === 0) return { engine: 'starting', sinceMs, restarts }
  const engine = ends >= KEEPS_STOPPING ? 'keeps-stopping' : seen.engine === 'starting' ? 'stopped' : seen.engine
  return { engine, sinceMs, restarts, ...(message === undefined ? {} : { message }), ...fault }
}
