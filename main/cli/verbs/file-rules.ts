/**
 * bowline file rule and bowline file folder: what may come in, and where it goes.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Extras } from '../../localapi/extras.ts'
import type { IncomingRule, TaildropSettings } from '../../localapi/transfers.ts'
import type { Status } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { findDevice, nameOf } from './find-device.ts'

const RULES: readonly IncomingRule[] = ['ask', 'accept', 'refuse']
const NO_RULES = 'The daemon at this socket has no rules: it takes whatever the network lets in.'
const WORDS: Readonly<Record<IncomingRule, string>> = { ask: 'you are asked first', accept: 'comes in', refuse: 'is refused' }

export const rule: Verb = {
  name: 'rule',
  summary: 'decide what may come in: ask first, accept or refuse',
  usage: '[DEVICE|own|others] [ask|accept|refuse|default]',
  help: 'Without words the rules are shown. "own" are your other devices, "others" those of other people that the network lets send here; a rule for one device goes before both, and default takes it away again.',
  examples: [
    ['bowline file rule own ask', 'be asked also by your own devices'],
    ['bowline file rule phone accept', 'take whatever the phone sends'],
  ],
  json: '{"Folder", "Own", "Others", "Senders": {stable ID: rule}}',
  takes: 'device',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const [who, wanted, ...more] = args.words
    if (more.length > 0 || (who !== undefined && wanted === undefined)) throw usageError('file rule wants whom it is for and the rule: bowline file rule phone accept, bowline file rule others refuse')
    const current = await api.call('status')
    const before = (await lackingAs(NO_RULES, () => api.call('extras'))).Taildrop
    const after = who === undefined ? before : (await change(api, changed(before, who, wanted!, current))).Taildrop
    if (json) printJson(terminal, after)
    else terminal.out(rulesText(after, current))
    return EXIT.ok
  },
}

function changed(before: TaildropSettings, who: string, wanted: string, current: Status): Partial<TaildropSettings> {
  const found = RULES.find((one) => one === wanted)
  const group = who === 'own' ? 'Own' : who === 'others' ? 'Others' : undefined
  if (found === undefined && (wanted !== 'default' || group !== undefined)) throw usageError(`A rule is one of ${RULES.join(', ')}${group === undefined ? ', or default' : ''}, not ${JSON.stringify(wanted)}.`)
  if (group !== undefined) return { [group]: found }
  const device = findDevice(current, who.replace(/:$/, ''))
  if (device === undefined || device.ID === current.Self.ID) throw new CliError(EXIT.failed, 'no-such-device', `${printable(who)} is no other device of this network.`)
  const others = Object.fromEntries(Object.entries(before.Senders).filter(([id]) => id !== device.ID))
  return { Senders: found === undefined ? others : { ...others, [device.ID]: found } }
}

function rulesText({ Own, Others, Senders }: TaildropSettings, current: Status): string {
  const peers = Object.values(current.Peer ?? {})
  const named = Object.entries(Senders).map(([id, one]) => {
    const peer = peers.find(({ ID }) => ID === id)
    return [peer ? nameOf(peer, current) : `${id} (no longer there)`, WORDS[one]]
  })
  return `${table([['from your own devices', WORDS[Own]], ['from those of others', WORDS[Others]], ...named.map(([name, words]) => [`from ${name!}`, words!])])}\n`
}

export const folder: Verb = {
  name: 'folder',
  summary: 'choose where files go that come in',
  usage: '[FOLDER | --staged]',
  help: 'Without a folder the one in use is shown. With one, files go there as soon as they are whole; with --staged the engine keeps them until they are fetched with bowline file get.',
  examples: [['bowline file folder ~/Downloads', 'files go there at once'], ['bowline file folder --staged', 'they wait until you fetch them']],
  json: '{"Folder", "Own", "Others", "Senders"}; Folder "" = kept by the engine',
  takes: 'folder',
  flags: { staged: { kind: 'bool', help: 'keep them with the engine until they are fetched' } },
  async run({ api, args, json, terminal }: Context) {
    const [word, more] = args.words
    const staged = args.bool('staged')
    if (more !== undefined || (staged && word !== undefined)) throw usageError('file folder wants one folder, or --staged.')
    const path = word === undefined ? '' : resolve(word)
    if (word !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliError(EXIT.failed, 'not-a-folder', `${printable(word)} is no folder.`)
    const after = staged || word !== undefined ? (await change(api, { Folder: path })).Taildrop : (await lackingAs(NO_RULES, () => api.call('extras'))).Taildrop
    if (json) printJson(terminal, after)
    else terminal.out(after.Folder === '' ? 'Files wait with the engine until they are fetched: bowline file get FOLDER\n' : `Files go to ${printable(after.Folder)} as soon as they are whole.\n`)
    return EXIT.ok
  },
}

const change = (api: Context['api'], Taildrop: Partial<TaildropSettings>): Promise<Extras> =>
  lackingAs(NO_RULES, () => api.call('editExtras', { method: 'PATCH', body: { Taildrop: Taildrop as TaildropSettings } }))
