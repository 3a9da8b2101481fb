/**
 * Which of our files a device has in part from an earlier try. It is asked once for its whole list: of a thousand small files
 * most were never there, and need not be asked for one by one.
 */
import type { Clock } from '../../../base/env.ts'
import { PUT_PATH } from '../../../core/taildrop/wire.ts'
import { exchange } from './conversation.ts'
import type { Answer } from './conversation.ts'
import type { PeerLink } from './link.ts'

const LIST_MS = 10_000
const MAX_LIST_BYTES = 1 << 20

/** Whether it pays to ask what the device has of a name; or the answer by which we may not send at all. Rejects with SendFault when the device cannot be reached. */
export async function mayHavePart(link: PeerLink, clock: Clock, name: string, signal: AbortSignal): Promise<boolean | Answer> {
  if (link.partials === undefined) {
    const answer = await exchange(link, clock, { method: 'GET', path: PUT_PATH, withinMs: LIST_MS, most: MAX_LIST_BYTES, signal })
    if (answer.status === 403) return answer
    link.partials = listed(answer)
  }
  if (link.partials === 'unsaid') return true
  for (const partial of link.partials) if (partial === name || (partial.startsWith(`${name}.`) && partial.endsWith('.partial'))) return true
  return false
}

/** A try of a name ended; what it left is asked for at the next. */
export function notePart(link: PeerLink, name: string, isThere: boolean): void {
  if (!(link.partials instanceof Set)) return
  if (isThere) link.partials.add(name)
  else link.partials.delete(name)
}

function listed({ status, text }: Answer): Set<string> | 'unsaid' {
  if (status !== 200) return 'unsaid'
  try {
    const names = JSON.parse(text) as unknown
    if (names === null) return new Set()
    return Array.isArray(names) ? new Set(names.filter((name) => typeof name === 'string')) : 'unsaid'
  } catch {
    return 'unsaid'
  }
}
