/**
 * The path to one device as plain text for somebody else's ticket: the verdict with its rule, both sides' facts, the last
 * changes with their causes, versions and time. Without names and addresses unless they are asked for. Pure.
 */
import type { PathPage } from './types.ts'

const LAST_CHANGES = 5

/** What a ticket has beside the verdict; `names` are the device's name and every address. */
export type TicketPart = 'sides' | 'changes' | 'versions' | 'names'

/** Lines for a ticket, with the parts that somebody wants in it. */
export function pathTicket(page: PathPage, parts: readonly TicketPart[]): string {
  const has = (part: TicketPart): boolean => parts.includes(part)
  const named = has('names')
  const { reason, candidates } = page
  const answered = candidates.filter((one) => one.lastPongAgoMs !== undefined).length
  const changes = page.events.filter((event) => event.part === 'path' && event.kind === 'path').slice(-LAST_CHANGES)
  const lines = [
    'Bowline, path to one device',
    `Verdict: ${reason.sentence}`,
    `Rule: ${reason.rule}, confidence ${reason.confidence}`,
    ...(named ? [`Device: ${page.name} ${page.ip}`] : []),
    `Path: ${page.kind}${page.regionCode === undefined ? '' : `, relay ${page.regionCode}`}${named && page.addr !== undefined ? `, ${page.addr}` : ''}`,
    `Since: ${page.since}`,
    ...(page.latencyMs === undefined ? [] : [`Round trip: ${page.latencyMs.toFixed(1)} ms`]),
    ...reason.evidence.map(({ label, value }) => `Evidence: ${label}: ${value}`),
    ...(has('sides') ? page.sides.map(({ label, here, there }) => `${label}: here ${here.state} (${here.value}), there ${there.state} (${there.value})`) : []),
    `Addresses: ${candidates.length} known, ${answered} ever answered`,
    ...(named ? candidates.map((one) => `  ${one.addr} from ${one.sources.join(', ')}${one.lastPongAgoMs === undefined ? ', never answered' : ''}`) : []),
    ...(has('changes') ? changes.map((event) => `Change: ${event.at} ${kindOf(event, 'from')} to ${kindOf(event, 'to')}, because: ${event.why ?? 'no cause seen'}`) : []),
    ...(has('versions') ? [`Here: Bowline ${page.own.version} on ${page.own.os || 'an unknown system'}`, `There: ${page.other.version || 'unknown version'} on ${page.other.os || 'an unknown system'}`] : []),
    `Time: ${page.at}`,
  ]
  return `${lines.join('\n')}\n`
}

/** The kind of path on one side of a change. */
export function kindOf(event: PathPage['events'][number], side: 'from' | 'to'): string {
  const path = (event as { readonly from?: unknown; readonly to?: unknown })[side] as { readonly kind?: unknown } | undefined
  return typeof path?.kind === 'string' ? path.kind : 'unknown'
}
