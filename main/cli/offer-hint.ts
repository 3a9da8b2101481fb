/**
 * What is said after this device was told to offer something: offering alone does nothing until the server approves it.
 */
import type { RoutesPage } from '../localapi/routes.ts'
import { printable } from './text.ts'
import type { Context } from './verb.ts'

const FLAGS: readonly string[] = ['advertise-routes', 'advertise-exit-node']

/** What is to be said after a command with these flags. An engine that cannot tell now is no fault of the command. */
export async function hintAfter({ given }: { readonly given: readonly string[] }, api: Context['api']): Promise<string | undefined> {
  return given.some((name) => FLAGS.includes(name)) ? await api.call('routes').then(offerHint).catch(() => undefined) : undefined
}

/** Lines for a person; undefined when all that is offered is approved, or nothing is offered. */
export function offerHint({ Offered }: RoutesPage): string | undefined {
  const waiting = Offered.filter(({ Approved }) => !Approved)
  if (waiting.length === 0) return undefined
  const how = waiting.find(({ Note }) => Note !== undefined)?.Note
  const lines = [`Nobody uses ${waiting.map(({ Prefix }) => Prefix).join(', ')} before it is approved.`, ...(how === undefined ? [] : [how]), 'What came of it: bowline routes']
  return lines.map((line) => printable(line)).join('\n')
}
