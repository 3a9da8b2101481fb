/**
 * bowline debug path: which way packets go to one device, why, and every address that was tried.
 */
import { kindOf, pathTicket } from '../../localapi/path-ticket.ts'
import type { PathPage } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson, printJsonLine } from '../verb.ts'
import { age, milliseconds, pathKindWords } from '../words.ts'
import { findDevice } from './find-device.ts'

/** Longer than the engine holds an answer back. */
const WAIT_MS = 60_000

export const debugPath: Verb = {
  name: 'path',
  summary: 'why packets go to a device the way they do',
  usage: '[--watch] [--ticket] DEVICE',
  help:
    'Says in one sentence why packets go to a device directly or through a relay, and shows what that rests on: every address tried, what both networks are like, what happened lately.\n' +
    'It looks at what the engine knows and sends nothing; to make it try, ping the device.\n' +
    '--ticket prints plain text for somebody else, without names and addresses; with --names they are in it.',
  takes: 'device',
  examples: [['bowline debug path nas', ''], ['bowline debug path --watch 100.64.0.5', 'whenever it changes, until Ctrl-C'], ['bowline debug path --ticket nas', 'to paste into a ticket']],
  json: '{"name", "kind", "since", "why", "reason": {"sentence", "rule", "confidence", "evidence", "steps"}, "candidates", "refused", "sides", "events", …}; with --watch one a line',
  flags: {
    watch: { kind: 'bool', help: 'show it again whenever it changes, until Ctrl-C' },
    ticket: { kind: 'bool', help: 'plain text for a ticket' },
    names: { kind: 'bool', help: 'with --ticket: names and addresses too' },
  },
  async run(context: Context) {
    const { api, args, terminal } = context
    const name = args.words[0]
    if (name === undefined || args.words.length > 1) throw usageError('debug path wants one device: bowline debug path NAME')
    if (args.bool('names') && !args.bool('ticket')) throw usageError('--names belongs to --ticket.')
    const peer = await keyOf(context, name)
    let page = await api.call('path', { query: { peer } })
    show(context, page)
    while (args.bool('watch')) {
      const next = await api.call('path', { query: { peer, after: page.version }, timeoutMs: WAIT_MS, signal: terminal.interrupted }).catch(stopped)
      if (next === undefined) return EXIT.ok
      if (next.version !== page.version) show(context, next)
      page = next
    }
    return EXIT.ok
  },
}

/** Ctrl-C is how it ends. */
function stopped(error: unknown): undefined {
  if (!(error instanceof CliError) || error.exitCode !== EXIT.interrupted) throw error
}

async function keyOf({ api }: Context, name: string): Promise<string> {
  if (name.startsWith('nodekey:')) return name
  const current = await api.call('status')
  const device = findDevice(current, name)
  if (device === undefined) throw new CliError(EXIT.failed, 'no-such-device', `No device has the address ${printable(name)}.`)
  if (device.PublicKey === current.Self.PublicKey) throw new CliError(EXIT.failed, 'this-device', 'That is this device: there is no path to it.')
  return device.PublicKey
}

function show({ args, json, terminal }: Context, page: PathPage): void {
  if (json) (args.bool('watch') ? printJsonLine : printJson)(terminal, page)
  else if (args.bool('ticket')) terminal.out(pathTicket(page, ['sides', 'changes', 'versions', ...(args.bool('names') ? ['names' as const] : [])]).replace(/[^\n]+/g, printable))
  else if (args.bool('watch') && terminal.page) terminal.page(`${pathText(page)}\n${styled('faint', 'Ctrl-C ends')}\n`)
  else terminal.out(`${pathText(page)}${args.bool('watch') ? '\n' : ''}`)
}

/** The whole page for a person, the sentence first. */
export function pathText(page: PathPage): string {
  const nowMs = Date.parse(page.at)
  const facts: string[][] = [
    ['Device', `${page.name} (${page.ip})${page.active ? '' : ', no traffic lately'}`],
    ['Path', pathKindWords(page)],
    ['Since', `${clock(page.since)} (${age(nowMs - Date.parse(page.since))})`],
    ...(page.latencyMs === undefined ? [] : [['Round trip', milliseconds(page.latencyMs)]]),
    ['Confidence', page.reason.confidence],
  ]
  const steps = page.reason.steps.map(({ step, who }) => [`  ${step}`, `(${who})`])
  const parts = [
    styled('strong', printable(page.reason.sentence)),
    table(facts),
    ...(steps.length > 0 ? [`What would help, easiest first\n${table(steps)}`] : []),
    addressTable(page),
    ...(page.refused.length > 0 ? [`Never tried\n${table(page.refused.map(({ addr, why }) => [`  ${addr}`, why]))}`] : []),
    table([['', 'Here', 'There'], ...page.sides.map(({ label, here, there }) => [label, `${here.state}, ${here.value}`, `${there.state}, ${there.value}`])]),
    ...(page.ownAddresses.length > 0 ? [table([['Our address', 'How it is known'], ...page.ownAddresses.map(({ addr, how }) => [addr, how])])] : []),
    ...(page.events.length > 0 ? [`Lately\n${table(page.events.map((event) => [`  ${clock(event.at)}`, eventWords(event), event.why ?? '']))}`] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function addressTable({ candidates }: PathPage): string {
  if (candidates.length === 0) return 'No address of it is known to this engine yet: it looks when there is traffic.'
  const ago = (ms: number | undefined): string => (ms === undefined ? 'never' : ms < 1000 ? 'now' : `${age(ms)} ago`)
  return table([
    ['Its address', 'Learnt from', 'Last ping', 'Last reply', 'Round trip', 'Carries', ''],
    ...candidates.map((one) => [
      one.addr, one.sources.join(', ') || 'forgotten', ago(one.lastPingAgoMs), ago(one.lastPongAgoMs), one.latencyMs === undefined ? '-' : milliseconds(one.latencyMs), one.carries === 'unknown' ? '-' : `${one.carries} packets`, one.inUse ? 'in use' : '',
    ]),
  ])
}

function eventWords(event: PathPage['events'][number]): string {
  if (event.kind === 'path') return `${kindOf(event, 'from')} to ${kindOf(event, 'to')}`
  return event.kind.replaceAll('-', ' ')
}

/** Time of day here. */
const clock = (at: string): string => new Date(at).toTimeString().slice(0, 8)
