/**
 * watch-ipn-bus: one JSON object a line for as long as the watcher stays. Back-pressure goes to the bus, which lets a
 * watcher go that reads too slowly.
 */
import { checkWatchMask } from '../../localapi/watch-mask.ts'
import type { Watcher } from '../backend/bus.ts'
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

export function watchBus({ backend, query, response }: Call): Reply {
  const maskText = query.get('mask') ?? '0'
  const mask = /^\d{1,10}$/.test(maskText) ? Number(maskText) : -1
  const reason = checkWatchMask(mask)
  if (reason !== undefined) return text(400, reason)
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  let watcher: Watcher | undefined
  watcher = backend.watch(mask, {
    write: (notify) => response.write(`${JSON.stringify(notify)}\n`),
    end: () => response.end(),
  })
  response.on('drain', () => watcher?.drained())
  response.on('close', () => {
    watcher?.close()
    watcher = undefined
  })
  return { kind: 'streams' }
}
