/**
 * bowline set: changes settings; what is not mentioned stays.
 */
import type { MaskedPrefs, Prefs, Status } from '../../localapi/types.ts'
import { EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { makeChange, RISK_FLAGS } from '../losses.ts'
import { hintAfter } from '../offer-hint.ts'
import { inertNotes, PREF_FLAGS, prefFlagSpec, readPrefFlags } from '../pref-flags.ts'
import { styled } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { routesHint } from './routes.ts'

/** What can be tried first. */
const TRIAL_FIELDS: readonly string[] = ['RouteAll', 'CorpDNS', 'ExitNodeAllowLANAccess', 'ExitNodeID', 'ExitNodeIP', 'AutoExitNode', 'AdvertiseRoutes']

export const set: Verb = {
  name: 'set',
  group: 'Connect',
  summary: 'change settings, now or for the next time',
  usage: '--FLAG[=VALUE] …',
  help: 'Changes the settings that are mentioned and nothing else; it works connected or not. A switch is turned off with =false. To see them: bowline get',
  examples: [
    ['bowline set --hostname=desk', 'give this device another name'],
    ['bowline set --shields-up', 'let nothing in'],
    ['bowline set --shields-up=false --accept-routes', 'several at once'],
  ],
  json: '{"Changed": {FIELD: new value}, "Prefs": all settings}',
  flags: { ...prefFlagSpec('set'), ...RISK_FLAGS },
  async run(context: Context) {
    const { api, args } = context
    noWords('set', args)
    const prefs = await api.call('prefs')
    if (args.given.every((name) => PREF_FLAGS[name] === undefined)) throw usageError('set wants a setting: bowline set --hostname=NAME. All of them: bowline set --help')
    const changed = readPrefFlags(args, { prefs, status: await statusFor(args.text('exit-node'), api) })
    const change = Object.keys(changed).every((field) => TRIAL_FIELDS.includes(field)) ? { Prefs: maskOf(changed) } : undefined
    return makeChange(context, change, () => make(context, prefs, changed))
  },
}

async function make({ api, args, json, terminal }: Context, prefs: Prefs, changed: Partial<Prefs>): Promise<ExitCode> {
  const after = await api.call('editPrefs', { body: maskOf(changed) })
  const different = Object.keys(changed).filter((field) => JSON.stringify(after[field as keyof Prefs] ?? null) !== JSON.stringify(prefs[field as keyof Prefs] ?? null))
  if (json) printJson(terminal, { Changed: Object.fromEntries(different.map((field) => [field, after[field as keyof Prefs] ?? null])), Prefs: after })
  else {
    for (const name of args.given) {
      const row = PREF_FLAGS[name]
      if (!row) continue
      const [was, is] = [row.show(prefs), row.show(after)]
      terminal.out(was === is ? `${name} stays ${styled('strong', word(is))}\n` : `${name}: ${word(was)} → ${styled('strong', word(is))}\n`)
    }
    for (const note of inertNotes(args)) terminal.err(`${note}\n`)
    const offered = await hintAfter(args, api)
    if (offered !== undefined) terminal.err(`${offered}\n`)
    if (args.given.includes('accept-routes') && after.RouteAll) {
      const hint = await api.call('routes').then(routesHint).catch(() => undefined)
      if (hint !== undefined) terminal.err(`${hint}\n`)
    }
  }
  return EXIT.ok
}

const word = (text: string): string => (text === '' ? 'none' : text === 'true' ? 'on' : text === 'false' ? 'off' : text)

/** An edit of exactly these fields. */
export function maskOf(changed: Partial<Prefs>): MaskedPrefs {
  const marks = Object.keys(changed).map((field): [string, unknown] => [`${field}Set`, field === 'AutoUpdate' ? { CheckSet: true, ApplySet: true } : true])
  return { ...changed, ...Object.fromEntries(marks) } as MaskedPrefs
}

/** The status, with the other devices when a flag may name one of them. */
export async function statusFor(exitNode: string, api: Context['api']): Promise<Status> {
  return await api.call('status', { query: { peers: String(exitNode !== '') } })
}

