/**
 * What an administrator would add to the network's policy so that files can go from this device to another: text, English, pure.
 *
 * Two grants, one each way: the sender holds file-send toward the receiver, the receiver file-sharing-target toward the sender.
 * They name an owner, or tags, as the server wrote them. Headscale 0.29 refuses a policy with capabilities of these names,
 * all of it, and so does anything that checks names like it; the text says so before anybody pastes it.
 *
 * Source: dataplane facts §8.5; headscale hscontrol/policy/v2/types.go (validateCapabilityName).
 */
import { printable } from '../../base/printable.ts'
import type { NetMap } from '../netmap/types.ts'
import { addressesOf, trimDot } from '../plan/names.ts'
import type { Node } from '../tailcfg/types.ts'

/** Policy text with comments (HuJSON): the grants that would let files go from this device to `node`. */
export function grantText(netMap: NetMap, node: Node): string {
  const us = partyOf(netMap, netMap.self)
  const them = partyOf(netMap, node)
  const grant = (from: readonly string[], to: readonly string[], cap: string): string =>
    `    ${JSON.stringify({ src: from, dst: to, app: { [`https://tailscale.com/cap/${cap}`]: [{}] } })}`
  const tags = [...(netMap.self.Tags ?? []), ...(node.Tags ?? [])].length > 0
  return [
    `// Lets files go from ${clean(trimDot(netMap.self.Name))} to ${clean(trimDot(node.Name))}. Add the two grants to those of the policy.`,
    '// Headscale up to 0.29 refuses a policy that holds them, all of it. Files go there between devices',
    `// of one user${tags ? ' that have no tags' : ''}: sign ${tags ? 'both devices' : 'one of the two'} in ${tags ? 'as the same user, without tags' : 'again, as the user of the other'}.`,
    '{',
    '  "grants": [',
    `${grant(us, them, 'file-send')},`,
    grant(them, us, 'file-sharing-target'),
    '  ]',
    '}',
    '',
  ].join('\n')
}

/** As a policy names the device: its tags, else its owner, else its addresses. */
function partyOf(netMap: NetMap, node: Node): readonly string[] {
  const tags = node.Tags ?? []
  if (tags.length > 0) return tags.map(clean)
  const login = netMap.userProfiles.get(node.User)?.LoginName ?? ''
  // Headscale's own users have an "@" behind their name.
  return login === '' ? addressesOf(node) : [clean(login.includes('@') ? login : `${login}@`)]
}

const clean = (text: string): string => printable(text, 200)
