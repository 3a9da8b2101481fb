/**
 * Compares the shape of two JSON values: keys, types, and what is left out. Values are compared by type alone; a null says
 * nothing of the type behind it. Objects whose keys are data are compared member by member as one.
 */

/** Objects keyed by data, by the last name of their path. */
const KEYED_BY_DATA: ReadonlySet<string> = new Set([
  'Peer', 'User', 'UserProfiles', 'CapMap', 'DERPLatency', 'LivePeers', 'Regions', 'Routes', 'Warnings', 'PeerState',
])

/** Where two values differ in shape, one line each: "PATH is missing", "PATH is extra" or "PATH: TYPE is not TYPE". */
export function shapeDifferences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (ours === null || theirs === null) return []
  if (Array.isArray(ours) && Array.isArray(theirs)) return memberDifferences(ours, theirs, `${path}[]`)
  if (!isObject(ours) || !isObject(theirs)) return kindOf(ours) === kindOf(theirs) ? [] : [`${path}: ${kindOf(ours)} is not ${kindOf(theirs)}`]
  if (KEYED_BY_DATA.has(path.split('.').at(-1) ?? '')) return memberDifferences(Object.values(ours), Object.values(theirs), `${path}.*`)
  return [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].flatMap((key) => {
    const at = path === '' ? key : `${path}.${key}`
    if (!(key in ours)) return [`${at} is missing`]
    if (!(key in theirs)) return [`${at} is extra`]
    return shapeDifferences(ours[key], theirs[key], at)
  })
}

/** Members are alike when each of ours is like one of theirs; the nearest one tells the difference. */
function memberDifferences(ours: readonly unknown[], theirs: readonly unknown[], path: string): string[] {
  if (theirs.length === 0) return []
  const all = ours.flatMap((item) => theirs.map((other) => shapeDifferences(item, other, path)).toSorted((a, b) => a.length - b.length)[0]!)
  return [...new Set(all)]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value
}
