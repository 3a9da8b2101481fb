/**
 * The one list of what is wrong: the engine's warnings that are not told in a place of their own, gravest first. Pure.
 */
import type { HealthState } from '../../main/localapi/types.ts'
import { ageOf, safeText } from '../../main/words/format.ts'
import { isWord, t } from '../../main/words/words.ts'

export interface HealthRow {
  readonly code: string
  readonly severity: 'high' | 'medium' | 'low'
  readonly title: string
  readonly text: string
  readonly sinceMs: number | undefined
  /** A page that helps, as the server offers it; http and https alone. */
  readonly page: { readonly url: string; readonly label: string } | undefined
}

/** A sign-in page of this network that cannot be opened through the exit node: told with its way out, in place of the portal itself. */
export const HOLDS_PORTAL = 'exit-node-holds-portal'
const PORTAL = 'captive-portal-detected'

/** Told by headline, sign-in notice, expiry bar, exit node notice. */
const ELSEWHERE = new Set(['wantrunning-false', 'login-state', 'key-expired', 'key-expires-soon', 'exit-node-blocked', 'exit-node-paused', HOLDS_PORTAL])
/** A lost server is a line in the sidebar at first: existing connections continue. */
const SERVER_LOST = 'not-in-map-poll'
const SERVER_LOST_MS = 5 * 60_000

const RANK = { high: 0, medium: 1, low: 2 } as const

export function healthRows(warnings: HealthState['Warnings'], nowMs: number): readonly HealthRow[] {
  const rows: HealthRow[] = []
  for (const [code, warning] of Object.entries(warnings ?? {})) {
    if (ELSEWHERE.has(code) || (code === PORTAL && warnings?.[HOLDS_PORTAL] !== undefined)) continue
    const ageMs = ageOf(warning.BrokenSince, nowMs)
    if (code === SERVER_LOST && (ageMs ?? 0) < SERVER_LOST_MS) continue
    rows.push({
      code,
      severity: RANK[warning.Severity] === undefined ? 'medium' : warning.Severity,
      title: known('health.title.', code) ?? safeText(warning.Title, 80),
      text: known('health.text.', code) ?? safeText(warning.Text, 400),
      sinceMs: ageMs === undefined ? undefined : nowMs - ageMs,
      page: pageOf(warning.PrimaryAction),
    })
  }
  return rows.toSorted((a, b) => RANK[a.severity] - RANK[b.severity] || (b.sinceMs ?? 0) - (a.sinceMs ?? 0) || (a.code < b.code ? -1 : 1))
}

/** What we say ourselves of a code; undefined = the engine's or the server's own words are all there is. */
function known(prefix: string, code: string): string | undefined {
  const id = `${prefix}${code}`
  return isWord(id) ? t(id) : undefined
}

function pageOf(action: { readonly URL: string; readonly Label: string } | undefined): HealthRow['page'] {
  if (!action) return undefined
  try {
    const { protocol, href } = new URL(action.URL)
    if (protocol !== 'https:' && protocol !== 'http:') return undefined
    return { url: href, label: safeText(action.Label, 40) || t('health.openPage') }
  } catch {
    return undefined
  }
}
