/**
 * Moving accounts to another engine of this computer, as wired: the way there, what goes along, and why not now.
 */
import type { Adopter, MovingPort } from './backend/ports.ts'
import type { Taildrop } from './features/taildrop/taildrop.ts'
import { callEngine } from './io/engine-call.ts'
import type { ServerTrust } from './io/server-trust.ts'
import type { PeerCredentials } from './server/caller.ts'
import { API_PREFIX, METHODS } from '../localapi/methods.ts'
import type { AdoptPage } from '../localapi/service.ts'
import { isMoving } from '../localapi/transfers.ts'

/** `taildrop` is asked late: it is built after the backend. */
export function movingOf(peerCredentials: PeerCredentials, trust: ServerTrust, taildrop: () => Taildrop): MovingPort {
  const path = `${API_PREFIX}${METHODS.adopt.path}`
  const call = async ({ socket, uid }: Adopter, method: 'GET' | 'POST', target: string, body?: unknown): Promise<AdoptPage> =>
    (await callEngine({ socketPath: socket, method, path: target, body, mayBe: (user) => user === 0 || user === uid, peerCredentials })) as AdoptPage
  return {
    adopter: { offer: (to, request) => call(to, 'POST', path, request), ask: (to, id) => call(to, 'GET', id === undefined ? path : `${path}?id=${id}`) },
    trusted: () => trust.pems(),
    trust: (pem, server) => void trust.add(pem, server),
    whyNotNow: async () => {
      const { transfers, files } = taildrop()
      const moving = transfers.page().Rows.filter(isMoving).length
      if (moving > 0) return { Code: 'files-moving', Text: `Files are on their way (${moving}). Wait for them, or cancel them: bowline file list` }
      const waiting = (await files.list(0, new AbortController().signal)).length
      return waiting > 0 ? { Code: 'files-waiting', Text: `Files have arrived and nobody has fetched them (${waiting}). Fetch them first: bowline file get FOLDER` } : undefined
    },
  }
}
