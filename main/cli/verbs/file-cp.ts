/**
 * bowline file cp: sends files and folders, shows how far they are, and says what became of each.
 *
 * An engine of ours keeps them in its queue and goes on without this command; a stock daemon gets the bytes from here.
 */
import { isEnded } from '../../localapi/transfers.ts'
import type { TransferRow, TransferTargetsPage } from '../../localapi/transfers.ts'
import type { LocalApi } from '../client.ts'
import { CliError, EXIT, unavailable, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { parseDuration } from '../flags.ts'
import { printable } from '../text.ts'
import { follow } from '../transfers/follow.ts'
import { itemsOf } from '../transfers/items.ts'
import type { Item } from '../transfers/items.ts'
import { sendByQueue } from '../transfers/queue-send.ts'
import { sendByStock } from '../transfers/stock-send.ts'
import { deviceWord, targetOf } from '../transfers/target.ts'
import type { Target } from '../transfers/target.ts'
import { outcome, pathWord, progressLine, stateWords } from '../transfers/words.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { stockTargetLines } from './file-targets.ts'

/** More than these are told as a sum; those that failed are always named. */
const NAMED = 20

export const cp: Verb = {
  name: 'cp',
  summary: 'send files and folders to a device',
  usage: 'FILE… DEVICE:',
  help:
    'FILE is a file, a folder, or - for what is piped in. The device stands last, with a colon behind it; an IPv6 address in brackets. Waits until everything is there, and shows how far it is. Ctrl-C cancels what has not arrived.\n' +
    'A device that is away gets it when it comes online: the command goes on waiting, until --timeout, and with --queue does not wait at all. What breaks off goes on where it stopped. "Checked there" is said when the other device worked out the same checksum, which only Bowline tells.\n' +
    'A folder goes as a folder between two Bowlines, else packed as a zip file. With a stock daemon at the socket there is no queue: files go while the command runs.',
  examples: [
    ['bowline file cp report.pdf desk:', 'send a file'],
    ['bowline file cp photos/ *.jpg desk:', 'a folder and some files'],
    ['pg_dump shop | bowline file cp --name=shop.sql - nas:', 'what a program writes'],
    ['bowline file cp --queue film.mkv laptop:', 'return at once; the engine sends it when the laptop is there'],
  ],
  json: 'at the end: {"Batch", "Peer", "End": "over" | "aborted" | "closed", "Rows": as in file list}; with --queue {"Batch", "IDs"}; with --targets the list of file-targets',
  takes: 'file-or-target',
  flags: {
    name: { kind: 'text', help: 'what it is called over there: for one file, or for -', value: 'NAME' },
    queue: { kind: 'bool', help: 'do not wait: leave it to the engine' },
    timeout: { kind: 'duration', help: 'stop waiting after this time; the engine goes on', value: 'TIME' },
    verbose: { kind: 'bool', help: 'say every change of every file' },
    targets: { kind: 'bool', help: 'list the devices that files can be sent to, as the official command does' },
    'update-interval': { kind: 'text', help: 'how often the line of progress is drawn; 0: never', value: 'TIME', initial: '250ms' },
  },
  async run(context: Context) {
    const { args, api } = context
    if (args.bool('targets')) return await stockTargetLines(context)
    const last = args.words.at(-1)
    if (last === undefined || args.words.length < 2) throw usageError('Name what to send, and the device with a colon behind it: bowline file cp report.pdf desk:')
    const everyMs = intervalMs(args.text('update-interval'))
    const word = deviceWord(last)
    const items = itemsOf(args.words.slice(0, -1), args.text('name'))
    const page = await targetsOf(api)
    const target = await targetOf(api, word, page?.Targets)
    if (page) return await byQueue(context, target, items, everyMs)
    if (args.bool('queue')) throw unavailable('The daemon at this socket keeps no queue: leave --queue away, and it sends at once.')
    return await byStock(context, target, items, everyMs)
  },
}

/** undefined: a stock daemon, which has no such page. */
async function targetsOf(api: LocalApi): Promise<TransferTargetsPage | undefined> {
  try {
    return await api.call('transferTargets')
  } catch (error) {
    if (error instanceof CliError && error.code === 'not-found') return undefined
    throw error
  }
}

/** A sign is taken, as by the official command: below nothing is never. */
function intervalMs(text: string): number {
  const ms = parseDuration(text.replace(/^-/, ''))
  if (ms === undefined) throw usageError(`--update-interval wants a time such as 250ms or 1s, not ${JSON.stringify(text)}.`)
  return text.startsWith('-') ? 0 : ms
}

async function byStock(context: Context, target: Target, items: readonly Item[], everyMs: number): Promise<ExitCode> {
  const { args, json, terminal } = context
  const timeoutMs = args.durationMs('timeout')
  const late = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined
  if (!target.online) terminal.err(`${target.name} is offline, says the server; it is tried all the same.\n`)
  try {
    const rows = await sendByStock(context, target, items, late ? AbortSignal.any([terminal.interrupted, late]) : terminal.interrupted, everyMs)
    if (json) printJson(terminal, { Peer: target.id, Rows: rows })
    return rows.every(({ State }) => State === 'delivered') ? EXIT.ok : EXIT.failed
  } catch (error) {
    if (late?.aborted && !terminal.interrupted.aborted) throw new CliError(EXIT.timeout, 'timeout', `Not sent within ${args.text('timeout')}.`)
    throw error
  }
}

async function byQueue(context: Context, target: Target, items: readonly Item[], everyMs: number): Promise<ExitCode> {
  const { api, args, json, terminal } = context
  if (args.bool('queue')) {
    const result = await sendByQueue(context, target.id, items, terminal.interrupted)
    if (json) printJson(terminal, result)
    else terminal.out(`Queued for ${target.name}${target.online ? '' : ', which is offline: sent when it comes online'}. How far it is: bowline file list\n`)
    return EXIT.ok
  }
  const timeoutMs = args.durationMs('timeout')
  const late = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined
  const signal = late ? AbortSignal.any([terminal.interrupted, late]) : terminal.interrupted
  const view = new Progress(context, target, everyMs)
  const followed = await follow(api, () => sendByQueue(context, target.id, items, signal), (rows) => view.show(rows), signal)
    .catch((error: unknown) => {
      throw late?.aborted && !terminal.interrupted.aborted ? new CliError(EXIT.timeout, 'timeout', `Nothing was sent within ${args.text('timeout')}.`) : error
    })
    .finally(() => view.stop())
  const { rows, end, batch } = followed
  const open = rows.filter((row) => !isEnded(row))
  if (end === 'aborted' && terminal.interrupted.aborted && batch !== '') await api.call('transferAction', { method: 'POST', body: { Do: 'cancel', ID: batch } }).catch(() => undefined)
  if (json) printJson(terminal, { Batch: batch, Peer: target.id, End: end, Rows: rows })
  else if (rows.length > NAMED) terminal.out(summary(rows, target))
  if (end === 'aborted' && terminal.interrupted.aborted) throw new CliError(EXIT.interrupted, 'interrupted', open.length > 0 ? 'Canceled; nothing more is sent.' : 'Stopped.')
  if (end === 'aborted') throw new CliError(EXIT.timeout, 'timeout', `Not delivered within ${args.text('timeout')}. The engine goes on trying: bowline file list shows how far it is, bowline file cancel ends it.`)
  if (end === 'closed') throw new CliError(EXIT.noEngine, 'no-engine', 'The engine ended. What has not arrived goes on when it runs again.')
  return rows.every(({ State }) => State === 'delivered') ? EXIT.ok : EXIT.failed
}

function summary(rows: readonly TransferRow[], target: Target): string {
  const there = rows.filter(({ State }) => State === 'delivered')
  const checked = there.length > 0 && there.every(({ Checked }) => Checked) ? ' and checked there' : ''
  return `${there.length} of ${rows.length} delivered to ${target.name}${checked}.\n`
}

/** What a person sees while it lasts: a line that is drawn anew, and a line for good for each that is over. */
class Progress {
  readonly #context: Context
  readonly #target: Target
  readonly #timer: NodeJS.Timeout | undefined
  readonly #told = new Map<string, string>()
  #rows: readonly TransferRow[] = []
  #isWaitTold = false

  constructor(context: Context, target: Target, everyMs: number) {
    this.#context = context
    this.#target = target
    const { terminal, json } = context
    if (terminal.line && everyMs > 0 && !json) this.#timer = setInterval(() => terminal.line!(progressLine(this.#rows)), everyMs)
  }

  show(rows: readonly TransferRow[]): void {
    this.#rows = rows
    const { json, args } = this.#context
    if (json) return
    this.#tellWait()
    for (const row of rows) {
      if (args.bool('verbose')) this.#tellChange(row)
      if (isEnded(row)) this.#tellEnd(row, rows.length)
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#context.terminal.line?.('')
  }

  #tellWait(): void {
    const waits = this.#rows.find(({ State }) => State === 'waiting-device' || State === 'waiting-answer')
    if (!waits || this.#isWaitTold) return
    this.#isWaitTold = true
    const { name } = this.#target
    const text = waits.State === 'waiting-answer' ? `Somebody at ${name} is asked whether to accept it.` : `${name} is away: it sends when it comes online. Ctrl-C cancels; with --queue the engine waits alone.`
    this.#context.terminal.err(`${text}\n`)
  }

  #tellChange(row: TransferRow): void {
    const now = [stateWords(row), pathWord(row.Path)].filter((text) => text !== '').join(', ')
    if (this.#told.get(`${row.ID} state`) === now) return
    this.#told.set(`${row.ID} state`, now)
    this.#context.terminal.err(`${printable(row.Name)}: ${now}\n`)
  }

  #tellEnd(row: TransferRow, count: number): void {
    if (this.#told.has(row.ID)) return
    this.#told.set(row.ID, row.State)
    const { terminal, args } = this.#context
    const isFine = row.State === 'delivered'
    if (isFine && count > NAMED && !args.bool('verbose')) return
    terminal.line?.('')
    if (isFine) terminal.out(`${outcome(row)}\n`)
    else terminal.err(`${outcome(row)}\n`)
  }
}
