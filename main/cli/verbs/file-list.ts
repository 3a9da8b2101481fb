/**
 * bowline file list: who asks, what is on its way, what waits to be fetched, and what was sent and received lately.
 */
import { isOver } from '../../localapi/transfers.ts'
import type { TransferAsk, TransferRow, TransfersPage } from '../../localapi/transfers.ts'
import { EXIT } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, styled, table } from '../text.ts'
import { waitingFiles } from '../transfers/inbox.ts'
import type { Waiting } from '../transfers/inbox.ts'
import { bytes, left, pathWord, stateWords } from '../transfers/words.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { age } from '../words.ts'
import { noWords } from '../words-given.ts'

/** Finished ones that are shown without --all. */
const RECENT = 10
const ASKED = 3

export const NO_LIST = 'The daemon at this socket keeps no list of transfers. What waits to be fetched: bowline file get FOLDER'

export const list: Verb = {
  name: 'list',
  summary: 'show what is on its way, what waits, and what came and went',
  usage: '[--all]',
  help: 'The ID is what pause, resume, retry and cancel take; its end, as it is shown, is enough.',
  json: 'the page of bowline/transfers and what waits: {"Asks", "Rows": [{"ID", "Batch", "Direction", "Peer", "PeerName", "Name", "Kind", "Files", "Size", "Done", "State", "Checked", "Why", "Rate", "LeftMs", "Path", …}], "Totals", "Inbox", "Waiting": [{"Name", "Size"}]}',
  flags: { all: { kind: 'bool', help: 'show everything that was sent and received, not only the latest' } },
  run: showList,
}

export async function showList({ api, args, json, terminal }: Context): Promise<ExitCode> {
  noWords('file list', args)
  const page = await lackingAs(NO_LIST, () => api.call('transfers'))
  const waiting = await waitingFiles(api, false, terminal.interrupted)
  if (json) printJson(terminal, { ...page, Waiting: waiting })
  else terminal.out(pageText(page, waiting, args.has('all') && args.bool('all'), Date.now()))
  return EXIT.ok
}

/** The page for people; `nowMs` is wall time. */
export function pageText(page: TransfersPage, waiting: readonly Waiting[], all: boolean, nowMs: number): string {
  const open = page.Rows.filter((row) => !isOver(row))
  const over = page.Rows.filter(isOver)
  const shown = all ? over : over.slice(0, RECENT)
  const lineOf = (row: TransferRow): string[] => [shortId(row.ID, page.Rows), arrow(row), row.Name, progress(row), rateOf(row)]
  const parts = [
    page.Asks.map((ask, i) => askText(ask, nowMs, page.Asks[i + 1]?.Peer !== ask.Peer)).join('\n'),
    section('On their way', open.filter(({ State }) => State !== 'stopped').map(lineOf)),
    section('Stopped', open.filter(({ State }) => State === 'stopped').map(lineOf)),
    section('Waiting to be fetched: bowline file get FOLDER', waiting.map((file) => [file.Name, bytes(file.Size)])),
    section(shown.length < over.length ? `The last ${shown.length} of ${over.length}` : 'Over', shown.map((row) => [shortId(row.ID, page.Rows), arrow(row), row.SavedAs ?? row.Name, ending(row), since(row.Finished ?? row.Created, nowMs)])),
    page.Inbox.Problem ? styled('warning', `Nothing can be received now: ${printable(page.Inbox.Problem.Text)}.`) : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? 'Nothing is on its way, and nothing waits. Send something with: bowline file cp FILE DEVICE:\n' : `${parts.join('\n\n')}\n`
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `${styled('strong', title)}\n${table(rows)}`
}

/** The end of an ID that no other ends with: IDs begin with their time. */
export function shortId(id: string, rows: readonly TransferRow[]): string {
  for (let length = 4; length < id.length; length++) if (!rows.some((row) => row.ID !== id && row.ID.endsWith(id.slice(-length)))) return id.slice(-length)
  return id
}

const arrow = (row: TransferRow): string => (row.Direction === 'out' ? `to ${row.PeerName}` : `from ${row.PeerName}`)

function progress(row: TransferRow): string {
  const far = row.Done > 0 && row.Size > 0 && row.Done < row.Size ? `${bytes(row.Done)} of ${bytes(row.Size)}` : bytes(row.Size)
  return `${stateWords(row)}, ${far}${row.Files > 1 ? `, ${row.Files} files` : ''}`
}

function rateOf(row: TransferRow): string {
  return [row.Rate === undefined ? '' : `${bytes(row.Rate)}/s`, row.LeftMs === undefined ? '' : `${left(row.LeftMs)} left`, pathWord(row.Path)].filter((text) => text !== '').join(', ')
}

function ending(row: TransferRow): string {
  const where = row.State === 'received' ? ((row.SavedIn ?? '') === '' ? ', with the engine' : `, in ${row.SavedIn!}`) : ''
  return `${stateWords(row)}${where}, ${bytes(row.Size)}`
}

function since(at: string, nowMs: number): string {
  const text = age(nowMs - Date.parse(at))
  return text === 'now' ? 'just now' : `${text} ago`
}

function askText(ask: TransferAsk, nowMs: number, isLast: boolean): string {
  const [first] = ask.Items
  const more = ask.Count - Math.min(ask.Items.length, ASKED)
  const names = `${ask.Items.slice(0, ASKED).map(({ Name }) => printable(Name)).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  const what = ask.Count === 1 && first ? `${names} (${bytes(first.Size)})` : `${ask.Count} things (${bytes(ask.Size)}): ${names}`
  const peer = printable(ask.PeerName)
  const who = `${peer}${ask.Owner === '' ? '' : ` (${printable(ask.Owner)})`}`
  const gone = ask.Held ? '' : ' It no longer waits; once accepted, it can send again.'
  return `${styled('strong', `${who} wants to send ${what}`)}, asked ${since(ask.Since, nowMs)}.${gone}${isLast ? `\nAnswer with: bowline file accept ${peer}   or: bowline file refuse ${peer}` : ''}`
}
