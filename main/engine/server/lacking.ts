/**
 * Answers of endpoints that this engine does not serve. One that a stock daemon can be built without is unknown, as it is
 * there; the others say in one sentence what there is not, in the shape from which the official command shows only that.
 */
import type { Lacked } from '../../localapi/methods.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export const UNKNOWN_PATH: Reply = text(404, '404 page not found')

const SENTENCES: Readonly<Record<Exclude<Lacked, 'absent'>, string>> = {
  cert: 'Bowline does not fetch TLS certificates.',
  'tailnet-lock': 'Bowline has no tailnet lock.',
  serve: 'Bowline does not serve or funnel local services to the network.',
  drive: 'Bowline does not share folders.',
  update: 'Bowline does not update itself this way. Install the new version as you installed this one.',
  expiry: 'Bowline cannot bring the end of its sign-in forward. Sign out, or let the administrator set the expiry.',
  stacks: 'Bowline has no goroutines to show.',
  'id-token': 'Bowline does not ask the server for identity tokens.',
}

/** The answer for a lacking feature; `absent` ones do not even look at who asks. */
export function lackingReply(lacks: Lacked): Reply {
  return lacks === 'absent' ? UNKNOWN_PATH : json({ error: SENTENCES[lacks] }, 501)
}
