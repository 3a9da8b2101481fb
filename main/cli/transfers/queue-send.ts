/**
 * Sending by an engine of ours: it is told what goes where and does the rest. What it may not or cannot read itself (another
 * user's files, standard input, pipes) is put into its spool first.
 */
import { METHODS } from '../../localapi/methods.ts'
import type { SendItem, SpoolResult, TransferResult } from '../../localapi/transfers.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Context } from '../verb.ts'
import { counted, openItem } from './item-stream.ts'
import type { Item } from './items.ts'
import { bytes } from './words.ts'
import { printable } from '../text.ts'

/** Looking at large folders takes its time. */
const SEND_MS = 120_000

/** Asks the engine to send them. Throws CliError. */
export async function sendByQueue(context: Context, peer: string, items: readonly Item[], signal: AbortSignal): Promise<TransferResult> {
  const spooled = new Map<Item, SendItem>()
  const stream = async (item: Item): Promise<void> => void spooled.set(item, await spool(context, item, signal))
  const send = (): Promise<TransferResult> => {
    const body = { Do: 'send', Peer: peer, Items: items.map((item): SendItem => spooled.get(item) ?? byPath(item)) } as const
    // Not given up on Ctrl-C: without its answer nobody knows what to cancel.
    return context.api.call('transferAction', { method: 'POST', body, timeoutMs: SEND_MS })
  }
  for (const item of items) if (item.kind === 'stream') await stream(item)
  try {
    return await send()
  } catch (error) {
    const rest = items.filter((item) => !spooled.has(item))
    // It runs as another user, and reads for its own alone.
    if (!(error instanceof CliError) || error.exitCode !== EXIT.denied || rest.length === 0) throw error
    for (const item of rest) await stream(item)
    return await send()
  }
}

function byPath(item: Item): SendItem {
  if (item.kind === 'stream') throw new Error('a stream has no path that the engine could read')
  return { Path: item.path, Name: item.name }
}

async function spool({ api, terminal }: Context, item: Item, signal: AbortSignal): Promise<SendItem> {
  const { name, size, stream } = await openItem(item, terminal)
  const shown = counted(stream, size, (count) => terminal.line?.(`${printable(name)}   reading, ${bytes(count)}`))
  try {
    const { Spool } = (await api.upload({ path: METHODS.spool.path, body: shown, size, signal })) as SpoolResult
    return { Spool, Name: name }
  } finally {
    terminal.line?.('')
  }
}
