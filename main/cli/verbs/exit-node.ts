/**
 * bowline exit-node: where this computer's internet traffic goes out, and where else it could.
 */
import type { ExitNodeAction, ExitNodeRow, ExitNodesPage } from '../../localapi/exit-nodes.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { WantedChange } from '../../localapi/machine.ts'
import { makeChange, RISK_FLAGS } from '../losses.ts'
import { nearest } from '../nearest.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { age, milliseconds } from '../words.ts'
import { noWords } from '../words-given.ts'
import { exitNodeChange } from './preview.ts'

/** How long a measured row, or a choice that is settled, is waited for. */
const MEASURE_MS = 2_000
const SETTLE_MS = 6_000
const FAILURES: readonly string[] = ['block', 'next', 'direct']

const list: Verb = {
  name: 'list',
  summary: 'show the devices that offer themselves as exit node, the best first',
  usage: '[--filter COUNTRY]',
  help: 'Measures the way to each of them once. The one in use has a star, the best one says why it is.',
  json: 'the page: {"Chosen", "Egress", "AllowLAN", "LAN", "Failure", "Nodes": [{"ID", "Name", "IP", "Owner", "Online", "Path", "LatencyMs", "Suggested", "Why", "Unavailable"}], "Proofs", "Offer"}',
  flags: { filter: { kind: 'text', help: 'only those in this country', value: 'COUNTRY' } },
  async run(context: Context) {
    const { args, json, terminal } = context
    noWords('exit-node list', args)
    const page = await measured(context)
    const wanted = args.text('filter').toLowerCase()
    const nodes = page.Nodes.filter(({ Place }) => wanted === '' || Place?.toLowerCase().includes(wanted) === true)
    if (json) printJson(terminal, { ...page, Nodes: nodes })
    else if (nodes.length > 0) terminal.out(`${listText(page, nodes)}\n`)
    else terminal.out(wanted === '' ? 'No device of this network offers itself as exit node.\n' : `No exit node is in ${JSON.stringify(args.text('filter'))}.\n`)
    return EXIT.ok
  },
}

const use: Verb = {
  name: 'use',
  summary: 'send internet traffic out through a device',
  usage: 'NAME|ADDRESS|auto [--allow-lan] [--if-it-fails=block|next|direct] [--trial[=SECONDS]]',
  help:
    'Programs that use the proxies of this engine go out there from now on; other devices and their networks are reached as before. With auto the engine takes the best by measured path, and another one when that fails.\n' +
    'If it fails: "block" lets nothing out until it answers again (as it is without a choice of yours), "next" takes the next best, "direct" goes past it, and each says so.',
  examples: [['bowline exit-node use exit-ams --allow-lan', 'and keep the printer'], ['bowline exit-node use auto', 'the best one, whichever that is']],
  json: 'the page after it, as exit-node list',
  takes: 'exit-node',
  flags: {
    'allow-lan': { kind: 'bool', help: 'reach the local network past it; =false closes that' },
    'if-it-fails': { kind: 'choice', help: 'what becomes of the traffic when it does not answer', choices: FAILURES },
    ...RISK_FLAGS,
  },
  async run(context: Context) {
    const { api, args } = context
    const [name, ...more] = args.words
    if (name === undefined || more.length > 0) throw usageError('exit-node use wants one device, or auto: bowline exit-node use NAME. Which there are: bowline exit-node list')
    const action: ExitNodeAction = {
      Do: 'use', Node: name,
      ...(args.has('allow-lan') ? { AllowLAN: args.bool('allow-lan') } : {}),
      ...(args.has('if-it-fails') ? { Failure: args.text('if-it-fails') as ExitNodesPage['Failure'] } : {}),
    }
    return makeChange(context, await useChange(context, name), async () => {
      const page = await api.call('exitNodeAction', { body: action }).catch((error: unknown) => rethrow(error, name, api))
      const settled = await until(context, page, ({ Egress: { Kind } }) => Kind === 'exit' || Kind === 'paused', SETTLE_MS)
      show(context, settled)
      return settled.Egress.Kind === 'blocked' ? EXIT.failed : EXIT.ok
    })
  },
}

