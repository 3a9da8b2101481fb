/**
 * bowline forward: ports of this computer that lead to a port of a device, saved with the profile.
 */
import type { ForwardRow } from '../../localapi/forwards.ts'
import { EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const ROW = '{"ID", "Proto", "Listen", "To", "Created", "State": "listening" | "failed" | "off", "Why", "Temporary", "LastError": {"Text", "At"}, "Open", "Total"}'

const add: Verb = {
  name: 'add',
  summary: 'make a port of this computer lead to a port of a device',
  usage: 'PORT DEVICE:PORT [--udp]',
  help: 'PORT is one of this computer, for its own programs alone; 0 takes one that is free. DEVICE is a name or an address, of a device or of something behind one; without :PORT it is the same port. Names are looked up at each connection. It is kept until it is removed, over restarts too.',
  examples: [
    ['bowline forward add 5432 db:5432', 'psql -h localhost reaches the database on db'],
    ['bowline forward add 5353 10.0.3.1:53 --udp', 'a name server behind a device'],
  ],
  json: ROW,
  flags: { udp: { kind: 'bool', help: 'datagrams instead of connections' } },
  async run({ api, args, json, terminal }: Context) {
    const [Listen, To, ...more] = args.words
    if (Listen === undefined || To === undefined || more.length > 0) throw usageError('Give a port and where it leads: bowline forward add 5432 db:5432')
    const row = await api.call('addForward', { body: { Listen, To, Proto: args.bool('udp') ? 'udp' : 'tcp' } })
    if (json) printJson(terminal, row)
    else {
      terminal.out(`${printable(row.Listen)} leads to ${printable(row.To)} from now on (${row.ID}).\n`)
      if (row.State === 'off') terminal.err('It opens when this device is connected: bowline up\n')
      if (row.Why !== undefined) terminal.err(`${sentence(row.Why)}\n`)
    }
    return EXIT.ok
  },
}

const list: Verb = {
  name: 'list',
  summary: 'show the forwards, what is open by them and what went wrong',
  usage: '',
  help: '',
  json: `{"Forwards": [${ROW}]}`,
  flags: {},
  run: showList,
}

const remove: Verb = {
  name: 'remove',
  summary: 'close a forward and forget it',
  usage: 'PORT | ID | all',
  help: 'What is open by it is closed too.',
  json: `{"Forwards": [${ROW}]}: those that went`,
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const [id, ...more] = args.words
    if (id === undefined || more.length > 0) throw usageError('Say which one: bowline forward remove 5432, or its ID, or all')
    const gone = await api.call('removeForward', { method: 'DELETE', query: { id } })
    if (json) printJson(terminal, gone)
    else if (gone.Forwards.length === 0) terminal.out('There is no forward.\n')
    else for (const { ID, Listen, To } of gone.Forwards) terminal.out(`${printable(Listen)} no longer leads to ${printable(To)} (${ID}).\n`)
    return EXIT.ok
  },
}

export const forward: Verb = {
  name: 'forward',
  group: 'Use the network',
  summary: 'ports of this computer that lead to a device',
  usage: 'add PORT DEVICE:PORT | list | remove PORT',
  help: 'For programs that know nothing of proxies: they connect to this computer, and are connected with a device. No admin rights are needed.',
  subs: [add, list, remove],
  json: `{"Forwards": [${ROW}]}`,
  flags: {},
  run: showList,
}

async function showList({ api, args, json, terminal }: Context): Promise<ExitCode> {
  noWords('forward list', args)
  const page = await api.call('forwards')
  if (json) {
    printJson(terminal, page)
    return EXIT.ok
  }
  if (page.Forwards.length === 0) {
    terminal.out('There is no forward. Add one, like: bowline forward add 5432 db:5432\n')
    return EXIT.ok
  }
  const rows = page.Forwards.map((row) => [row.ID, row.Proto, row.Listen, row.To, stateOf(row)])
  terminal.out(`${table([['ID', '', 'HERE', 'LEADS TO', ''].map((head) => styled('faint', head)), ...rows])}\n`)
  for (const row of page.Forwards) {
    const notes = [...(row.Why === undefined ? [] : [sentence(row.Why)]), ...(row.LastError === undefined ? [] : [`Last failure, ${row.LastError.At.slice(0, 19).replace('T', ' ')}: ${printable(row.LastError.Text)}`])]
    for (const note of notes) terminal.out(`\n${row.ID}: ${note}`)
    if (notes.length > 0) terminal.out('\n')
  }
  return EXIT.ok
}

function stateOf({ State, Open, Total, Temporary }: ForwardRow): string {
  if (State === 'failed') return styled('warning', 'failed')
  if (State === 'off') return styled('faint', 'off: not connected')
  return `${Open} open, ${Total} in all${Temporary ? ', for a while only' : ''}`
}

function sentence(text: string): string {
  const clean = printable(text)
  return `${clean.charAt(0).toUpperCase()}${clean.slice(1)}${/[.!?]$/.test(clean) ? '' : '.'}`
}
