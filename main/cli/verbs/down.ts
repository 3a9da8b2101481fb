/**
 * bowline down and logout: stop for now, or leave.
 */
import { EXIT, usageError } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'

export const down: Verb = {
  name: 'down',
  summary: 'disconnect; this device keeps its place on the network',
  usage: '',
  help: 'Ends all tunnels. The sign-in stays: bowline up connects again.',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    if (args.words.length > 0) throw usageError('down takes no arguments.')
    const prefs = await api.call('editPrefs', { body: { WantRunning: false, WantRunningSet: true } })
    if (json) printJson(terminal, { WantRunning: prefs.WantRunning })
    else terminal.out('Disconnected. Connect again with: bowline up\n')
    return EXIT.ok
  },
}

export const logout: Verb = {
  name: 'logout',
  summary: 'sign out: disconnect and give up the place on the network',
  usage: '',
  help: 'Signs this device out at the server and forgets its key here. To come back, sign in again.',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    if (args.words.length > 0) throw usageError('logout takes no arguments.')
    const before = await api.call('status', { query: { peers: 'false' } })
    await api.call('logout')
    if (json) printJson(terminal, { LoggedOut: true })
    else terminal.out(before.HaveNodeKey === true ? 'Signed out.\n' : 'Nobody was signed in.\n')
    return EXIT.ok
  },
}
