/**
 * profiles/: list and make (GET, PUT), the one in use (current), one (GET), switch to it (POST), forget it (DELETE), with the
 * stock daemon's answers: a switch to an unknown one is 500, forgetting an unknown one is 204.
 */
import { EngineError } from '../base/errors.ts'
import type { Call } from './handlers.ts'
import { empty, json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export function profiles({ backend, request, rest }: Call): Reply {
  const method = request.method ?? ''
  if (rest === '') {
    if (method === 'GET') return json(backend.profiles.list())
    if (method !== 'PUT') return text(405, 'use GET or PUT')
    backend.profileSwitch.toNew()
    return empty(201)
  }
  const id = safeDecode(rest)
  if (id === undefined) return text(400, 'bad profile ID')
  if (id === 'current') return method === 'GET' ? json(backend.profiles.current()) : text(405, 'use GET')
  return one(backend, method, id)
}

function one(backend: Call['backend'], method: string, id: string): Reply {
  switch (method) {
    case 'GET': {
      const profile = backend.profiles.list().find((entry) => entry.ID === id)
      return profile ? json(profile) : text(404, 'Profile not found')
    }
    case 'POST':
      try {
        backend.profileSwitch.to(id)
      } catch (error) {
        if (error instanceof EngineError && error.code === 'not-found') return text(500, error.message)
        throw error
      }
      return empty(204)
    case 'DELETE':
      backend.profileSwitch.remove(id)
      return empty(204)
    default:
      return text(405, 'use POST or DELETE')
  }
}

function safeDecode(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return undefined
  }
}
