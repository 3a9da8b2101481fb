/**
 * bowline switch: another account of those that are signed in here.
 */
import type { LoginProfile, StateName } from '../../localapi/types.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { didYouMean } from '../nearest.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { connectedLine } from './up.ts'

const list: Verb = {
  name: 'list',
  summary: 'show the accounts; the one in use has a star',
  usage: '',
  help: '',
  json: '[{"id", "nickname", "tailnet", "account", "server", "selected"}]',
  flags: {},
  async run(context: Context) {
    noWords('switch list', context.args)
    return await showList(context)
  },
}

const remove: Verb = {
  name: 'remove',
  summary: 'forget an account here; the server is not asked',
  usage: 'ACCOUNT',
  help: 'Takes the account, its key and its settings off this computer. The device stays in the list of the server until it is signed out or removed there: to sign out, switch to the account and use bowline logout.',
  takes: 'profile',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const name = oneWord(args.words, 'bowline switch remove ACCOUNT')
    const { all } = await profiles(api)
    const profile = find(all, name)
    await api.call('profiles', { method: 'DELETE', rest: encodeURIComponent(profile.ID) })
    if (json) printJson(terminal, { removed: profile.ID })
    else terminal.out(`Forgotten here: ${titleOf(profile)}.\n`)
    return EXIT.ok
  },
}

export const switchTo: Verb = {
  name: 'switch',
  group: 'Connect',
  summary: 'use another account of those signed in here',
  usage: 'ACCOUNT | list | remove ACCOUNT',
  help: 'An account is named by its ID, its nickname (bowline set --nickname), its network or its person, as bowline switch list shows them. Every account has settings and a key of its own. Another one is added with bowline login.',
  examples: [['bowline switch list', 'the accounts'], ['bowline switch work', 'by nickname']],
  json: '{"id", "BackendState"}',
  takes: 'profile',
  subs: [list, remove],
  flags: {
    list: { kind: 'bool', help: 'show the accounts' },
    timeout: { kind: 'duration', help: 'how long to wait until it is connected; 0 = do not wait', initial: '20s' },
  },
  async run(context: Context) {
    const { api, args, json, terminal } = context
    if (args.bool('list')) return await showList(context)
    const name = oneWord(args.words, 'bowline switch ACCOUNT, or bowline switch list')
    const { all, current } = await profiles(api)
    const profile = find(all, name)
    if (profile.ID === current.ID && !json) terminal.out(`${titleOf(profile)} is in use already.\n`)
    if (profile.ID !== current.ID) await api.call('profiles', { method: 'POST', rest: encodeURIComponent(profile.ID) })
    const state = await settled(context)
    if (json) printJson(terminal, { id: profile.ID, BackendState: state })
    return await tell(context, profile, state, profile.ID !== current.ID)
  },
}

async function tell({ api, args, json, terminal }: Context, profile: LoginProfile, state: StateName, switched: boolean): Promise<ExitCode> {
  const say = (text: string): void => void (json || terminal.out(`${text}\n`))
  switch (state) {
    case 'Running':
      say(connectedLine(await api.call('status', { query: { peers: 'false' } })))
      return EXIT.ok
    case 'Stopped':
      say(`${switched ? 'Switched to' : 'In use:'} ${titleOf(profile)}. It is disconnected; connect with: bowline up`)
      return EXIT.ok
    case 'NeedsLogin':
      say(`${switched ? 'Switched to' : 'In use:'} ${titleOf(profile)}. Its sign-in has ended; sign in again with: bowline login`)
      return EXIT.signIn
    case 'InUseOtherUser':
    case 'NeedsMachineAuth':
    case 'NoState':
    case 'Starting':
      if (args.durationMs('timeout') === 0) return EXIT.ok
      throw new CliError(EXIT.timeout, 'timeout', `Switched to ${titleOf(profile)}, but not connected within ${args.text('timeout')}. The engine goes on trying; see: bowline status`)
  }
}

/** Waits until the engine is at rest, or the time is over. */
async function settled({ api, args, terminal }: Context): Promise<StateName> {
  const now = async (): Promise<StateName> => (await api.call('status', { query: { peers: 'false' } })).BackendState
  const atRest = (state: StateName): boolean => state === 'Running' || state === 'Stopped' || state === 'NeedsLogin'
  const timeoutMs = args.durationMs('timeout')
  let state = await now()
  if (atRest(state) || timeoutMs === 0) return state
  const limit = AbortSignal.any([terminal.interrupted, AbortSignal.timeout(timeoutMs)])
  await api.watch(WATCH.initialState, (notify) => notify.State !== null && (notify.State === 2 || notify.State === 4 || notify.State === 6), limit)
  state = await now()
  return state
}

async function showList(context: Context): Promise<ExitCode> {
  const { api, json, terminal } = context
  const { all, current } = await profiles(api)
  if (json) {
    printJson(terminal, all.map((profile) => ({ id: profile.ID, nickname: profile.Name, tailnet: tailnetOf(profile), account: profile.UserProfile.LoginName, server: profile.ControlURL, selected: profile.ID === current.ID })))
    return EXIT.ok
  }
  if (all.length === 0) terminal.out('No account is signed in here. Sign in with: bowline login --login-server URL\n')
  else {
    const rows = all.map((profile) => [profile.ID === current.ID ? '*' : ' ', profile.ID, profile.Name, tailnetOf(profile), profile.UserProfile.LoginName, profile.ControlURL])
    terminal.out(`${table([['', 'ID', 'Nickname', 'Network', 'Person', 'Server'].map((word) => styled('faint', word)), ...rows])}\n`)
  }
  return EXIT.ok
}

async function profiles(api: Context['api']): Promise<{ all: readonly LoginProfile[]; current: LoginProfile }> {
  const all = (await api.call('profiles')) as readonly LoginProfile[] | null
  const current = (await api.call('profiles', { rest: 'current' })) as LoginProfile
  return { all: all ?? [], current }
}

const tailnetOf = (profile: LoginProfile): string => profile.NetworkProfile?.DisplayName || profile.NetworkProfile?.DomainName || profile.NetworkProfile?.MagicDNSName || ''
const titleOf = (profile: LoginProfile): string => printable(`${profile.Name || profile.UserProfile.LoginName || profile.ID} (${profile.ControlURL})`)

/** The one account that is meant; an ID wins over names. Throws CliError when none or several fit. */
export function find(all: readonly LoginProfile[], name: string): LoginProfile {
  const byId = all.find((profile) => profile.ID === name)
  if (byId) return byId
  const wanted = name.toLowerCase()
  const names = (profile: LoginProfile): string[] => [profile.Name, profile.UserProfile.LoginName, tailnetOf(profile), profile.NetworkProfile?.DomainName ?? '', profile.ControlURL].map((text) => text.toLowerCase())
  const fits = all.filter((profile) => names(profile).includes(wanted))
  if (fits.length === 1) return fits[0]!
  if (fits.length > 1) throw new CliError(EXIT.failed, 'ambiguous', `Several accounts are called ${JSON.stringify(name)}. Use the ID: ${fits.map((profile) => profile.ID).join(', ')}`)
  const near = didYouMean(name, all.flatMap((profile) => [profile.ID, ...names(profile)]).filter((text) => text !== ''), printable)
  throw new CliError(EXIT.failed, 'no-such-account', `No account is called ${JSON.stringify(name)}.${near} See: bowline switch list`)
}

function oneWord(words: readonly string[], usage: string): string {
  if (words.length !== 1 || words[0] === '') throw usageError(`Which account? ${usage}`)
  return words[0]!
}
