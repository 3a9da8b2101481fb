/**
 * bowline preflight: whether a server can be joined from this computer, before anybody signs in.
 */
import type { PreflightPage, PreflightStep, PreflightStepName } from '../../localapi/preflight.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { printable, styled, table, wrap } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'

/** A page waits 30 s at the engine. */
const PAGE_TIMEOUT_MS = 45_000

const NAMES: Readonly<Record<PreflightStepName, string>> = {
  name: 'Name', connection: 'Connection', certificate: 'Certificate', server: 'Server', clock: 'Clock', proxy: 'Proxy', 'sign-in-page': 'Sign-in page', udp: 'UDP',
  'other-vpn': 'Another VPN', 'key-store': 'Place for keys', rights: 'Rights',
}

export const preflight: Verb = {
  name: 'preflight',
  group: 'Find out why',
  summary: 'whether a server can be joined from this computer',
  usage: 'SERVER',
  help:
    'SERVER is an address, the address of a page of the server, or a join link. Looks at name, connection, certificate, protocol, clock, proxy, sign-in page of the network, UDP, other VPNs and the place for keys, and changes nothing. Only that server is asked.\n' +
    'What it prints holds no secret: it may be sent to whoever helps.',
  json: 'the page: {"Server", "Steps": [{"Step", "State", "Needed", "Code", "Text", "Fix"}], …}',
  examples: [['bowline preflight hs.example.com', 'before the first sign-in']],
  flags: {},
  async run(context: Context) {
    const { args, json, terminal } = context
    const [target, ...more] = args.words
    if (target === undefined || more.length > 0) throw usageError('Give one server: bowline preflight SERVER')
    const page = await lookAt(context, target)
    if (json) printJson(terminal, page)
    else terminal.out(`${describe(page, terminal.columns)}\n`)
    return canJoin(page) ? EXIT.ok : EXIT.failed
  },
}

/** The whole page of a look at that server. Throws CliError for what is no address and no link. */
export async function lookAt({ api, terminal }: Context, target: string): Promise<PreflightPage> {
  let page = await api.call('beginPreflight', { body: { Target: target } })
  if (page.Fault) throw new CliError(EXIT.failed, page.Fault.Code, printable(page.Fault.Text))
  while (page.State === 'running') {
    const waits = page.Steps.filter(({ State }) => State === 'waiting').map(({ Step }) => NAMES[Step].toLowerCase())
    terminal.line?.(`Looking at ${printable(page.Server)}: ${waits.join(', ')}`)
    page = await api.call('preflight', { query: { run: page.Run, after: page.Version }, timeoutMs: PAGE_TIMEOUT_MS, signal: terminal.interrupted })
  }
  terminal.line?.('')
  return page
}

/** Whether nothing that is needed stands in the way. */
export function canJoin(page: PreflightPage): boolean {
  return !page.Fault && !page.Steps.some(({ State, Needed }) => State === 'bad' && Needed)
}

/** One line a step, its fix below it. */
export function describe(page: PreflightPage, columns = 100): string {
  const rows = page.Steps.flatMap((step): [string, string][] => {
    const name = `${markOf(step)} ${NAMES[step.Step]}`
    const fix = step.State === 'bad' && step.Fix ? wrap(`${step.Fix.Text}.`, Math.max(columns - 20, 40)).split('\n') : []
    return [[name, printable(step.Text)], ...fix.map((line): [string, string] => ['', styled('faint', printable(line))])]
  })
  return `${styled('strong', printable(page.Server))}\n\n${table(rows)}\n\n${verdict(page)}`
}

function markOf({ State, Needed }: PreflightStep): string {
  if (State === 'bad') return Needed ? styled('warning', '✗') : styled('warning', '!')
  return State === 'good' ? '✓' : State === 'unknown' ? '?' : '-'
}

function verdict(page: PreflightPage): string {
  if (!canJoin(page)) return 'This server cannot be joined from here until that is mended.'
  return page.Steps.some(({ State }) => State === 'bad') ? 'This server can be joined from here, with the limits above.' : 'This server can be joined from here.'
}
