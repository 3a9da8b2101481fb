/**
 * bowline down and logout: stop for now, or leave.
 */
import { EXIT } from '../exit.ts'
import type { FlagSpec } from '../flags.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

/** Of the official command; nothing here asks for them. */
const TAKEN: FlagSpec = { reason: { kind: 'text', help: '', hidden: true }, 'accept-risk': { kind: 'text', help: '', hidden: true } }

export const down: Verb = {
  name: 'down',
  group: 'Connect',
  summary: 'disconnect; this device keeps its place on the network',
  usage: '',
  help: 'Ends all tunnels. The sign-in stays: bowline up connects again.',
  json: '{"WantRunning": false}',
  flags: TAKEN,
  async run({ api, args, json, terminal }: Context) {
    noWords('down', args)
    const before = await api.call('status', { query: { peers: 'false' } })
    const prefs = await api.call('editPrefs', { body: { WantRunning: false, WantRunningSet: true } })
    if (json) printJson(terminal, { WantRunning: prefs.WantRunning })
    else terminal.out(before.HaveNodeKey === true ? 'Disconnected. Connect again with: bowline up\n' : 'Nobody is signed in. Nothing is tried any more.\n')
    return EXIT.ok
  },
}

export const logout: Verb = {
  name: 'logout',
  group: 'Connect',
  summary: 'sign out: disconnect and give up the place on the network',
  usage: '',
  help: 'Signs this device out at the server and forgets its key here. To come back, sign in again.',
  json: '{"LoggedOut": true}',
  flags: TAKEN,
  async run({ api, args, json, terminal }: Context) {
    noWords('logout', args)
    const before = await api.call('status', { query: { peers: 'false' } })
    await api.call('logout')
    if (json) printJson(terminal, { LoggedOut: true })
    else terminal.out(before.HaveNodeKey === true ? 'Signed out.\n' : 'Nobody was signed in.\n')
    return EXIT.ok
  },
}
