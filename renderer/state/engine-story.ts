/**
 * What became of the engine while this window looked on, for who asks what happened: the last few changes, each with its time. Pure.
 */
import type { AppState } from '../../preload/contract.ts'
import { clockTimeSec, safeText } from '../../main/words/format.ts'

export interface EngineEvent {
  readonly atMs: number
  readonly engine: AppState['engine']
  readonly why: string
}

const KEPT = 12

/** The story after one more state of the app; the same value when nothing happened to the engine. */
export function storyAfter(story: readonly EngineEvent[], app: AppState, nowMs: number): readonly EngineEvent[] {
  const last = story.at(-1)
  const why = [app.code, app.message].filter((part) => part !== undefined && part !== '').join(': ')
  if (last?.engine === app.engine && last.why === why) return story
  return [...story, { atMs: nowMs, engine: app.engine, why: safeText(why, 500) }].slice(-KEPT)
}

/** One line an event, in the engine's own words. */
export const storyLines = (story: readonly EngineEvent[]): readonly string[] =>
  story.map(({ atMs, engine, why }) => `${clockTimeSec(atMs)} ${engine}${why === '' ? '' : `: ${why}`}`)

/** For a ticket: versions and system, then what happened. Holds no names of the network. */
export function engineReport(app: AppState, story: readonly EngineEvent[], nowMs: number): string {
  const engine = app.engineVersion === undefined ? '' : `, engine ${app.engineVersion}`
  return [
    `Bowline ${app.version} (${app.host}, ${app.platform})${engine}`,
    `engine: ${app.engine} since ${new Date(app.sinceMs).toISOString()}, restarts ${app.restarts}`,
    `now: ${new Date(nowMs).toISOString()}`,
    ...storyLines(story),
  ].join('\n')
}
