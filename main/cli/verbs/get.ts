/**
 * bowline get: settings by the names of their flags.
 */
import { EXIT, usageError } from '../exit.ts'
import { didYouMean } from '../nearest.ts'
import { flagText, PREF_FLAGS, unusualFlags } from '../pref-flags.ts'
import { styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'

export const get: Verb = {
  name: 'get',
  group: 'Connect',
  summary: 'show settings',
  usage: '[SETTING] [--set-flags]',
  help: 'Shows one setting, or all; the names are those of the flags of bowline set. What differs from a fresh start is in bold.',
  examples: [['bowline get hostname', 'one of them'], ['bowline get --set-flags', 'as flags, to set another computer up the same way']],
  json: '{SETTING: value}, switches as true or false, the others as text',
  flags: { 'set-flags': { kind: 'bool', help: 'print what differs from a fresh start, as flags of bowline set' } },
  takes: Object.keys(PREF_FLAGS),
  async run({ api, args, json, terminal }: Context) {
    const names = Object.keys(PREF_FLAGS)
    const wanted = args.words[0] === undefined || args.words[0] === 'all' ? names : args.words
    for (const name of wanted) if (!names.includes(name)) throw usageError(`There is no setting ${JSON.stringify(name)}.${didYouMean(name, names)} All of them: bowline get`)
    const prefs = await api.call('prefs')
    const unusual = unusualFlags(prefs).map(({ name }) => name)
    const text = (name: string): string => PREF_FLAGS[name]!.show(prefs)
    if (json) printJson(terminal, Object.fromEntries(wanted.map((name) => [name, PREF_FLAGS[name]!.flag.kind === 'bool' ? text(name) === 'true' : text(name)])))
    else if (args.bool('set-flags')) terminal.out(`${wanted.filter((name) => unusual.includes(name)).map((name) => flagText(name, text(name))).join(' ')}\n`)
    else if (wanted.length === 1) terminal.out(`${text(wanted[0]!)}\n`)
    else terminal.out(`${table(wanted.map((name) => [name, unusual.includes(name) ? styled('strong', text(name)) : text(name) || '-']))}\n`)
    return EXIT.ok
  },
}
