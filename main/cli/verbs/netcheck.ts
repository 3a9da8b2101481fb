/**
 * bowline netcheck: what the network here lets through, as the engine measures it.
 */
import { EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { printable, table } from '../words.ts'

export const netcheck: Verb = {
  name: 'netcheck',
  summary: 'measure the network: UDP, addresses seen outside, relays',
  usage: '[--json]',
  help: 'Asks the engine to measure now. Relays are measured only while connected: before that none is known.',
  flags: {},
  async run({ api, json, terminal }: Context) {
    const report = await api.call('netcheck')
    if (json || typeof report !== 'object' || report === null) printJson(terminal, report)
    else terminal.out(`${table(Object.entries(report).map(([name, value]) => [name, shown(value)]))}\n`)
    return EXIT.ok
  },
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'not known'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return printable(typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value))
}
