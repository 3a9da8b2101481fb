/**
 * The columns of the list: which there are, which an account shows in what order, which fit into the room there is. Pure.
 */

export const COLUMNS = ['name', 'owner', 'address', 'path', 'roundTrip', 'heard', 'since', 'server', 'os'] as const
export type Column = (typeof COLUMNS)[number]

export const USUAL_COLUMNS: readonly Column[] = ['name', 'owner', 'address', 'path', 'roundTrip', 'heard']
/** What a small window shows, whatever else was chosen. */
const SMALL: readonly Column[] = ['name', 'path', 'roundTrip']
/** Columns whose values change by themselves. */
export const LIVE: ReadonlySet<Column> = new Set(['path', 'roundTrip', 'heard', 'since', 'server'])
/** Numbers, at the end of their column. */
export const AT_END: ReadonlySet<Column> = new Set(['roundTrip', 'heard', 'since'])

/** Least widths in rem, and how what is left is shared. */
const WIDTHS: Readonly<Record<Column, readonly [rem: number, share: number]>> = {
  name: [9, 1.4], owner: [6.5, 1], address: [7, 0.4], path: [9.5, 1.2], roundTrip: [4.5, 0.2], heard: [4, 0.2], since: [4, 0.2], server: [5.5, 0.6], os: [5, 0.6],
}
const GAP_REM = 0.75
const PADDING_REM = 2.5
/** Which goes first where there is no room. */
const FIRST_TO_GO: readonly Column[] = ['since', 'server', 'os', 'owner', 'address', 'heard', 'roundTrip']

/** The columns of a view: known ones, each once, the name always and first; the usual ones where none were chosen. */
export function columnsOf(chosen: readonly string[]): readonly Column[] {
  const known = chosen.flatMap((id) => COLUMNS.filter((one) => one === id && one !== 'name'))
  return known.length === 0 && !chosen.includes('name') ? USUAL_COLUMNS : ['name', ...new Set(known)]
}

/** Those that fit into a list of `rem` root font sizes. */
export function fitting(columns: readonly Column[], rem: number, isSmall: boolean): readonly Column[] {
  let left = isSmall ? columns.filter((one) => SMALL.includes(one)) : columns
  for (const one of FIRST_TO_GO) {
    if (leastRem(left) <= rem) return left
    left = left.filter((other) => other !== one)
  }
  return left
}

function leastRem(columns: readonly Column[]): number {
  return columns.reduce((sum, one) => sum + WIDTHS[one][0] + GAP_REM, PADDING_REM - GAP_REM)
}

/** For `grid-template-columns`. */
export function template(columns: readonly Column[]): string {
  return columns.map((one) => {
    const [rem, share] = WIDTHS[one]
    return share === 0 ? `${rem}rem` : `minmax(${one === 'name' || one === 'path' ? 0 : rem}rem, ${share * 10}fr)`
  }).join(' ')
}

/** A column put in or left out; a new one comes last. */
export function withColumn(columns: readonly Column[], one: Column, isShown: boolean): readonly Column[] {
  return isShown ? [...columns.filter((other) => other !== one), one] : columns.filter((other) => other !== one)
}

/** A column moved by one place, never before the name. */
export function movedColumn(columns: readonly Column[], one: Column, by: 1 | -1): readonly Column[] {
  const from = columns.indexOf(one)
  const to = from + by
  if (from < 1 || to < 1 || to >= columns.length) return columns
  const next = columns.filter((other) => other !== one)
  next.splice(to, 0, one)
  return next
}
