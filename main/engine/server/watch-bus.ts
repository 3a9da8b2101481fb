/**
 * watch-ipn-bus: one JSON object a line for as long as the watcher stays. Back-pressure goes to the bus, which lets a
 * watcher go that reads too slowly; one that then does not even read its last line is cut off.
 */
import { checkWatchMask, parseWatchMask, WATCH } from '../../localapi/watch-mask.ts'
import type { Watcher } from '../backend/bus.ts'
import type { Notify } from '../../localapi/types.ts'
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

/** For reading the last line. */
const FAREWELL_MS = 5_000

export function watchBus({ backend, clock, caller, query, response }: Call): Reply {
  const mask = parseWatchMask(query.get('mask') ?? '')
  if (mask === undefined) return text(400, 'bad mask')
  const reason = checkWatchMask(mask)
  if (reason !== undefined) return text(400, reason)
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  let watcher: Watcher | undefined
  let stopWaiting = (): void => {}
  // What comes and goes is told to nobody who may only read.
  watcher = backend.watch(caller.mayWrite ? mask : mask & ~WATCH.transfers, {
    write: (notify) => {
      const told = caller.mayWrite ? notify : withoutFiles(notify)
      return told === undefined || response.write(`${JSON.stringify(told)}\n`)
    },
    end: () => {
      response.end()
      stopWaiting = clock.after(FAREWELL_MS, () => response.destroy())
    },
  })
  response.on('drain', () => watcher?.drained())
  response.on('close', () => {
    stopWaiting()
    watcher?.close()
    watcher = undefined
  })
  return { kind: 'streams' }
}

/** Names of files are nobody else's business; undefined: nothing else was in it. */
function withoutFiles({ IncomingFiles, OutgoingFiles, ...rest }: Notify): Notify | undefined {
  if (IncomingFiles === undefined && OutgoingFiles === undefined) return rest
  const isMore = Object.entries(rest).some(([field, value]) => field !== 'Version' && field !== 'FilesWaiting' && value !== null && value !== undefined)
  return isMore ? rest : undefined
}
