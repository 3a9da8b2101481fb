/**
 * "Did you mean …": the known word that a mistyped one is nearest to.
 */

/** The nearest of `known`, when it is near enough to be meant: a third of its letters at most differ, or it begins so. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const typed = word.toLowerCase()
  if (typed === '' || typed.length > 40) return undefined
  let best: string | undefined
  let least = Infinity
  for (const candidate of known) {
    const differ = distance(typed, candidate)
    if (differ < least && differ <= Math.max(1, Math.floor(candidate.length / 3))) [best, least] = [candidate, differ]
  }
  if (best !== undefined) return best
  const begun = known.filter((candidate) => candidate.startsWith(typed))
  return begun.length === 1 ? begun[0] : undefined
}

/** " Did you mean X?", or nothing. */
export function didYouMean(word: string, known: readonly string[], show: (found: string) => string = (found) => found): string {
  const found = nearest(word, known)
  return found === undefined ? '' : ` Did you mean ${show(found)}?`
}

/** Letters to insert, drop, replace or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
