/**
 * What control may ask of this node beyond being alive, and what it gets: facts that it mostly knows already, never a
 * private key, and nothing that changes anything here. Unknown paths and methods are answered as the stock daemon does.
 *
 * Settings from afar (/remoteapi) need the pref RemoteConfig, and are not served yet even then.
 * Source: tailscale ipn/ipnlocal/c2n.go, feature/{clientupdate,posture,appconnectors,remoteconfig} (1.103).
 */
import { isDecodeError } from '../base/errors.ts'
import { applyMapResponse } from '../core/netmap/apply.ts'
import { checkMapResponse } from '../core/tailcfg/check-map.ts'
import { isObject } from '../core/tailcfg/check.ts'
import type { C2nAnswer, C2nRequest } from '../control/c2n-http.ts'
import { netMapJson } from './node-json.ts'
import type { Views } from './views.ts'

type Handler = (request: C2nRequest, views: Views, wallMs: number) => C2nAnswer

/** "METHOD path", or the path alone for any method. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  'POST /logtail/flush': () => text(500, 'no log flusher wired up'),
  'POST /sockstats': () => text(500, 'no sockstatLogger'),
  '/debug/goroutines': () => text(501, 'this engine has no goroutines to show'),
  '/debug/pprof/heap': () => text(501, 'not implemented'),
  '/debug/pprof/allocs': () => text(501, 'not implemented'),
  '/debug/logheap': () => text(501, 'not implemented'),
  '/debug/component-logging': () => json({ Error: 'not supported' }),
  '/debug/prefs': (_request, views) => json(views.prefs()),
  '/debug/metrics': (_request, views) => ({ status: 200, body: views.metrics() }),
  '/debug/health': (_request, views) => json(views.health()),
  '/debug/netmap': netMap,
  'POST /netfilter-kind': () => text(501, 'this engine does not use the system packet filter'),
  'GET /appconnector/routes': () => json({ Domains: null }),
  'GET /update': (_request, views) => json({ ...updates(views), Started: false }),
  'POST /update': (_request, views) => json({ Err: updates(views).Enabled ? 'not supported' : 'not enabled', ...updates(views), Started: false }),
  'GET /posture/identity': () => json({ PostureDisabled: true }),
  'GET /tls-cert-status': () => json({ Missing: true }),
  'GET /vip-services': () => json({ ServicesHash: '' }),
  'POST /wol': () => text(501, 'not implemented'),
}
const REMOTE = '/remoteapi/localapi/'
const PATHS: ReadonlySet<string> = new Set(Object.keys(HANDLERS).map((key) => key.slice(key.indexOf('/'))))

/** The answer to one request; `wallMs` is now. */
export function answerC2n(request: C2nRequest, views: Views, wallMs: number): C2nAnswer {
  const { method, path } = request
  const key = [`${method} ${path}`, path].find((one) => Object.hasOwn(HANDLERS, one))
  if (key !== undefined) return HANDLERS[key]!(request, views, wallMs)
  if (path.startsWith(REMOTE)) return views.prefs().RemoteConfig ? text(501, 'not implemented') : text(403, 'remote config not enabled by local machine')
  return PATHS.has(path) ? text(405, 'bad method') : text(400, 'unknown c2n path')
}

function updates(views: Views): { Enabled: boolean; Supported: boolean } {
  return { Enabled: views.prefs().AutoUpdate.Apply === true, Supported: false }
}

/** The map in use, and on demand what a whole map of control's would become here. */
function netMap({ method, body }: C2nRequest, views: Views, wallMs: number): C2nAnswer {
  if (method !== 'GET' && method !== 'POST') return text(405, 'method not allowed')
  let asked: Record<string, unknown> = {}
  if (method === 'POST') {
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(body))
      if (!isObject(value)) return text(400, 'failed to decode request body: not an object')
      asked = value
    } catch {
      return text(400, 'failed to decode request body: not JSON')
    }
  }
  const omit = new Set(Array.isArray(asked['omitFields']) ? (asked['omitFields'] as unknown[]) : [])
  const shown = (map: object): object => Object.fromEntries(Object.entries(map).filter(([field]) => !omit.has(field)))
  const current = views.netMap()
  if (asked['candidate'] === undefined) return json({ current: current ? shown(current) : null })
  const message = checkMapResponse(asked['candidate'])
  const delta = isDecodeError(message) ? message : applyMapResponse(undefined, message, wallMs)
  if (isDecodeError(delta)) return text(400, `failed to convert candidate MapResponse: ${delta.detail ?? delta.reason}`)
  return json({ current: current ? shown(current) : null, candidate: shown(netMapJson(delta.netMap, false)) })
}

function json(value: unknown): C2nAnswer {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function text(status: number, body: string): C2nAnswer {
  return { status, body: `${body}\n` }
}
