/**
 * What an admin needs to allow something: who wants what, what was seen, and a grant that would allow it. Plain text, English, pure.
 *
 * The grant is narrow: this owner, this device, this port. Tags and owners go in as the server wrote them; line ends in them do not.
 */
import { printable } from '../../base/printable.ts'
import { targetText } from './target.ts'
import type { ReachTarget } from './target.ts'

export interface AdminRequest {
  readonly target: ReachTarget
  /** Who asks: login name, and the name and address of this device. */
  readonly login: string
  readonly device: string
  readonly address: string
  /** Tags of this device; it then acts for them and not for the owner. */
  readonly tags: readonly string[]
  /** Who is asked: name, address, and its tags if it has any. */
  readonly to: { readonly name: string; readonly address: string; readonly tags: readonly string[] }
  /** The verdict's sentence, and when it was come to (RFC 3339). */
  readonly verdict: string
  readonly at: string
}

/** Lines to paste into a message. */
export function adminRequest(request: AdminRequest): string {
  const { target, login, device, address, tags, to, verdict, at } = request
  const from = tags.length > 0 ? tags : [userName(login)]
  const clean = (text: string): string => printable(text, 200)
  const dst = to.tags.length > 0 ? to.tags : [to.address]
  const grant = { src: from.map(clean), dst: dst.map(clean), ip: [target.port === 0 ? '*' : `tcp:${target.port}`] }
  const acl = { action: 'accept', src: grant.src, dst: grant.dst.map((one) => `${one.includes(':') && !one.startsWith('tag:') ? `[${one}]` : one}:${target.port === 0 ? '*' : target.port}`) }
  return [
    `Please allow ${clean(targetText(target))}.`,
    '',
    `Who:   ${clean(login)}, from ${clean(device)} (${clean(address)})`,
    `What:  ${target.port === 0 ? 'every port' : `TCP port ${target.port}`} of ${clean(to.name)} (${clean(to.address)})`,
    `Seen:  ${clean(verdict)} ${clean(at)}`,
    '',
    'As a grant:',
    JSON.stringify(grant),
    'As a rule of "acls":',
    JSON.stringify(acl),
    '',
  ].join('\n')
}

/** As a policy names a user: Headscale's own users have an "@" behind their name. */
function userName(login: string): string {
  return login.includes('@') ? login : `${login}@`
}
