/**
 * Sending by a stock daemon, which has no queue: the bytes of one file after the other go through this command, and what breaks
 * off is over.
 */
import { CliError, EXIT } from '../exit.ts'
import { printable } from '../text.ts'
import type { Context } from '../verb.ts'
import { counted, openItem } from './item-stream.ts'
import type { Item } from './items.ts'
import type { Target } from './target.ts'
import { bytes } from './words.ts'

/** Before that a rate says nothing. */
const RATE_MS = 3_000

export interface StockRow {
  readonly Name: string
  readonly Size: number
  readonly State: 'delivered' | 'stopped'
  readonly Why?: string
}

/** What became of each; one that fails does not stop the next. Throws CliError when interrupted. */
export async function sendByStock(context: Context, target: Target, items: readonly Item[], signal: AbortSignal, everyMs: number): Promise<readonly StockRow[]> {
  const rows: StockRow[] = []
  for (const item of items) {
    const row = await sendOne(context, target, item, signal, everyMs)
    rows.push(row)
    if (context.json) continue
    if (row.State === 'delivered') context.terminal.out(`${printable(row.Name)}: delivered to ${target.name} (${bytes(row.Size)})\n`)
    else context.terminal.err(`${printable(row.Name)}: not sent to ${target.name}: ${printable(row.Why ?? '')}\n`)
  }
  return rows
}

async function sendOne({ api, terminal, json }: Context, target: Target, item: Item, signal: AbortSignal, everyMs: number): Promise<StockRow> {
  const { name, size, stream } = await openItem(item, terminal)
  let gone = 0
  const startMs = performance.now()
  const show = (): void => {
    const seconds = (performance.now() - startMs) / 1_000
    const rate = seconds * 1_000 > RATE_MS ? `   ${bytes(gone / seconds)}/s` : ''
    terminal.line?.(`${printable(name)}   ${bytes(gone)}${size >= 0 ? ` of ${bytes(size)}` : ''}${rate}`)
  }
  const timer = everyMs > 0 && terminal.line && !json ? setInterval(show, everyMs) : undefined
  try {
    await api.upload({ path: `file-put/${encodeURIComponent(target.id)}/${encodeURIComponent(name)}`, body: counted(stream, size, (count) => (gone = count)), size, signal })
    return { Name: name, Size: gone, State: 'delivered' }
  } catch (error) {
    if (error instanceof CliError && (error.exitCode === EXIT.interrupted || error.exitCode === EXIT.denied || error.exitCode === EXIT.noEngine)) throw error
    return { Name: name, Size: size, State: 'stopped', Why: error instanceof Error ? error.message : String(error) }
  } finally {
    clearInterval(timer)
    terminal.line?.('')
  }
}
