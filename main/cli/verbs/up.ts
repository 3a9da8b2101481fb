/**
 * bowline up and login: connect, signing in first where that is needed.
 *
 * Only what is mentioned changes; the official command refuses to leave out a changed setting, here it stays and is said so,
 * and --reset puts the rest back. `up` signs in when it must; `login` always does, as another account where one is signed in.
 */
import { readFileSync } from 'node:fs'
import type { LoginProfile, MaskedPrefs, Prefs, Status } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec, Parsed } from '../flags.ts'
import { problemText } from '../next-action.ts'
import { hintAfter } from '../offer-hint.ts'
import { inertNotes, PREF_FLAGS, prefFlagSpec, readPrefFlags, unusualFlags } from '../pref-flags.ts'
import type { Present } from '../pref-flags.ts'
import type { QrFormat } from '../qr.ts'
import { SignIn } from '../sign-in.ts'
import type { Outcome } from '../sign-in.ts'
import { printable, styled } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { nameOf } from './find-device.ts'
import { maskOf, statusFor } from './set.ts'

const FLAGS: FlagSpec = {
  'login-server': { kind: 'text', help: 'address of the server, such as https://headscale.example.com', value: 'URL' },
  'auth-key': { kind: 'text', help: 'sign in with this key instead of a browser; file:PATH reads it from a file, which keeps it out of the list of processes', value: 'KEY' },
  authkey: { kind: 'text', help: '', sameAs: 'auth-key' },
  qr: { kind: 'bool', help: 'show the link as a picture for a phone too' },
  'qr-format': { kind: 'choice', help: 'how that picture is drawn', choices: ['auto', 'small', 'large', 'ascii'], initial: 'auto' },
  timeout: { kind: 'duration', help: 'give up after this long; 0 = wait', initial: '0s' },
  'force-reauth': { kind: 'bool', help: 'sign in again, with a new key' },
  reset: { kind: 'bool', help: 'put every setting that is not mentioned back to its default' },
  ...prefFlagSpec('up'),
}

const JSON_SHAPE = 'one object {"BackendState", "AuthURL"} for a link that somebody has to open, and at the end {"BackendState", "Self", "TailscaleIPs", "MagicDNSSuffix", "Steps"}'

export const up: Verb = {
  name: 'up',
  group: 'Connect',
  summary: 'connect to a network, signing in if needed',
  usage: '[--login-server URL] [--auth-key KEY] [flags]',
  help:
    'Connects, and shows each step of signing in. The server is remembered: afterwards bowline up is enough. Settings that are not mentioned stay as they are (--reset puts them back).\n' +
    'Ctrl-C stops waiting; the engine goes on.',
  examples: [
    ['bowline up --login-server https://headscale.example.com', 'the first time: prints a link to open'],
    ['bowline up --login-server https://headscale.example.com --auth-key file:key.txt', 'with a key, for computers without a person'],
    ['bowline up', 'afterwards'],
  ],
  json: JSON_SHAPE,
  flags: FLAGS,
  run: (context) => connect(context, false),
}

export const login: Verb = {
  name: 'login',
  group: 'Connect',
  summary: 'sign in, to another server or account too',
  usage: '[--login-server URL] [--auth-key KEY] [flags]',
  help:
    'Signs in and connects. Where an account is signed in already, another one is added and used; the first one is kept (bowline switch).\n' +
    'A sign-in that has ended is renewed. To renew before it ends, keeping the account: bowline up --force-reauth',
  examples: [
    ['bowline login --login-server https://other.example.com', 'join another network'],
    ['bowline login --nickname work', 'another account, by a name for bowline switch'],
  ],
  json: JSON_SHAPE,
  flags: FLAGS,
  run: (context) => connect(context, true),
}

