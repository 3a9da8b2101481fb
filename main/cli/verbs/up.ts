/**
 * bowline up and login: connect, signing in first where that is needed.
 *
 * Only what is mentioned changes; --reset puts all the rest back. `login` always signs in; `up` does when it must.
 */
import { readFileSync } from 'node:fs'
import { STATE_NUMBER } from '../../localapi/types.ts'
import type { Notify, Prefs, Status } from '../../localapi/types.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec, Parsed } from '../flags.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { printable } from '../words.ts'
import { nameOf } from './status.ts'

const FLAGS: FlagSpec = {
  'login-server': { kind: 'text', help: 'address of the server, such as https://headscale.example.com', value: 'URL' },
  'auth-key': { kind: 'text', help: 'sign in with this key instead of a browser; file:PATH reads it from a file', value: 'KEY' },
  authkey: { kind: 'text', help: '', sameAs: 'auth-key' },
  hostname: { kind: 'text', help: 'name of this device on the network', value: 'NAME' },
  'accept-routes': { kind: 'bool', help: 'use networks behind other devices' },
  'accept-dns': { kind: 'bool', help: "use the network's names" },
  'shields-up': { kind: 'bool', help: 'let nothing in' },
  'exit-node': { kind: 'text', help: 'address of the device that all other traffic goes out of; empty for none', value: 'ADDRESS' },
  'exit-node-allow-lan-access': { kind: 'bool', help: 'reach the local network while an exit node is used' },
  'advertise-routes': { kind: 'text', help: 'networks behind this device, with commas', value: 'PREFIXES' },
  'advertise-exit-node': { kind: 'bool', help: 'offer this device as exit node' },
  'advertise-tags': { kind: 'text', help: 'tags to ask for, with commas', value: 'TAGS' },
  operator: { kind: 'text', help: 'user who may change the engine without being root', value: 'USER' },
  timeout: { kind: 'duration', help: 'give up after this long; 0 = wait', initial: '0s' },
  'force-reauth': { kind: 'bool', help: 'sign in again, with a new key' },
  reset: { kind: 'bool', help: 'put every setting that is not mentioned back to its default' },
}

export const up: Verb = {
  name: 'up',
  summary: 'connect to a network, signing in if needed',
  usage: '--login-server URL [--auth-key KEY] [flags]',
  help: 'First time:  bowline up --login-server https://headscale.example.com\nWith a key:  bowline up --login-server https://headscale.example.com --auth-key KEY\nAfterwards:  bowline up',
  flags: FLAGS,
  run: (context) => connect(context, false),
}

export const login: Verb = {
  name: 'login',
  summary: 'sign in to a network',
  usage: '--login-server URL [--auth-key KEY]',
  help: 'Signs in with a browser or a key and connects. Who is signed in already signs in anew, with a new key.',
  flags: FLAGS,
  run: (context) => connect(context, true),
}

async function connect(context: Context, always: boolean): Promise<ExitCode> {
  const { api, args, terminal } = context
  if (args.words.length > 0) throw usageError(`up takes flags only; what is ${JSON.stringify(args.words[0])}?`)
  const before = await api.call('status', { query: { peers: 'false' } })
  const current = await api.call('prefs')
  const authKey = readAuthKey(args.text('auth-key'))
  const wanted = prefsOf(args, current)
  if (wanted.ControlURL === '') throw usageError('Which server? Give its address: bowline up --login-server https://headscale.example.com')
  const again = args.bool('force-reauth') || (always && before.HaveNodeKey === true)
  const signedIn = before.HaveNodeKey === true && before.BackendState !== 'NeedsLogin' && current.ControlURL === wanted.ControlURL
  const wait = new Waiting(context, { oldKey: again ? before.Self.PublicKey : undefined, quietAboutUrl: authKey !== '' })
  const limit = AbortSignal.any([terminal.interrupted, ...(args.durationMs('timeout') > 0 ? [AbortSignal.timeout(args.durationMs('timeout'))] : [])])
  // Watched before anything is asked for, so that no news is missed.
  const over = new AbortController()
  const outcome = wait.run(AbortSignal.any([limit, over.signal]))
  const asked = (async (): Promise<'done' | 'wait'> => {
    await wait.ready
    if (signedIn && authKey === '' && !again) {
      await api.call('editPrefs', { body: maskOf(wanted, current) })
      // Nothing may have had to change: then no news comes either.
      return (await api.call('status', { query: { peers: 'false' } })).BackendState === 'Running' ? 'done' : 'wait'
    }
    await api.call('start', { body: { UpdatePrefs: wanted, ...(authKey === '' ? {} : { AuthKey: authKey }) } })
    if (again || before.HaveNodeKey !== true || before.BackendState === 'NeedsLogin') await api.call('loginInteractive')
    return 'wait'
  })()
  const how = await Promise.race([outcome, asked.then((how) => (how === 'done' ? how : outcome))]).finally(() => over.abort())
  if (how !== 'done') throw await lateFailure(context, how, limit)
  return await report(context)
}

