/**
 * bowline reach: whether a place of the network can be reached, and if not, which rung of the ladder failed.
 */
import type { ReachPage, ReachRung, RungName, RungState } from '../../localapi/reach.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { milliseconds } from '../words.ts'

/** The engine holds an answer back for 30 s at most. */
const WAIT_MS = 40_000
const TITLES: Readonly<Record<RungName, string>> = { name: 'Name', device: 'Device', route: 'Route', handshake: 'Keys', path: 'Path', tunnel: 'Tunnel', host: 'Machine', port: 'Port' }
const STATES: Readonly<Record<RungState, string>> = { 'not-looked': '-', looking: '…', passed: 'ok', unclear: 'no answer', failed: 'failed' }
/** Fine: it can be reached, or nothing of the network is needed for it. */
const FINE: ReadonlySet<string> = new Set(['open', 'up', 'self', 'outside'])

export const reach: Verb = {
  name: 'reach',
  group: 'Find out why',
  takes: 'device',
  summary: 'say whether a device or a port can be reached, and what is in the way',
  usage: '[--request] HOST[:PORT]',
  help:
    'Climbs from the name to the port: name, device, route, keys, path, tunnel, machine, port. The first rung that fails is the answer. Rules of the network are blamed only when the device itself said so.\n' +
    'Opens a connection to the port and closes it again without sending anything. Ends with 0 when it can be reached, else with 1.',
  examples: [['bowline reach db:5432', 'see why the database does not answer'], ['bowline reach --request db:5432', 'write what an admin needs to allow it']],
  json: 'the page of bowline/reach: {"Target", "Rungs", "Verdict", …}',
  flags: { request: { kind: 'bool', help: 'print a request for an admin, where a rule of the network is in the way' } },
  async run({ api, args, json, terminal }: Context) {
    const [target, more] = args.words
    if (target === undefined || more !== undefined) throw usageError('reach wants one place: bowline reach HOST:PORT')
    const ask = (query: Record<string, string | number>): Promise<ReachPage> => lackingAs('This engine does not look at places.', () => api.call('reach', { query, timeoutMs: WAIT_MS, signal: terminal.interrupted }))
    let page = await ask({ target })
    while (page.Ended === undefined) page = await ask({ target: page.Target, after: page.Version })
    const isFine = FINE.has(page.Verdict?.Code ?? '')
    if (json) printJson(terminal, page)
    else if (args.bool('request')) {
      if (page.Request === undefined) throw new CliError(EXIT.failed, 'no-request', `${printable(page.Verdict?.Text ?? '')} No rule of the network is known to be in the way, so there is nothing to ask an admin for.`)
      terminal.out(page.Request)
    } else terminal.out(`${table(page.Rungs.map(lineOf))}\n\n${printable(page.Verdict?.Text ?? '')}\n${styled('faint', printable(page.Verdict?.More ?? ''))}\n`)
    return isFine ? EXIT.ok : EXIT.failed
  },
}

function lineOf({ Name, State, Value = '', LatencyMs, AgeMs }: ReachRung): string[] {
  const when = LatencyMs !== undefined ? milliseconds(LatencyMs) : AgeMs === undefined ? '' : `${Math.round(AgeMs / 1000)} s ago`
  return [TITLES[Name], State === 'failed' ? styled('warning', STATES[State]) : STATES[State], printable(Value), when]
}