async function connect(context: Context, asLogin: boolean): Promise<ExitCode> {
  const { api, args, terminal } = context
  noWords(asLogin ? 'login' : 'up', args)
  const authKey = readAuthKey(args.text('auth-key'))
  let before = await statusFor(args.text('exit-node'), api)
  let current = await api.call('prefs')
  // What cannot be read is refused before anything changes.
  const server = prefsOf(args, { prefs: current, status: before }).ControlURL
  if (server === '') throw usageError('Which server? Give its address: bowline up --login-server https://headscale.example.com')
  if (!/^https?:\/\/[^/\s]/.test(server)) throw usageError(`--login-server wants an address such as https://headscale.example.com, not ${JSON.stringify(server)}.`)
  let left: LoginProfile | undefined
  const usedUp = before.BackendState === 'NeedsLogin' || before.Self.Expired === true
  const sameServer = current.ControlURL === server
  if (before.HaveNodeKey === true && current.ControlURL !== '' && !args.bool('force-reauth') && !(usedUp && sameServer)) {
    if (asLogin) {
      left = ((await api.call('profiles', { rest: 'current' })) as LoginProfile)
      await api.call('profiles', { method: 'PUT' })
      before = await statusFor(args.text('exit-node'), api)
      current = { ...(await api.call('prefs')), ControlURL: server }
    } else if (!sameServer && !usedUp) {
      throw usageError(`This device is signed in at ${current.ControlURL}. To add ${server}: bowline login --login-server ${server}   To leave the first one for it: add --force-reauth`)
    }
  }
  const wanted = prefsOf(args, { prefs: current, status: before })
  if (!context.json) for (const note of [...keptNote(args, current), ...inertNotes(args)]) terminal.err(`${note}\n`)
  try {
    return await signIn(context, { before, current, wanted, authKey, asLogin })
  } catch (error) {
    if (!left || !(error instanceof CliError)) throw error
    throw new CliError(error.exitCode, error.code, `${error.message} Back to the account before: bowline switch ${left.ID}`)
  }
}

interface Asked {
  readonly before: Status
  readonly current: Prefs
  readonly wanted: Partial<Prefs>
  readonly authKey: string
  readonly asLogin: boolean
}

async function signIn(context: Context, { before, current, wanted, authKey, asLogin }: Asked): Promise<ExitCode> {
  const { api, args, terminal } = context
  const again = args.bool('force-reauth') && before.HaveNodeKey === true
  const signedIn = before.HaveNodeKey === true && before.BackendState !== 'NeedsLogin' && before.Self.Expired !== true && current.ControlURL === wanted.ControlURL
  const following = new SignIn(context, {
    oldKey: again ? before.Self.PublicKey : undefined,
    quietAboutLink: authKey !== '',
    qr: args.bool('qr') ? qrFormat(args, terminal.columns) : undefined,
  })
  const timeoutMs = args.durationMs('timeout')
  const limit = AbortSignal.any([terminal.interrupted, ...(timeoutMs > 0 ? [AbortSignal.timeout(timeoutMs)] : [])])
  const how = await following.run(limit, async () => {
    if (signedIn && authKey === '' && !again && !asLogin) {
      await api.call('editPrefs', { body: editTo(wanted, current) })
      // Nothing may have had to change: then no news comes either.
      return (await api.call('status', { query: { peers: 'false' } })).BackendState === 'Running' ? 'done' : 'wait'
    }
    await api.call('start', { body: { UpdatePrefs: wanted, ...(authKey === '' ? {} : { AuthKey: authKey }) } })
    // A key is used once: asking again would use it twice.
    if (again || before.HaveNodeKey !== true || (!signedIn && authKey === '')) await api.call('loginInteractive')
    return 'wait'
  })
  if (how !== 'done') throw await lateFailure(context, how, following)
  return await report(context, following)
}

async function lateFailure({ api, terminal, args }: Context, how: Exclude<Outcome, 'done'>, following: SignIn): Promise<CliError> {
  if (how === 'closed') return new CliError(EXIT.noEngine, 'no-engine', 'The engine ended meanwhile. Start it again with: bowline daemon')
  const goesOn = 'The engine goes on trying: bowline status shows how far it is, bowline down ends it.'
  if (terminal.interrupted.aborted) return new CliError(EXIT.interrupted, 'interrupted', `Stopped waiting. ${goesOn}`)
  const { page } = following
  const problem = page?.Problem && page.Problem.Action.Kind !== 'sign-in-again' ? problemText(page.Problem, Date.now()) : undefined
  const now = await api.call('status', { query: { peers: 'false' } })
  const why = problem ?? (now.AuthURL !== '' ? 'Nobody has opened the page to sign in yet.' : (now.Health[0] ?? ''))
  return new CliError(EXIT.timeout, 'timeout', `Not connected within ${args.text('timeout')}. ${why === '' ? '' : `${why} `}${goesOn}`)
}