/** What a trial would make of it; the rule for failure is no part of one. undefined: nobody needs to know, or the engine says better what is wrong. */
async function useChange({ api, args, terminal }: Context, name: string): Promise<WantedChange | undefined> {
  const isAsked = args.has('trial')
  if (isAsked && args.has('if-it-fails')) throw usageError('--if-it-fails cannot be tried first; give it alone, before or after: bowline set --exit-node=NAME …')
  if (!isAsked && (terminal.system.env['SSH_CONNECTION'] ?? terminal.system.env['SSH_CLIENT'] ?? '') === '') return undefined
  const change = await exitNodeChange(name, api).catch((error: unknown) => {
    if (isAsked) throw error
    return undefined
  })
  const lan = args.has('allow-lan') ? { ExitNodeAllowLANAccess: args.bool('allow-lan'), ExitNodeAllowLANAccessSet: true } : {}
  return change && { Prefs: { ...change.Prefs, ...lan } }
}

const clear: Verb = {
  name: 'clear',
  summary: 'send internet traffic out directly again',
  usage: '',
  help: '',
  json: 'the page after it, as exit-node list',
  flags: {},
  run: (context: Context) => act(context, 'clear', { Do: 'clear' }),
}

const suggest: Verb = {
  name: 'suggest',
  summary: 'name the exit node that fits best',
  usage: '',
  help: 'By measured path: direct before another device before a relay, then the round trip. It needs no recommendation of the server, and follows one.',
  json: '{"ID", "Name", "Why"}',
  flags: {},
  async run(context: Context) {
    const { args, json, terminal } = context
    noWords('exit-node suggest', args)
    const page = await measured(context)
    const best = page.Nodes.find(({ Suggested }) => Suggested)
    if (json) printJson(terminal, { ID: best?.ID ?? '', Name: best?.Name ?? '', Why: best?.Why ?? '' })
    else if (!best) throw new CliError(EXIT.failed, 'no-exit-node', page.Nodes.length === 0 ? 'There is no exit node to suggest: no device offers itself as one.' : 'There is no exit node to suggest: none answers. Why: bowline exit-node list')
    else terminal.out(`${printable(best.Name)}: ${printable(best.Why ?? '')}\nUse it with: bowline exit-node use ${printable(best.Name)}\n`)
    return EXIT.ok
  },
}

const pause: Verb = {
  name: 'pause',
  summary: 'let traffic past the exit node on this network, for a while',
  usage: '[--for 10m]',
  help: 'For the sign-in page of a hotel or a train. It ends at its time, when that page is gone, on another network, and with: bowline exit-node resume',
  json: 'the page after it, as exit-node list',
  flags: { for: { kind: 'duration', help: 'how long, at most 8h', value: 'TIME', initial: '10m' } },
  run: (context: Context) => act(context, 'pause', { Do: 'pause', Seconds: context.args.durationMs('for') / 1000 }),
}

const resume: Verb = {
  name: 'resume',
  summary: 'use the exit node again after a pause',
  usage: '',
  help: '',
  json: 'the page after it, as exit-node list',
  flags: {},
  run: (context: Context) => act(context, 'resume', { Do: 'resume' }),
}

export const exitNode: Verb = {
  name: 'exit-node',
  group: 'Use the network',
  summary: 'send internet traffic out through another device',
  usage: '[--json] | list | use NAME|auto | clear | suggest | pause | resume',
  help: 'Alone it says where internet traffic goes now, and why.',
  json: 'the page, as exit-node list',
  subs: [list, use, clear, suggest, pause, resume],
  flags: {},
  async run(context: Context) {
    noWords('exit-node', context.args)
    return show(context, await context.api.call('exitNodes'))
  },
}

/** Where internet traffic goes, for a line below a status; undefined when nobody chose anything. */
export function exitHint({ Egress: egress }: ExitNodesPage): string | undefined {
  if (egress.Kind === 'exit') return `Internet traffic: through ${printable(egress.Name)} (${printable(egress.Why)})`
  if (egress.Kind === 'paused') return `Internet traffic: direct, ${printable(egress.Why)}`
  return undefined
}

async function act(context: Context, name: string, action: ExitNodeAction): Promise<ExitCode> {
  noWords(`exit-node ${name}`, context.args)
  return show(context, await context.api.call('exitNodeAction', { body: action }))
}

function show({ json, terminal }: Context, page: ExitNodesPage): ExitCode {
  if (json) printJson(terminal, page)
  else terminal.out(`${pageText(page, Date.now())}\n`)
  return EXIT.ok
}

/** Everybody's way measured just now, as far as this user may ask for it. */
async function measured(context: Context): Promise<ExitNodesPage> {
  const page = await context.api.call('exitNodeAction', { body: { Do: 'check' } }).catch(() => context.api.call('exitNodes'))
  return until(context, page, ({ Nodes }) => Nodes.every(({ LatencyMs, Unavailable }) => LatencyMs !== undefined || Unavailable !== undefined), MEASURE_MS)
}