async function lateFailure({ api, terminal, args }: Context, how: 'closed' | 'aborted', limit: AbortSignal): Promise<CliError> {
  if (how === 'closed') return new CliError(EXIT.noEngine, 'no-engine', 'The engine ended meanwhile.')
  if (terminal.interrupted.aborted || !limit.aborted) return new CliError(EXIT.failed, 'aborted', 'Stopped. The engine goes on trying; see: bowline status')
  const now = await api.call('status', { query: { peers: 'false' } })
  const why = now.Health.length > 0 ? ` ${now.Health[0]}` : now.AuthURL !== '' ? ` The page to sign in was not visited: ${now.AuthURL}` : ''
  return new CliError(EXIT.failed, 'timeout', `Not connected within ${args.text('timeout')}.${why} The engine goes on trying; see: bowline status`)
}

async function report({ api, json, terminal }: Context): Promise<ExitCode> {
  const now = await api.call('status', { query: { peers: 'false' } })
  if (json) printJson(terminal, { BackendState: now.BackendState, Self: now.Self, TailscaleIPs: now.TailscaleIPs, MagicDNSSuffix: now.MagicDNSSuffix })
  else terminal.out(`${connectedLine(now)}\n`)
  return EXIT.ok
}

function connectedLine(now: Status): string {
  return `Connected to ${printable(now.MagicDNSSuffix || now.CurrentTailnet?.Name || 'the network')} as ${printable(nameOf(now.Self, now))} (${(now.TailscaleIPs ?? []).join(', ')})`
}

/** Follows the bus until we are connected, telling what a person must know meanwhile. */
class Waiting {
  readonly #context: Context
  readonly #oldKey: string | undefined
  readonly #quietAboutUrl: boolean
  readonly ready: Promise<void>
  #setReady: () => void = () => {}
  #running = false
  #newKey: boolean
  #started = false
  readonly #said = new Set<string>()