async function report({ api, args, json, terminal }: Context, following: SignIn): Promise<ExitCode> {
  const now = await api.call('status', { query: { peers: 'false' } })
  if (json) printJson(terminal, { BackendState: now.BackendState, Self: now.Self, TailscaleIPs: now.TailscaleIPs, MagicDNSSuffix: now.MagicDNSSuffix, Steps: following.page?.Steps ?? [] })
  else {
    terminal.out(`${connectedLine(now)}\n`)
    const hint = await hintAfter(args, api)
    if (hint !== undefined) terminal.err(`${hint}\n`)
  }
  return EXIT.ok
}

/** "Connected to NETWORK as NAME (addresses)". */
export function connectedLine(now: Status): string {
  return `${styled('strong', 'Connected')} to ${printable(now.MagicDNSSuffix || now.CurrentTailnet?.Name || 'the network')} as ${printable(nameOf(now.Self, now))} (${(now.TailscaleIPs ?? []).join(', ')})`
}

/** What stays from before although other settings were mentioned. */
function keptNote(args: Parsed, current: Prefs): string[] {
  const mentioned = args.given.filter((name) => PREF_FLAGS[name])
  if (mentioned.length === 0 || args.bool('reset')) return []
  const kept = unusualFlags(current).filter(({ name }) => !mentioned.includes(name) && PREF_FLAGS[name]!.only !== 'set' && name !== 'nickname')
  return kept.length === 0 ? [] : [`Kept from before: ${kept.map(({ flag }) => flag).join(' ')}   (--reset puts them back)`]
}

function qrFormat(args: Parsed, columns: number | undefined): QrFormat {
  const asked = args.text('qr-format')
  if (asked !== 'auto') return asked as QrFormat
  return columns === undefined || columns >= 40 ? 'small' : 'ascii'
}

function readAuthKey(text: string): string {
  if (!text.startsWith('file:')) return text
  const path = text.slice('file:'.length)
  let key: string
  try {
    key = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw usageError(`The auth key cannot be read from ${path}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'it may not be read'}.`)
  }
  if (key === '') throw usageError(`The auth key file ${path} is empty.`)
  return key
}

/** The prefs that the flags ask for, on top of the present ones or, with --reset, of fresh ones. Throws a usage error. */
export function prefsOf(args: Parsed, now: Present): Partial<Prefs> & Pick<Prefs, 'ControlURL'> {
  const { Config: _config, ...kept } = now.prefs
  const { ControlURL, ProfileName } = kept
  const fresh: Partial<Prefs> = { CorpDNS: true, NetfilterMode: 2, NoStatefulFiltering: true, AutoUpdate: { Check: true, Apply: null }, AppConnector: { Advertise: false }, ...(ProfileName === undefined ? {} : { ProfileName }) }
  const base = args.bool('reset') ? fresh : kept
  const changed = readPrefFlags(args, { ...now, prefs: { ...now.prefs, AdvertiseRoutes: null, ...base } })
  return { ...base, ...changed, ControlURL: args.has('login-server') ? args.text('login-server').replace(/\/+$/, '') : ControlURL, WantRunning: true, LoggedOut: false }
}

/** What has to change from `current` to `prefs`, as an edit: what `prefs` lack becomes empty. */
function editTo(prefs: Partial<Prefs>, current: Prefs): MaskedPrefs {
  const fields = [...new Set(Object.keys({ ...current, ...prefs }))].filter((field) => field !== 'Config') as (keyof Prefs)[]
  const differ = fields.filter((field) => field === 'WantRunning' || JSON.stringify(prefs[field] ?? null) !== JSON.stringify(current[field] ?? null))
  return maskOf(Object.fromEntries(differ.map((field) => [field, prefs[field]])))
}
