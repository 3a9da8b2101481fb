/**
 * debug: the actions that have a meaning here. An action that this engine does not know is refused as by a daemon that is
 * older than the action.
 */
import { EngineError } from '../base/errors.ts'
import type { Call } from './handlers.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

const done = (): Reply => text(200, 'done')

export function debug({ backend, query, request, body }: Call): Reply {
  const action = request.headers['debug-action'] === 'notify' ? 'notify' : (query.get('action') ?? '')
  switch (action) {
    case 'rebind':
    case 'restun':
      backend.networkChanged(`asked by a person: ${action}`)
      return done()
    case 'break-tcp-conns':
    case 'force-netmap-update':
      backend.reconnectControl(`asked by a person: ${action}`)
      return done()
    case 'pick-new-derp':
      return backend.network.netchecker.pickNewHome() ? done() : text(400, 'too few regions')
    case 'force-prefer-derp':
      if (typeof body !== 'number' || !Number.isSafeInteger(body) || body < 0) throw new EngineError('bad-argument', 'force-prefer-derp wants the number of a region')
      backend.network.netchecker.forceHome(body)
      return done()
    case 'notify':
      if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new EngineError('bad-argument', 'a notify is a JSON object')
      backend.sendNotify(body)
      return done()
    case 'control-knobs':
      return json({})
    case 'peer-relay-servers':
      return text(200, JSON.stringify(backend.views.peerRelayServers()))
    case 'peer-disco-keys':
      return json(backend.views.peerDiscoKeys())
    case 'rotate-disco-key':
      backend.rotateDiscoKey()
      return done()
    case 'current-netmap': {
      const map = backend.views.netMap()
      return map ? json(map) : text(400, 'no netmap')
    }
    default:
      return text(400, action === '' ? "missing parameter 'action'" : `unknown action ${JSON.stringify(action)}`)
  }
}
