/**
 * bowline/hand-over and bowline/adopt: accounts move between two engines of this computer. The giver asks the receiver itself; what a client
 * says is where to. An engine of root gives to root's engines and to those of the very user that asks.
 */
import type { Call } from './handlers.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export async function handOver({ backend, body, caller }: Call): Promise<Reply> {
  const { Do, Socket, Uid } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  if (Do === 'take-back') return json(await backend.handOver.takeBack())
  if (Do !== 'give' || typeof Socket !== 'string' || !Socket.startsWith('/')) return text(400, 'Do is give, with the path of a Socket, or take-back')
  return json(await backend.handOver.give({ socket: Socket, uid: caller.uid === 0 ? (Number.isInteger(Uid) ? (Uid as number) : undefined) : caller.uid }))
}

export const handOverPage = ({ backend }: Call): Reply => json(backend.handOver.page())

export const adopt = ({ backend, body, caller }: Call): Reply => json(backend.adoption.take(body, caller.user))

export const adoptPage = ({ backend, query }: Call): Reply => json(backend.adoption.page(query.get('id') ?? undefined))
