/**
 * What is said after this device was told to offer something: offering alone does nothing until the server approves it.
 */
import type { RoutesPage } from '../localapi/routes.ts'
import { printable } from '../engine/base/printable.ts'

/** Flags after which it is said. */
export const OFFER_FLAGS: readonly string[] = ['advertise-routes', 'advertise-exit-node']

/** Lines for a person; undefined when all that is offered is approved, or nothing is offered. */
export function offerHint({ Offered }: RoutesPage): string | undefined {
  const waiting = Offered.filter(({ Approved }) => !Approved)
  if (waiting.length === 0) return undefined
  const how = waiting.find(({ Note }) => Note !== undefined)?.Note
  const lines = [`Nobody uses ${waiting.map(({ Prefix }) => Prefix).join(', ')} before it is approved.`, ...(how === undefined ? [] : [how]), 'What came of it: bowline routes']
  return lines.map((line) => printable(line)).join('\n')
}
