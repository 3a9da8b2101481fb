/**
 * Is there anything that shows tray icons? On Linux that is a StatusNotifierWatcher with a host, which may come late, go, and come again.
 *
 *   unknown ─ host answers → shown ⇄ missing        missing is said only after ten seconds without one, at first and after each loss
 *
 * The watcher's restart counts as a loss and a new one: icons have to be registered anew. Elsewhere there always is a tray.
 */
import type { SessionBus } from '../session-bus.ts'

const WATCHER = 'org.kde.StatusNotifierWatcher'
const PATH = '/StatusNotifierWatcher'
export const PATIENCE_MS = 10_000

export interface ProbeFacts {
  /** A host is there now, or no longer: icons are registered anew each time. */
  onHost(present: boolean): void
  /** What is said of it; `missing` only after patience. */
  onState(state: 'shown' | 'missing'): void
}

export interface ProbeDeps {
  readonly bus: Pick<SessionBus, 'watchName' | 'follow' | 'property'> | undefined
  readonly later: (ms: number, run: () => void) => () => void
}

/** Follows the watcher; returns at once. */
export function probeTrayHost({ bus, later }: ProbeDeps, facts: ProbeFacts): void {
  let present = false
  let owner = ''
  let cancel = later(PATIENCE_MS, () => facts.onState('missing'))
  const set = (now: boolean): void => {
    if (now === present) return
    present = now
    cancel()
    facts.onHost(now)
    if (now) facts.onState('shown')
    else cancel = later(PATIENCE_MS, () => facts.onState('missing'))
  }
  const look = async (): Promise<void> => {
    const asked = owner
    const hosted = asked !== '' && (await bus!.property(WATCHER, PATH, WATCHER, 'IsStatusNotifierHostRegistered').catch(() => false)) === true
    if (asked === owner) set(hosted)
  }
  if (!bus) return
  const lost = (): void => undefined
  void bus.follow(WATCHER, ({ member }) => {
    if (member.startsWith('StatusNotifierHost')) void look()
  }).catch(lost)
  void bus.watchName(WATCHER, (now) => {
    if (now !== owner) set(false)
    owner = now
    void look()
  }).catch(lost)
}
