/**
 * Questions and answers through the tunnel, for those who ask somebody there: one datagram at a time, and TCP.
 */
import type { Duplex } from 'node:stream'
import { errorText } from '../base/errors.ts'
import type { AddrPort } from '../base/ip.ts'
import type { Dataplane } from './dataplane.ts'

/** How long the answer to a datagram is waited for. */
const ANSWER_MS = 5_000

export interface TunnelCarrier {
  datagram(to: AddrPort, bytes: Uint8Array, onAnswer: (bytes: Uint8Array) => void, onError: (error: Error) => void): () => void
  dial(to: AddrPort, timeoutMs: number): Promise<Duplex>
}

/** The tunnel as a way for messages. */
export function tunnelCarrier(dataplane: Pick<Dataplane, 'udpExchange' | 'dial'>): TunnelCarrier {
  return {
    datagram: (to, bytes, onAnswer, onError) => {
      let isOver = false
      dataplane.udpExchange(to.ip, to.port, bytes, ANSWER_MS).then(
        (answer) => isOver || onAnswer(answer),
        (error: unknown) => isOver || onError(new Error(errorText(error))),
      )
      return () => (isOver = true)
    },
    dial: (to, timeoutMs) => dataplane.dial(to.ip, to.port, timeoutMs),
  }
}
