/**
 * bowline file accept, refuse, pause, resume, retry, cancel, forget: what a person does about files on their way.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isOver } from '../../localapi/transfers.ts'
import type { TransferAction, TransferAsk, TransferRow, TransfersPage } from '../../localapi/transfers.ts'
import type { LocalApi } from '../client.ts'
import { CliError, EXIT, usageError, type ExitCode } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { NO_LIST, shortId } from './file-list.ts'

/** Fewer letters would fit by accident. */
const MIN_ID = 3

const always = { kind: 'bool', help: 'and from now on without asking' } as const

export const accept: Verb = {
  name: 'accept',
  summary: 'let in what a device wants to send',
  usage: '[DEVICE|BATCH] [--always] [--to FOLDER]',
  help: 'All that the device asks for now; without a device, when one alone asks.',
  examples: [['bowline file accept phone', 'this time'], ['bowline file accept phone --always --to ~/Pictures', 'now into another folder, and from now on without asking']],
  json: '{"Batches", "Peer"}',
  takes: 'device',
  flags: { always, to: { kind: 'text', help: 'save it there this time', value: 'FOLDER', takes: 'folder' } },
  async run(context: Context) {
    const { args } = context
    const folder = args.text('to') === '' ? undefined : resolve(args.text('to'))
    if (folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliError(EXIT.failed, 'not-a-folder', `${printable(args.text('to'))} is no folder.`)
    return await answer(context, 'accept', (ask) => ({ Do: 'accept', Batch: ask.Batch, ...(folder === undefined ? {} : { Folder: folder }), ...(args.bool('always') ? { Always: true } : {}) }))
  },
}

export const refuse: Verb = {
  name: 'refuse',
  summary: 'turn down what a device wants to send',
  usage: '[DEVICE|BATCH] [--always]',
  help: 'All that the device asks for now; without a device, when one alone asks.',
  json: '{"Batches", "Peer"}',
  takes: 'device',
  flags: { always },
  run: (context: Context) => answer(context, 'refuse', (ask) => ({ Do: 'refuse', Batch: ask.Batch, ...(context.args.bool('always') ? { Always: true } : {}) })),
}

async function answer(context: Context, verb: 'accept' | 'refuse', action: (ask: TransferAsk) => TransferAction): Promise<0> {
  const { api, args, json, terminal } = context
  const asks = asksMeant(await pageOf(api), args.words, verb)
  for (const ask of asks) await api.call('transferAction', { method: 'POST', body: action(ask) })
  const peer = printable(asks[0]!.PeerName)
  if (json) printJson(terminal, { Batches: asks.map(({ Batch }) => Batch), Peer: asks[0]!.Peer })
  else if (verb === 'refuse') terminal.out(`Refused${args.bool('always') ? `, and whatever else ${peer} sends` : `. ${peer} is told`}.\n`)
  else terminal.out(`Accepted${args.bool('always') ? `, and whatever else ${peer} sends` : ''}. ${asks.every(({ Held }) => Held) ? 'It comes now' : `${peer} has to send it again`}: bowline file list\n`)
  return EXIT.ok
}

/** All that one device asks for, or the one of that batch. */
function asksMeant(page: TransfersPage, words: readonly string[], verb: string): readonly TransferAsk[] {
  if (words.length > 1) throw usageError(`file ${verb} wants one device, or the batch of what is asked.`)
  const wanted = words[0]?.replace(/:$/, '').toLowerCase()
  const fits = page.Asks.filter((ask) => wanted === undefined || ask.PeerName.toLowerCase() === wanted || (wanted.length >= MIN_ID && ask.Batch.startsWith(wanted)))
  const names = [...new Set(page.Asks.map(({ PeerName }) => printable(PeerName)))].join(', ')
  if (page.Asks.length === 0) throw new CliError(EXIT.failed, 'nothing-asked', 'Nobody asks to send anything.')
  if (fits.length === 0) throw new CliError(EXIT.failed, 'nothing-asked', `${JSON.stringify(words[0])} asks for nothing. Who does: ${names}`)
  if (fits.some(({ Peer }) => Peer !== fits[0]!.Peer)) throw new CliError(EXIT.failed, 'ambiguous', `Several ask: ${names}. Which one? bowline file ${verb} DEVICE`)
  return fits
}

type Act = 'pause' | 'resume' | 'retry' | 'cancel'

/** Which rows an act is for, and what it is called once done. */
const ACTS: Readonly<Record<Act, { readonly done: string; readonly none: string; readonly fits: (row: TransferRow) => boolean }>> = {
  pause: { done: 'Paused', none: 'Nothing is being sent.', fits: (row) => row.Direction === 'out' && !isOver(row) && row.State !== 'paused' && row.State !== 'stopped' },
  resume: { done: 'Goes on', none: 'Nothing is paused.', fits: (row) => row.State === 'paused' },
  retry: { done: 'Tried again', none: 'Nothing has stopped.', fits: (row) => row.State === 'stopped' && row.Direction === 'out' },
  cancel: { done: 'Canceled', none: 'Nothing is on its way.', fits: (row) => !isOver(row) },
}

function act(name: Act, summary: string, help: string): Verb {
  return {
    name,
    summary,
    usage: 'ID|DEVICE|all',
    help,
    json: name === 'retry' ? '{"IDs": those that it was done to, or the new ones}' : '{"IDs": those that it was done to}',
    takes: 'device',
    flags: {},
    async run({ api, args, json, terminal }: Context) {
      const [word, more] = args.words
      if (word === undefined || more !== undefined) throw usageError(`file ${name} wants the ID of one, a device, or all. The IDs: bowline file list`)
      const page = await pageOf(api)
      const again = name === 'retry' ? overMeant(page, word) : undefined
      if (again) return sendAgain(api, again, page, json, terminal)
      const rows = rowsMeant(page, word, name)
      for (const { ID } of rows) await api.call('transferAction', { method: 'POST', body: { Do: name, ID } })
      if (json) printJson(terminal, { IDs: rows.map(({ ID }) => ID) })
      else for (const row of rows) terminal.out(`${ACTS[name].done}: ${printable(row.Name)} (${shortId(row.ID, page.Rows)})\n`)
      return EXIT.ok
    },
  }
}

/** What went out and is over: by the end of its ID alone, since a device may have had many things. */
function overMeant({ Rows }: TransfersPage, word: string): TransferRow | undefined {
  const wanted = word.toLowerCase()
  const meant = Rows.filter(({ ID }) => ID === wanted || (wanted.length >= MIN_ID && ID.endsWith(wanted)))
  return meant.length === 1 && meant[0]!.Direction === 'out' && isOver(meant[0]!) ? meant[0] : undefined
}

async function sendAgain(api: Context['api'], row: TransferRow, { Rows }: TransfersPage, json: boolean, terminal: Context['terminal']): Promise<ExitCode> {
  const { IDs = [] } = await api.call('transferAction', { method: 'POST', body: { Do: 'retry', ID: row.ID } })
  if (json) printJson(terminal, { IDs })
  else terminal.out(`Sent again: ${printable(row.Name)} (${IDs.map((id) => shortId(id, Rows)).join(', ')})\n`)
  return EXIT.ok
}

/** By the end of its ID, by the beginning of its batch's, or all of a device. Those that it cannot be done to are left out. */
function rowsMeant({ Rows }: TransfersPage, word: string, name: Act): readonly TransferRow[] {
  const { fits, none } = ACTS[name]
  const wanted = word.replace(/:$/, '').toLowerCase()
  const open = Rows.filter(fits)
  if (wanted === 'all') {
    if (open.length === 0) throw new CliError(EXIT.failed, 'no-such-transfer', none)
    return open
  }
  const isMeant = (row: TransferRow): boolean => row.PeerName.toLowerCase() === wanted || (wanted.length >= MIN_ID && (row.ID.endsWith(wanted) || row.Batch.startsWith(wanted)))
  const byId = open.filter((row) => row.ID === wanted)
  const meant = byId.length > 0 ? byId : open.filter(isMeant)
  if (meant.length === 0) throw new CliError(EXIT.failed, 'no-such-transfer', Rows.some(isMeant) ? `${JSON.stringify(word)} is none that this can be done to: see bowline file list` : `There is no transfer ${JSON.stringify(word)}. The IDs: bowline file list`)
  return meant
}

export const acts: readonly Verb[] = [
  act('pause', 'let something wait until it is told to go on', 'What the other device has already is kept there.'),
  act('resume', 'let something that was paused go on', 'It goes on where it stopped, as far as the other device still has it.'),
  act('retry', 'try something again that has stopped, or send again what is over', 'What has stopped goes on where it stopped, as far as the other device still has it. What was delivered or canceled is sent anew, as it is now: name it by its ID.'),
  act('cancel', 'give something up', 'What the other device has of it goes there by itself, in an hour at the latest.'),
]

export const forget: Verb = {
  name: 'forget',
  summary: 'take what is over out of the list',
  usage: '',
  help: 'Files stay where they are.',
  json: '{}',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    if (args.words.length > 0) throw usageError('file forget takes no word: everything that is over goes.')
    await lackingAs(NO_LIST, () => api.call('transferAction', { method: 'POST', body: { Do: 'forget' } }))
    if (json) printJson(terminal, {})
    else terminal.out('The list holds only what is not over.\n')
    return EXIT.ok
  },
}

const pageOf = (api: LocalApi): Promise<TransfersPage> => lackingAs(NO_LIST, () => api.call('transfers'))
