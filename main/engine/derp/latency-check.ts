/**
 * How far a region's relay is by HTTPS, for networks where no UDP gets through: one small request over a connection of its
 * own, timed from its writing, after TCP and TLS, to the first byte of the answer. Whatever stands between (a proxy, a box
 * that opens TLS) is in the time, as it is in that of the packets.
 *
 *   GET /derp/latency-check → 2xx; anything else is not from the relay
 *
 * Source: tailscale net/netcheck/netcheck.go (measureHTTPSLatency) @ de9ec7e, read 2026-08.
 */
import type { Duplex } from 'node:stream'
import { ascii } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import type { DerpNode, DerpRegion } from '../core/tailcfg/types.ts'
import { certificateFault } from './certificate.ts'
import type { Dial } from './ports.ts'
import { dialOptions } from './relay-address.ts'
import { hostHeader } from './upgrade.ts'

const CONNECT_TIMEOUT_MS = 1500

export interface Latency {
  readonly ms: number
  /** Of the address that answered. */
  readonly family: 4 | 6
}

/** Rejects with EngineError: 'relay-failed', 'timeout', or the dialler's. */
export async function measureLatency(deps: { env: Env; dial: Dial }, region: DerpRegion, isPlainHttp: (node: DerpNode) => boolean, timeoutMs: number): Promise<Latency> {
  const { clock } = deps.env
  const endMs = clock.nowMs() + timeoutMs
  let failure: unknown
  for (const node of (region.Nodes ?? []).filter((one) => one.STUNOnly !== true)) {
    const leftMs = endMs - clock.nowMs()
    const how = dialOptions(node, isPlainHttp(node), { timeoutMs: leftMs, connectTimeoutMs: CONNECT_TIMEOUT_MS })
    if (!how || leftMs <= 0) continue
    let stream: Duplex
    try {
      stream = await deps.dial(node.HostName, how.port, how.options)
    } catch (error) {
      failure ??= error
      continue
    }
    return exchange(deps.env, stream, node, Math.max(1, endMs - clock.nowMs()))
  }
  throw failure instanceof EngineError ? failure : new EngineError('relay-failed', failure === undefined ? 'the region has no relay' : errorText(failure))
}

async function exchange(env: Env, stream: Duplex, node: DerpNode, leftMs: number): Promise<Latency> {
  stream.on('error', () => {})
  try {
    const fault = certificateFault(node, stream, env.clock.wallMs())
    if (fault !== undefined) throw new EngineError('relay-failed', fault)
    const { remoteFamily } = stream as { remoteFamily?: string }
    const startMs = env.clock.nowMs()
    const answer = firstBytes(env, stream, leftMs)
    stream.write(ascii(`GET /derp/latency-check HTTP/1.1\r\nHost: ${hostHeader(node.HostName)}\r\nUser-Agent: bowline\r\nConnection: close\r\n\r\n`))
    const head = await answer
    if (!/^HTTP\/1\.[01] 2\d\d/.test(head)) throw new EngineError('relay-failed', 'somebody else answered in place of the relay')
    return { ms: env.clock.nowMs() - startMs, family: remoteFamily === 'IPv6' ? 6 : 4 }
  } finally {
    stream.destroy()
  }
}

/** The first bytes that come, at most a status line. */
function firstBytes(env: Env, stream: Duplex, leftMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const cancel = env.clock.after(leftMs, () => reject(new EngineError('timeout', 'the relay did not answer in time')))
    stream.on('data', (chunk: Uint8Array) => {
      text += String.fromCharCode(...chunk.subarray(0, 16))
      if (text.length < 12) return
      cancel()
      resolve(text)
    })
    stream.once('close', () => {
      cancel()
      reject(new EngineError('relay-failed', 'the relay closed the connection'))
    })
  })
}
