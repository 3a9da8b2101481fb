/**
 * What is known of the server: when it was last heard, or since when it cannot be reached. Pure.
 */
import { age, ageOf, clockTime, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { AppState, PathsPage, Status, Warning } from '../../preload/contract.ts'

export interface ServerFacts {
  readonly app: Pick<AppState, 'engine'>
  readonly status: Pick<Status, 'BackendState'> | undefined
  readonly warnings: Readonly<Record<string, Warning>> | null
  readonly paths: PathsPage | undefined
  readonly nowMs: number
}

/** `why` is the engine's sentence, '' when there is none. */
export function serverWords({ app, status, warnings, paths, nowMs }: ServerFacts): { readonly words: string; readonly why: string } {
  const lost = warnings?.['not-in-map-poll']
  if (app.engine !== 'running' || !status) return { words: t('frame.server.unchecked'), why: '' }
  if (lost) {
    const sinceMs = Date.parse(lost.BrokenSince ?? '')
    const words = Number.isNaN(sinceMs) ? t('frame.server.lost') : t('frame.server.lostSince', { time: clockTime(sinceMs) })
    return { words, why: safeText(lost.Text, 300) }
  }
  const heardMs = ageOf(paths?.serverHeard, nowMs)
  if (status.BackendState === 'Running' && heardMs !== undefined) return { words: heardMs < 1000 ? t('frame.server.heardNow') : t('frame.server.heard', { age: age(heardMs) }), why: '' }
  return { words: t(status.BackendState === 'Running' || status.BackendState === 'NeedsLogin' ? 'frame.server.reachable' : 'frame.server.unchecked'), why: '' }
}
