/**
 * What went from one ordered list of shared objects to the next, by identity. Whoever makes a list out of another may note
 * the difference with it (`noteChanges`); otherwise it is found in one pass of pointer comparisons, while changes are single
 * insertions, removals and replacements, however many and wherever they are.
 *
 * Neither list holds the same object twice. Objects that only moved are in neither answer.
 */
export interface ListChanges<T> {
  /** In the first list alone. */
  readonly gone: readonly T[]
  /** In the second list alone, in its order. */
  readonly come: readonly T[]
}

const NONE: ListChanges<never> = { gone: [], come: [] }

interface Note {
  /** Weak, or each list would keep all lists before it. */
  readonly before: WeakRef<readonly object[]>
  readonly changes: ListChanges<object>
}

const notes = new WeakMap<readonly object[], Note>()

/** Remembers with a list how it differs from the one that it was made of. */
export function noteChanges<T extends object>(before: readonly T[], after: readonly T[], changes: ListChanges<T>): void {
  notes.set(after, { before: new WeakRef(before), changes })
}

export function listChanges<T extends object>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NONE
  const note = notes.get(after)
  if (note?.before.deref() === before) return note.changes as ListChanges<T>
  const gone: T[] = []
  const come: T[] = []
  let i = 0
  let j = 0
  while (i < before.length && j < after.length) {
    const old = before[i]!
    const item = after[j]!
    if (old === item) {
      i++
      j++
    } else if (before[i + 1] === item) gone.push(before[i++]!)
    else if (after[j + 1] === old) come.push(after[j++]!)
    else {
      gone.push(before[i++]!)
      come.push(after[j++]!)
    }
  }
  while (i < before.length) gone.push(before[i++]!)
  while (j < after.length) come.push(after[j++]!)
  return withoutMoved(gone, come)
}

/** Runs longer than one look wrong to the pass: what is in both answers stayed. */
function withoutMoved<T>(gone: T[], come: T[]): ListChanges<T> {
  if (gone.length === 0 || come.length === 0) return { gone, come }
  const left = new Set(gone)
  const fresh = come.filter((item) => !left.delete(item))
  return fresh.length === come.length ? { gone, come } : { gone: [...left], come: fresh }
}
