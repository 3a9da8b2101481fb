/**
 * profiles/: one profile for the present, in the shape of many.
 */
import type { Call } from './handlers.ts'
import { empty, json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export async function profiles({ backend, request, rest }: Call): Promise<Reply> {
  const list = backend.views.profiles()
  if (rest === '') return request.method === 'GET' ? json(list) : text(501, 'this engine keeps one profile; sign out before you sign in elsewhere')
  if (rest === 'current') return request.method === 'GET' ? json(backend.views.currentProfile()) : text(405, 'use GET')
  const profile = list.find((entry) => entry.ID === safeDecode(rest))
  if (!profile) return text(404, 'Profile not found')
  switch (request.method ?? '') {
    case 'GET':
      return json(profile)
    case 'POST':
      // Switching to the profile that is in use changes nothing.
      return empty(204)
    case 'DELETE':
      await backend.logout()
      return empty(204)
    default:
      return text(405, 'use GET, POST or DELETE')
  }
}

function safeDecode(escaped: string): string {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return ''
  }
}
