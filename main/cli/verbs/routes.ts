/**
 * bowline routes: networks behind devices, which of them are used here, and those that this device offers.
 */
import { parsePrefix } from '../../engine/base/ip.ts'
import { skippedAfterAccepting } from '../../localapi/routes.ts'
import type { OfferedRoute, RouteRow, RoutesPage } from '../../localapi/routes.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const ROUTE_WORDS: Readonly<Record<RouteRow['State'], string>> = {
  used: 'Used',
  'not-accepted': 'Not used',
  skipped: 'Skipped',
  overlaps: 'Not used',
  'no-router': 'Nobody there',
  refused: 'Refused',
}

const accept: Verb = {
  name: 'accept',
  summary: 'use networks behind devices',
  usage: 'PREFIX … | all',
  help: 'Uses these networks from now on, or all that are offered, now or later. A network that this computer is on itself stays unused until it is elsewhere.',
  examples: [['bowline routes accept 10.0.3.0/24', 'this network and no other, if none was used before']],
  json: 'the networks after it, as bowline routes --json',
  flags: {},
  async run(context: Context) {
    const { api, args } = context
    const page = await api.call('routes')
    const { SkippedRoutes } = await api.call('extras')
    const wanted = isAll(args.words) ? [...SkippedRoutes, ...page.Routes.map(({ Prefix }) => Prefix)] : known(args.words, page, 'accept')
    // What is not wanted is skipped before networks are accepted at all, so that none is used in between.
    await api.call('editExtras', { body: { SkippedRoutes: isAll(args.words) ? [] : skippedAfterAccepting(page, SkippedRoutes, wanted) } })
    if (!page.Accept) await api.call('editPrefs', { body: { RouteAll: true, RouteAllSet: true } })
    return await show(context, isAll(args.words) ? undefined : wanted)
  },
}

const skip: Verb = {
  name: 'skip',
  summary: 'leave networks behind devices unused, whoever offers them',
  usage: 'PREFIX … | all',
  help: 'Skips these networks until they are accepted again; the choice outlives restarts. "all" turns networks behind devices off.',
  json: 'the networks after it, as bowline routes --json',
  flags: {},
  async run(context: Context) {
    const { api, args } = context
    const page = await api.call('routes')
    if (isAll(args.words)) {
      await api.call('editPrefs', { body: { RouteAll: false, RouteAllSet: true } })
      return await show(context, undefined)
    }
    const unwanted = known(args.words, page, 'skip')
    const { SkippedRoutes } = await api.call('extras')
    await api.call('editExtras', { body: { SkippedRoutes: [...new Set([...SkippedRoutes, ...unwanted])] } })
    return await show(context, unwanted)
  },
}

export const routes: Verb = {
  name: 'routes',
  group: 'Use the network',
  summary: 'show networks behind devices, and choose which are used here',
  usage: '[--json] | accept PREFIX …|all | skip PREFIX …|all',
  help: 'Shows every network that a device of this tailnet offers, whether it is used on this computer and why not, who carries it and who stands by; then those that this device offers itself.',
  examples: [['bowline routes', 'all of them'], ['bowline routes skip 10.0.3.0/24', 'use the others and not this one']],
  json: '{"Accept", "Routes": [{"Prefix", "State", "Why", "Via", "Standby"}], "Offered": [{"Prefix", "Approved", "Primary", "Flows"}]}',
  subs: [accept, skip],
  flags: {},
  async run(context: Context) {
    noWords('routes', context.args)
    const page = await context.api.call('routes')
    if (context.json) printJson(context.terminal, page)
    else context.terminal.out(pageText(page))
    return EXIT.ok
  },
}

/** Networks that are used, and those that are not although somebody may count on them, for a line below a status. */
export function routesHint(page: RoutesPage): string | undefined {
  const offered = page.Routes.filter(({ State, Standby }) => State !== 'refused' && (State !== 'skipped' || Standby.length > 0))
  if (offered.length === 0) return undefined
  if (!page.Accept) return `${counted(offered.length)} behind devices ${offered.length === 1 ? 'is' : 'are'} offered and not used here: bowline routes accept all`
  const count = (state: RouteRow['State']): number => page.Routes.filter(({ State }) => State === state).length
  const parts = [`${count('used')} used`, ...(count('no-router') > 0 ? [`${count('no-router')} with nobody to carry ${count('no-router') === 1 ? 'it' : 'them'}`] : []), ...(count('overlaps') > 0 ? [`${count('overlaps')} not used because this computer is on ${count('overlaps') === 1 ? 'it' : 'them'} itself`] : [])]
  return `Networks behind devices: ${parts.join(', ')} (bowline routes)`
}

async function show({ api, json, terminal }: Context, prefixes: readonly string[] | undefined): Promise<typeof EXIT.ok> {
  const page = await api.call('routes')
  if (json) printJson(terminal, page)
  else if (!prefixes) terminal.out(pageText(page))
  else terminal.out(`${table(page.Routes.filter(({ Prefix }) => prefixes.includes(Prefix)).map(rowText))}\n`)
  return EXIT.ok
}

function pageText(page: RoutesPage): string {
  const head = page.Accept ? 'Networks behind devices are used on this computer.' : 'Networks behind devices are not used on this computer. Use them with: bowline routes accept all'
  const rows = page.Routes.length > 0 ? table(page.Routes.map(rowText)) : 'No device offers one.'
  const offered = page.Offered.length > 0 ? `\n${styled('strong', 'Offered by this device')}\n${table(page.Offered.map(offeredText))}\n` : ''
  return `${head}\n\n${rows}\n${offered}`
}

function rowText({ Prefix, State, Why, Standby }: RouteRow): string[] {
  const offerers = State === 'used' || State === 'no-router' || Standby.length === 0 ? '' : ` Offered by ${Standby.map(({ Name }) => Name).join(', ')}.`
  return [Prefix, State === 'used' ? ROUTE_WORDS[State] : styled(State === 'skipped' || State === 'not-accepted' ? 'faint' : 'warning', ROUTE_WORDS[State]), printable(`${Why}${offerers}`)]
}

function offeredText({ Prefix, Approved, Primary, Flows, Note }: OfferedRoute): string[] {
  const state = !Approved ? 'Waits for approval at the server' : Primary ? 'Approved, traffic comes here' : 'Approved'
  return [Prefix, state, Flows > 0 ? `${Flows} open` : '', printable(Note ?? '')]
}

const isAll = (words: readonly string[]): boolean => words.length === 1 && words[0] === 'all'
const counted = (count: number): string => (count === 1 ? '1 network' : `${count} networks`)

/** The prefixes that were given, in canonical text; throws when one is none, or one that nobody offers and nobody skipped. */
function known(words: readonly string[], page: RoutesPage, verb: string): readonly string[] {
  if (words.length === 0) throw usageError(`routes ${verb} wants networks, or all: bowline routes ${verb} 10.0.3.0/24`)
  return words.map((word) => {
    const prefix = parsePrefix(word)
    const text = prefix && `${prefix.ip}/${prefix.bits}`
    if (text === undefined) throw usageError(`${JSON.stringify(word)} is not a network. One looks like 10.0.3.0/24; those that are offered: bowline routes`)
    if (!page.Routes.some(({ Prefix }) => Prefix === text)) throw new CliError(EXIT.failed, 'no-such-network', `No device offers ${text}. Those that are offered: bowline routes`)
    return text
  })
}
