/**
 * file-targets: devices that files can be sent to, byte for byte as the stock daemon lists them.
 */
import { EngineError } from '../base/errors.ts'
import type { FileTarget } from '../../localapi/transfers.ts'
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'

export function fileTargets({ backend, taildrop }: Call): Reply {
  try {
    return json(taildrop.targets.stock().map(({ node, url }): FileTarget => ({ Node: backend.views.peerById(node.ID) ?? node, PeerAPIURL: url })))
  } catch (error) {
    if (error instanceof EngineError) return json({ error: error.message }, 500)
    throw error
  }
}
