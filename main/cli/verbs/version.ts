/**
 * bowline version: ours, and the running engine's when there is one.
 */
import { VERSION } from '../../localapi/version.ts'
import { EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

export const version: Verb = {
  name: 'version',
  group: 'The engine and this command',
  summary: 'show the version',
  usage: '[--daemon]',
  help: 'Shows the version of this command; with --daemon also that of the running engine.',
  json: '{"version", "engine"}',
  flags: { daemon: { kind: 'bool', help: 'ask the running engine too' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('version', args)
    const engine = args.bool('daemon') ? (await api.call('status', { query: { peers: 'false' } })).Version : undefined
    if (json) printJson(terminal, { version: VERSION, ...(engine !== undefined ? { engine } : {}) })
    else terminal.out(engine === undefined ? `${VERSION}\n` : `command ${VERSION}\nengine  ${engine}\n`)
    return EXIT.ok
  },
}