/** The page once it is as wanted, or as it is after some time. */
async function until({ api, terminal }: Context, first: ExitNodesPage, isIt: (page: ExitNodesPage) => boolean, withinMs: number): Promise<ExitNodesPage> {
  let page = first
  const endMs = Date.now() + withinMs
  while (!isIt(page) && Date.now() < endMs && !terminal.interrupted.aborted) {
    const next = await api.call('exitNodes', { query: { after: String(page.Version) }, signal: AbortSignal.timeout(Math.max(1, endMs - Date.now())) }).catch(() => undefined)
    if (!next) break
    page = next
  }
  return page
}

function listText(page: ExitNodesPage, nodes: readonly ExitNodeRow[]): string {
  const used = page.Egress.Kind === 'direct' ? '' : page.Egress.ID
  const rows = nodes.map(({ ID, Name, IP, Owner, Place, Path, LatencyMs, Suggested, Why, Unavailable }) => [
    ID === used ? '*' : ' ', printable(Name), IP, printable(Owner), printable(Place ?? '-'),
    Path === undefined ? '-' : `${PATH_WORDS[Path] ?? Path}${LatencyMs === undefined ? '' : `, ${milliseconds(LatencyMs)}`}`,
    printable(Unavailable ?? (Suggested ? `best: ${Why ?? ''}` : '')),
  ])
  return table([['', 'Device', 'Address', 'Owner', 'Place', 'Path', ''].map((word) => styled('faint', word)), ...rows])
}

const PATH_WORDS: Readonly<Record<string, string>> = { direct: 'Direct', 'peer-relay': 'Through a device', relay: 'Relayed', both: 'Trying direct' }
const FAILURE_WORDS: Readonly<Record<ExitNodesPage['Failure'], string>> = { block: 'nothing goes out', next: 'the next best is used', direct: 'traffic goes out directly' }

function pageText(page: ExitNodesPage, nowMs: number): string {
  const { Egress: egress } = page
  if (egress.Kind === 'direct') return 'Internet traffic goes out directly: no exit node is chosen.'
  const lan = page.LAN.map(({ Prefix, Interface }) => `${Prefix} (${Interface})`).join(', ')
  const more = [
    ...(lan === '' ? [] : [page.AllowLAN ? `The local network is reached: ${lan}` : `The local network is closed: ${lan}. Open it with: bowline set --exit-node-allow-lan-access`]),
    `If it fails, ${FAILURE_WORDS[page.Failure]}.`,
    ...page.Proofs.map((proof) => `${PROOF_WORDS[proof.What]}: ${proofText(proof)}`),
  ]
  return [headText(egress, nowMs), ...more].join('\n')
}

/** What was not looked at says so itself, or why there was nothing to look at. */
function proofText({ Ok, Value }: ExitNodesPage['Proofs'][number]): string {
  const value = printable(Value)
  if (Ok === undefined) return value.startsWith('not ') ? value : `not checked: ${value}`
  return `${Ok ? 'yes' : styled('warning', 'no')}, ${value}`
}

const PROOF_WORDS: Readonly<Record<ExitNodesPage['Proofs'][number]['What'], string>> = { ipv4: 'IPv4 goes out there', ipv6: 'IPv6 goes out there', names: 'Names are resolved there', leak: 'Nothing goes past it' }

function headText(egress: Exclude<ExitNodesPage['Egress'], { Kind: 'direct' }>, nowMs: number): string {
  const name = styled('strong', printable(egress.Name || 'an exit node'))
  if (egress.Kind === 'exit') return `Internet traffic goes through ${name}: ${printable(egress.Why)}.`
  if (egress.Kind === 'blocked') return `Internet traffic is ${printable(egress.Why)}.`
  if (egress.Until === undefined) return `Internet traffic goes out directly, ${printable(egress.Why)}.`
  return `Internet traffic goes past ${name}, for ${age(Date.parse(egress.Until) - nowMs)} more: ${printable(egress.Why)}. End that with: bowline exit-node resume`
}

/** With what was perhaps meant. */
async function rethrow(error: unknown, name: string, api: Context['api']): Promise<never> {
  if (error instanceof CliError && error.code === 'not-found') {
    const current = await api.call('exitNodes').catch(() => undefined)
    const near = nearest(name.toLowerCase(), (current?.Nodes ?? []).map((node) => node.Name.toLowerCase()))
    if (near !== undefined) throw new CliError(error.exitCode, error.code, `${error.message} Did you mean ${printable(near)}?`)
  }
  throw error
}
