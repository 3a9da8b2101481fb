/**
 * bowline preview: what a change would take away, before it is made; bowline trial: the change that is on trial.
 */
import type { ExitNodeRow } from '../../localapi/exit-nodes.ts'
import type { WantedChange } from '../../localapi/machine.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { lossesText, trialText } from '../losses.ts'
import { nearest } from '../nearest.ts'
import { printable } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const SWITCHES: Readonly<Record<string, (on: boolean) => WantedChange>> = {
  routes: (on) => ({ Prefs: { RouteAll: on, RouteAllSet: true } }),
  names: (on) => ({ Prefs: { CorpDNS: on, CorpDNSSet: true } }),
  lan: (on) => ({ Prefs: { ExitNodeAllowLANAccess: on, ExitNodeAllowLANAccessSet: true } }),
}

export const preview: Verb = {
  name: 'preview',
  group: 'Use the network',
  summary: 'say what a change would take away, and change nothing',
  usage: 'exit-node NAME|auto|none | routes on|off | names on|off | lan on|off | machine whole|apps [--json]',
  help: 'Looks at what is open and near on this computer now (remote sessions, connections, printers, devices of the local network, other VPNs, who answers names) and says what would go another way or nowhere. "lan" is the local network beside an exit node.\nEnds with 1 when the change cannot be made at all.',
  examples: [['bowline preview exit-node exit-ams', 'what you would lose by it'], ['bowline preview machine whole --json', 'the same for a program']],
  json: '{"Losses": [{"Kind", "What", "Name", "Address", "Count", "Why": {"Code", "Text", "Args"}, "IsWayIn"}], "RoutesAdded", "RoutesRemoved", "Internet": {"Before", "After"}, "Names": {"Before", "After"}, "IsRisky", "Refused"}',
  takes: ['exit-node', 'routes', 'names', 'lan', 'machine'],
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const page = await api.call('preview', { body: await wanted(args.words, api) })
    if (json) printJson(terminal, page)
    else terminal.out(`${lossesText(page)}\n`)
    return page.Refused ? EXIT.failed : EXIT.ok
  },
}

async function wanted(words: readonly string[], api: Context['api']): Promise<WantedChange> {
  const [what = '', value = '', ...more] = words
  if (what === '' || value === '' || more.length > 0) throw usageError('preview wants a change: bowline preview exit-node NAME, routes on, names off, lan on, machine whole')
  if (what === 'exit-node') return exitNodeChange(value, api)
  if (what === 'machine') {
    if (value === 'whole' || value === 'apps') return { Mode: value }
    throw usageError(`The mode is whole or apps, not ${JSON.stringify(value)}.`)
  }
  const make = Object.hasOwn(SWITCHES, what) ? SWITCHES[what] : undefined
  if (!make) throw usageError(`There is no preview of ${JSON.stringify(what)}; there are: exit-node, routes, names, lan, machine.`)
  if (value !== 'on' && value !== 'off') throw usageError(`${what} is on or off, not ${JSON.stringify(value)}.`)
  return make(value === 'on')
}

/** The change that a person means by a name, an address, an ID, auto or none. Throws CliError. */
export async function exitNodeChange(name: string, api: Context['api']): Promise<WantedChange> {
  const isAuto = name === 'auto' || name === 'auto:any'
  const id = isAuto || name === 'none' ? '' : idOf(name, (await api.call('exitNodes')).Nodes)
  return { Prefs: { ExitNodeID: id, ExitNodeIDSet: true, ExitNodeIP: '', ExitNodeIPSet: true, AutoExitNode: isAuto ? 'any' : '', AutoExitNodeSet: true } }
}

function idOf(name: string, nodes: readonly ExitNodeRow[]): string {
  const found = nodes.filter(({ ID, Name, IP }) => ID === name || IP === name || Name.toLowerCase() === name.toLowerCase().split('.')[0] || Name.toLowerCase() === name.toLowerCase())
  if (found.length === 1) return found[0]!.ID
  const near = nearest(name.toLowerCase(), nodes.map((node) => node.Name.toLowerCase()))
  const text = found.length > 1 ? `Several exit nodes are called ${JSON.stringify(name)}. Give the address.` : `No exit node is called ${JSON.stringify(name)}.${near === undefined ? '' : ` Did you mean ${printable(near)}?`} See: bowline exit-node list`
  throw new CliError(EXIT.failed, found.length > 1 ? 'ambiguous' : 'not-found', text)
}

const keep: Verb = { name: 'keep', summary: 'keep the change that is on trial', usage: '', help: '', json: 'as bowline trial --json', flags: {}, run: (context) => answer(context, 'keep') }
const undo: Verb = { name: 'undo', summary: 'undo the change that is on trial at once', usage: '', help: '', json: 'as bowline trial --json', flags: {}, run: (context) => answer(context, 'undo') }

export const trial: Verb = {
  name: 'trial',
  group: 'Use the network',
  summary: 'show, keep or undo the change that is on trial',
  usage: '[keep | undo] [--json]',
  help: 'A change that was made with --trial, or by the window where it takes something away, undoes itself after its time unless somebody keeps it: whatever becomes of the window, the terminal or the engine.',
  json: '{"Trial": {"ID", "Until", "LeftMs", "Change", "Back", "Losses"}, "Last": {"ID", "End", "At", "Why"}}',
  subs: [keep, undo],
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    noWords('trial', args)
    const page = await api.call('trial')
    if (json) printJson(terminal, page)
    else terminal.out(`${trialText(page)}\n`)
    return EXIT.ok
  },
}

async function answer({ api, args, json, terminal }: Context, what: 'keep' | 'undo'): Promise<ExitCode> {
  noWords(`trial ${what}`, args)
  const { Trial: open } = await api.call('trial')
  if (!open) throw new CliError(EXIT.failed, 'no-trial', 'Nothing is on trial.')
  const page = await api.call('answerTrial', { body: { ID: open.ID, Answer: what } })
  if (json) printJson(terminal, page)
  else terminal.out(`${trialText(page)}\n`)
  return EXIT.ok
}
