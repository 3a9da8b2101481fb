/**
 * What the flows (sign-in, network map) may ask of the backend that ties them together.
 */
import type { Notify, Prefs } from '../../localapi/types.ts'
import type { SavedState } from './saved-state.ts'
import type { LifecycleEvent } from './state.ts'

export interface Knot {
  advance(event: LifecycleEvent): void
  /** Keeps the state, on disk when it returns; a failure becomes a warning. `wipe`: no key of before stays on disk. */
  save(saved: SavedState, wipe?: boolean): void
  /** Takes prefs that were checked; saves, tells and applies what differs. */
  takePrefs(prefs: Prefs): void
  emit(part: Partial<Notify>): void
  pushWants(): void
  /** Plans and applies again although the state is the same. */
  applyAgain(): void
  /** The same, if anything flows at all. */
  planAgain(): void
  refreshWarnings(): void
  noteStoreProblems(): void
}
