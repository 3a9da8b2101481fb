/**
 * Which callers may choose a folder of this computer: the engine writes there with its own rights, so only who has the same ones.
 */
import { EngineError } from '../base/errors.ts'
import type { Call } from './handlers.ts'

/** Throws EngineError('access-denied') for a change of extras with a folder that this caller may not choose; `now`: the one that is set. */
export function assertMayChoose(caller: Call['caller'], change: unknown, now: string): void {
  const folder = (change as { Taildrop?: { Folder?: unknown } | null } | null | undefined)?.Taildrop?.Folder
  if (caller.mayNamePaths || folder === undefined || folder === '' || folder === now) return
  throw new EngineError('access-denied', 'Only the user that the engine runs as can choose the folder for incoming files. Without one they wait with the engine (bowline file get).')
}
