/**
 * Asks one address by STUN, over a socket of its own: whether datagrams get out and come back before any relay is known.
 */
import { isIP } from 'node:net'
import { formatAddrPort } from '../base/ip.ts'
import { isDecodeError } from '../base/errors.ts'
import { equal } from '../base/bytes.ts'
import { decodeStunResponse, encodeStunRequest, STUN_TX_ID_BYTES } from '../core/stun/stun.ts'
import { systemRandom } from './random.ts'
import type { Wires } from './wires.ts'

/** As often and so far apart, since a datagram may be lost. */
const ASK_AT_MS: readonly number[] = [0, 300, 900]

/** How the address sees us; undefined: no answer within `timeoutMs`, or the datagram could not be sent. Never rejects. */
export function askStun(wires: Wires, address: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = wires.datagrams(isIP(address) === 6 ? 6 : 4, undefined, (bound) => bound.connect(port, address))
    const txId = systemRandom.bytes(STUN_TX_ID_BYTES)
    const timers: NodeJS.Timeout[] = []
    let isOver = false
    const end = (answer: string | undefined): void => {
      for (const timer of timers) clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      if (!isOver) socket.close()
      isOver = true
      resolve(answer)
    }
    const stop = (): void => end(undefined)
    timers.push(setTimeout(stop, timeoutMs))
    signal.addEventListener('abort', stop, { once: true })
    socket.on('error', stop)
    socket.on('message', (bytes) => {
      const answer = decodeStunResponse(bytes)
      if (!isDecodeError(answer) && equal(answer.txId, txId)) end(formatAddrPort(answer.mapped))
    })
    // Of a connected socket the system tells that nobody listens there.
    socket.once('connect', () => {
      for (const atMs of isOver ? [] : ASK_AT_MS) timers.push(setTimeout(() => socket.send(encodeStunRequest(txId), () => {}), atMs))
    })
    if (signal.aborted) stop()
  })
}
