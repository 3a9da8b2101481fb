/**
 * debug-portmap: a port asked of the router on trial, every step a line of text as it happens.
 *
 *   duration=5s   type=pmp|pcp|upnp   gateway_and_self=IP/IP   (log_http is taken and changes nothing: exchanges are not shown)
 */
import { isIp4, parseIp } from '../base/ip.ts'
import type { Call } from './handlers.ts'
import { text } from './reply.ts'
import type { Reply } from './reply.ts'

export interface PortMapTrial {
  readonly only: 'pmp' | 'pcp' | 'upnp' | undefined
  /** undefined = the default route's. */
  readonly link: { readonly gateway: string; readonly selfIp: string } | undefined
  readonly timeoutMs: number
}

/** Tells each step as a line without its end; rejects when there is no socket to be had. */
export type TryPortMap = (trial: PortMapTrial, say: (line: string) => void) => Promise<void>

const DEFAULT_MS = 5000
const MAX_MS = 60_000
const TYPES: readonly string[] = ['pmp', 'pcp', 'upnp']

export async function portMapTrial({ tryPortMap, query, response }: Call): Promise<Reply> {
  if (!tryPortMap) return text(501, 'port mapping is not there')
  const only = query.get('type') ?? ''
  if (only !== '' && !TYPES.includes(only)) return text(400, 'unknown portmap debug type')
  const timeoutMs = goDurationMs(query.get('duration') ?? '')
  if (timeoutMs === undefined) return text(400, 'invalid duration')
  const routers = (query.get('gateway_and_self') ?? '').split('/')
  const isGiven = routers[0] !== ''
  if (isGiven && (routers.length !== 2 || !routers.every((ip) => isIp4(ip) && parseIp(ip) !== undefined))) return text(400, 'invalid gateway_and_self')
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.flushHeaders()
  const link = isGiven ? { gateway: routers[0]!, selfIp: routers[1]! } : undefined
  await tryPortMap({ only: only === '' ? undefined : (only as 'pmp' | 'pcp' | 'upnp'), link, timeoutMs: Math.min(timeoutMs, MAX_MS) }, (line) => {
    if (!response.destroyed) response.write(`${line}\n`)
  })
  response.end()
  return { kind: 'streams' }
}

/** "5s", "1m30s", "1.5s", "500ms"; '' = the default. */
function goDurationMs(given: string): number | undefined {
  if (given === '') return DEFAULT_MS
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(given)) return undefined
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return [...given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units], 0)
}
