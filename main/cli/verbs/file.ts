/**
 * bowline file: sending and receiving files, which this engine does not serve yet; the engine is asked, and its answer said.
 */
import { unavailable, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import type { Context, Verb } from '../verb.ts'

const NOT_YET = 'This engine has no Taildrop yet: files can be neither sent nor received.'
const OTHER = 'This command cannot move files yet, though the engine at this socket could: use the official command, tailscale file.'

const cp: Verb = {
  name: 'cp',
  summary: 'send files to a device (not served yet)',
  usage: 'FILE… DEVICE:',
  help: NOT_YET,
  takes: 'file',
  flags: {},
  async run({ api, args }: Context) {
    const target = args.words.at(-1)
    if (args.words.length < 2 || target === undefined || !target.endsWith(':')) throw usageError('file cp wants files and a device with a colon behind it: bowline file cp report.pdf desk:')
    await lackingAs(NOT_YET, () => api.request({ method: 'GET', path: 'file-targets' }))
    throw unavailable(OTHER)
  },
}

const get: Verb = {
  name: 'get',
  summary: 'move files that arrived into a folder (not served yet)',
  usage: 'FOLDER',
  help: NOT_YET,
  takes: 'folder',
  flags: {},
  async run({ api, args }: Context) {
    if (args.words.length !== 1) throw usageError('file get wants one folder: bowline file get .')
    await lackingAs(NOT_YET, () => api.request({ method: 'GET', path: 'files/' }))
    throw unavailable(OTHER)
  },
}

export const file: Verb = {
  name: 'file',
  group: 'Use the network',
  summary: 'send or receive files (not served yet)',
  usage: 'cp FILE… DEVICE: | get FOLDER',
  help: NOT_YET,
  subs: [cp, get],
  flags: {},
}