  constructor(context: Context, options: { oldKey: string | undefined; quietAboutUrl: boolean }) {
    this.#context = context
    this.#oldKey = options.oldKey
    this.#quietAboutUrl = options.quietAboutUrl
    this.#newKey = options.oldKey === undefined
    this.ready = new Promise((resolve) => (this.#setReady = resolve))
  }

  async run(signal: AbortSignal): Promise<'done' | 'closed' | 'aborted'> {
    return await this.#context.api.watch(WATCH.initialState, (notify) => this.#take(notify), signal)
  }

  #take(notify: Notify): boolean {
    if (!this.#started) {
      // The first message is the state from before: only what follows counts, unless nothing had to change.
      this.#started = true
      this.#running = notify.State === STATE_NUMBER.Running
      this.#setReady()
      return false
    }
    if (notify.ErrMessage !== null) throw new CliError(EXIT.failed, 'sign-in-failed', `Sign-in failed: ${notify.ErrMessage}`)
    if (notify.BrowseToURL !== null && !this.#quietAboutUrl) this.#sayUrl(notify.BrowseToURL)
    for (const warning of Object.values(notify.Health?.Warnings ?? {})) {
      if (warning.WarnableCode === 'not-in-map-poll') this.#say(warning.Text)
    }
    if (notify.State === STATE_NUMBER.NeedsMachineAuth) this.#say('An administrator of the network has to approve this device. Waiting.')
    if (notify.State !== null) this.#running = notify.State === STATE_NUMBER.Running
    if (notify.SelfChange && notify.SelfChange.Key !== this.#oldKey) this.#newKey = true
    return this.#running && this.#newKey && (notify.State !== null || notify.Prefs !== null || notify.SelfChange !== undefined)
  }

  #sayUrl(url: string): void {
    if (this.#said.has(url)) return
    this.#said.add(url)
    const { json, terminal } = this.#context
    if (json) printJson(terminal, { BackendState: 'NeedsLogin', AuthURL: url })
    else terminal.err(`\nTo sign in, open this page:\n\n    ${printable(url)}\n\n`)
  }

  #say(text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.#context.terminal.err(`${printable(text)}\n`)
  }
}

function readAuthKey(text: string): string {
  if (!text.startsWith('file:')) return text
  const path = text.slice('file:'.length)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    throw usageError(`The auth key cannot be read from ${path}.`)
  }
}

/** The prefs that the flags ask for, on top of the present ones or, with --reset, of none. */
export function prefsOf(args: Parsed, current: Prefs): Partial<Prefs> & Pick<Prefs, 'ControlURL'> {
  const { Config: _config, ...kept } = current
  const base: Partial<Prefs> = args.bool('reset') ? { CorpDNS: true, NetfilterMode: 2, NoStatefulFiltering: true, AutoUpdate: { Check: true, Apply: null } } : kept
  const text = (flag: string, field: keyof Prefs): Partial<Prefs> => (args.has(flag) ? { [field]: args.text(flag) } : {})
  const bool = (flag: string, field: keyof Prefs): Partial<Prefs> => (args.has(flag) ? { [field]: args.bool(flag) } : {})
  return {
    ...base,
    ...text('hostname', 'Hostname'),
    ...bool('accept-routes', 'RouteAll'),
    ...bool('accept-dns', 'CorpDNS'),
    ...bool('shields-up', 'ShieldsUp'),
    ...(args.has('exit-node') ? { ExitNodeIP: args.text('exit-node'), ExitNodeID: '' } : {}),
    ...bool('exit-node-allow-lan-access', 'ExitNodeAllowLANAccess'),
    ...routesOf(args, base.AdvertiseRoutes ?? []),
    ...(args.has('advertise-tags') ? { AdvertiseTags: list(args.text('advertise-tags')).map((tag) => (tag.startsWith('tag:') ? tag : `tag:${tag}`)) } : {}),
    ...text('operator', 'OperatorUser'),
    ControlURL: args.has('login-server') ? args.text('login-server').replace(/\/+$/, '') : current.ControlURL,
    WantRunning: true,
    LoggedOut: false,
  }
}

const DEFAULT_ROUTES = ['0.0.0.0/0', '::/0']

function routesOf(args: Parsed, before: readonly string[]): Partial<Prefs> {
  if (!args.has('advertise-routes') && !args.has('advertise-exit-node')) return {}
  const subnets = args.has('advertise-routes') ? list(args.text('advertise-routes')) : before.filter((route) => !DEFAULT_ROUTES.includes(route))
  const offers = args.has('advertise-exit-node') ? args.bool('advertise-exit-node') : before.includes('0.0.0.0/0')
  return { AdvertiseRoutes: [...subnets, ...(offers ? DEFAULT_ROUTES : [])] }
}

function list(text: string): string[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== '')
}

/** The same prefs as an edit of every field: what they lack becomes empty. */
function maskOf(prefs: Partial<Prefs>, current: Prefs): Record<string, unknown> {
  const mask: Record<string, unknown> = { ...prefs }
  for (const field of Object.keys({ ...current, ...prefs })) mask[`${field}Set`] = field === 'AutoUpdate' ? { CheckSet: true, ApplySet: true } : true
  return mask
}
