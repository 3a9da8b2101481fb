/**
 * A new look at the engine with the objects of the last one wherever nothing changed, so that a view can compare with `===` and
 * ten thousand unchanged devices are neither kept twice nor drawn again. Pure.
 */
import type { PathRow, PathsPage, PeerStatus, Status } from '../../preload/contract.ts'

/** The same JSON value. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false
  const [keys, others] = [Object.keys(a), Object.keys(b)]
  return keys.length === others.length && keys.every((key) => Object.hasOwn(b, key) && same(a[key as keyof typeof a], b[key as keyof typeof b]))
}

/** The status, with peers and users of the last one that say the same. */
export function keepStatus(was: Status | undefined, is: Status): Status {
  if (!was) return is
  return { ...is, Self: same(was.Self, is.Self) ? was.Self : is.Self, User: same(was.User, is.User) ? was.User : is.User, Peer: keepPeers(was.Peer, is.Peer) }
}

function keepPeers(was: Status['Peer'], is: Status['Peer']): Status['Peer'] {
  if (!was || !is) return is
  const keys = Object.keys(is)
  let changed = keys.length !== Object.keys(was).length
  const kept: Record<string, PeerStatus> = {}
  for (const key of keys) {
    const old = Object.hasOwn(was, key) ? was[key] : undefined
    const next = is[key]!
    const stays = old !== undefined && same(old, next)
    if (!stays) changed = true
    kept[key] = stays ? old : next
  }
  return changed ? kept : was
}

/** The same for paths: rows, and their list. */
export function keepPaths(was: PathsPage | undefined, is: PathsPage): PathsPage {
  if (!was) return is
  const old = new Map<string, PathRow>(was.paths.map((row) => [row.peer, row]))
  const paths = is.paths.map((row) => {
    const before = old.get(row.peer)
    return before !== undefined && same(before, row) ? before : row
  })
  return { ...is, paths: paths.length === was.paths.length && paths.every((row, index) => row === was.paths[index]) ? was.paths : paths }
}
