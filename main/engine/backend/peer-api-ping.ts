/**
 * A ping that a peer's PeerAPI answers: one HEAD through the tunnel, timed to its "200".
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { DataplanePort } from './ports.ts'

/** Of an answer's first line. */
const MAX_LINE = 256

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
      let line = ''
      stream.on('data', (bytes: Uint8Array) => {
        line += Buffer.from(bytes.subarray(0, MAX_LINE)).toString('latin1')
        if (!line.includes('\n') && line.length < MAX_LINE) return
        cancel()
        stream.removeAllListeners('data')
        const status = /^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1]
        if (status === '200') resolve(clock.nowMs() - startedMs)
        else reject(new EngineError('not-supported', status === undefined ? 'what answers there is no PeerAPI' : `the PeerAPI refused with HTTP status ${status}`))
      })
      stream.write(`HEAD / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`)
    })
  } finally {
    stream.on('error', () => {})
    stream.destroy()
  }
}
