/**
 * A ping that a peer's PeerAPI answers: one HEAD through the tunnel, timed to the first bytes of any HTTP answer.
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { DataplanePort } from './ports.ts'

/** Round trip in ms, the connection's set-up included. Rejects with EngineError. */
export async function pingPeerApi(deps: { dataplane: DataplanePort; clock: Clock }, url: string, timeoutMs: number): Promise<number> {
  const { clock, dataplane } = deps
  const { hostname, port } = new URL(url)
  const startedMs = clock.nowMs()
  const stream = await dataplane.dial(hostname.replace(/^\[|\]$/g, ''), Number(port), timeoutMs)
  try {
    return await new Promise<number>((resolve, reject) => {
      const fail = (why: string) => (): void => {
        cancel()
        reject(new EngineError('timeout', why))
      }
      const cancel = clock.after(Math.max(0, timeoutMs - (clock.nowMs() - startedMs)), fail('the PeerAPI does not answer'))
      stream.once('error', fail('the connection to the PeerAPI broke'))
      stream.once('close', fail('the PeerAPI closed the connection without an answer'))
      stream.once('data', (bytes: Uint8Array) => {
        cancel()
        if (Buffer.from(bytes.subarray(0, 5)).toString('latin1') === 'HTTP/') resolve(clock.nowMs() - startedMs)
        else reject(new EngineError('not-supported', 'what answers there is no PeerAPI'))
      })
      stream.write(`HEAD / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`)
    })
  } finally {
    stream.on('error', () => {})
    stream.destroy()
  }
}
