/**
 * The verdict of a ladder in English, for the command line, tickets and programs; the window has the same in six languages by code. Pure.
 */
import { targetText } from './target.ts'
import type { ReachTarget } from './target.ts'
import type { Verdict } from './ladder.ts'

export interface VerdictWords {
  /** One sentence: what, because why. */
  readonly text: string
  /** What still works, who said it, and who can change it. */
  readonly more: string
}

/** `device`: who has the address or carries it; "" when nobody does. `isItself`: the address is its own. */
export function verdictWords({ code, why }: Verdict, target: ReachTarget, device: string, isItself: boolean): VerdictWords {
  const place = targetText(target)
  const who = device === '' ? target.host : device
  const there = isItself ? who : `the machine behind ${who}`
  const because = why === undefined ? '' : `${why.charAt(0).toUpperCase()}${why.slice(1)}${/[.!?]$/.test(why) ? '' : '.'}`
  switch (code) {
    case 'open':
      return { text: `${place} can be reached.`, more: 'A connection was made and closed again; nothing was sent.' }
    case 'up':
      return { text: `${who} answers.`, more: isItself ? 'Name a port to try a service on it, like nas:22.' : `${who} carries the network that ${target.host} is in.` }
    case 'self':
      return { text: `${target.host} is this device itself.`, more: 'Nothing goes through the network for it.' }
    case 'outside':
      return { text: `${target.host} is not in your network.`, more: "This computer's own connection leads there, and Bowline has no part in it." }
    case 'not-connected':
      return { text: 'This device is not connected.', more: because }
    case 'no-such-name':
      return { text: `There is no ${target.host}.`, more: because }
    case 'no-such-device':
      return { text: `No device that you can see has the address of ${target.host}.`, more: because }
    case 'unusable':
      return { text: `${who} is in the list, and nothing can be sent to it.`, more: because }
    case 'route-unused':
      return { text: `${target.host} is in a network behind a device that is not in use here.`, more: because }
    case 'not-allowed':
      return { text: `${target.host} is closed to this computer for now.`, more: because }
    case 'offline':
      return { text: `${who} does not answer, and the server says that it is offline.`, more: 'Wake it or start its client, then try again.' }
    case 'no-answer':
      return { text: `${who} does not answer.`, more: 'The server calls it online, but nothing came back by any path. It may just have gone to sleep.' }
    case 'no-keys':
      return { text: `${who} is there, but no keys could be agreed with it.`, more: 'It may have another list of devices than this one. Reconnecting it helps in most cases.' }
    case 'no-tunnel':
      return { text: `Keys are agreed with ${who}, but it does not answer inside the tunnel.`, more: 'Its client may be stuck. Restarting it there helps in most cases.' }
    case 'policy':
      return { text: `${who} is up, but your network's rules do not let you reach ${portOf(target)}.`, more: `${who} itself said so just now. Only an admin can change this.` }
    case 'shields-up':
      return { text: `${who} is up, and takes no connections from others for now.`, more: `${who} itself said so just now. Whoever uses it can change this in its settings.` }
    case 'forwarding-off':
      return { text: `${who} does not pass traffic on to ${target.host}.`, more: `${who} itself said so just now: forwarding is switched off in its system.` }
    case 'host-firewall':
      return { text: `${who} is up, and a firewall on it refuses ${portOf(target)}.`, more: `${who} itself said so just now. Whoever looks after it can open the port.` }
    case 'refused':
      return { text: `${who} is up, and refused ${portOf(target)} without saying why.`, more: '' }
    case 'nothing-listens':
      return { text: `${who} is up, but nothing listens on ${portOf(target)}${isItself ? '' : ` of ${target.host}`}.`, more: 'No rule is in the way. Start the service there, or try another port.' }
    case 'unreachable':
      return { text: `${who} is up, and has no way to ${target.host}.`, more: '' }
    case 'silent':
      return { text: `${who} is up, but ${portOf(target)}${isItself ? '' : ` of ${target.host}`} does not answer.`, more: `Nothing refused it, so this is no known rule of the network: a firewall on ${there} may drop it without a word, or ${isItself ? 'the service hangs' : 'it is switched off'}.` }
    case 'silent-6':
      return { text: `${who} is up, but ${portOf(target)} does not answer by IPv6.`, more: 'By IPv6 rules refuse without a word, so it is not known whether one is in the way. Try its IPv4 address.' }
    case 'failed':
      return { text: `This could not be looked at to its end.`, more: because }
  }
}

function portOf({ port }: ReachTarget): string {
  return port === 0 ? 'it' : `port ${port}`
}
