/**
 * bowline join: joins a network by a join link, after showing what it would trust and set; and, for admins, makes such links.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate, createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fromBase64Url } from '../../engine/base/bytes.ts'
import { ed25519Public } from '../../engine/base/crypto.ts'
import { errorText } from '../../engine/base/errors.ts'
import { fingerprintOf, makeLink } from '../../engine/core/join/link.ts'
import type { JoinSettings } from '../../engine/core/join/link-types.ts'
import type { JoinLinkPage, PreflightPage } from '../../localapi/preflight.ts'
import type { LoginProfile } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { parseFlags, type FlagSpec, type Parsed } from '../flags.ts'
import { printable, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { canJoin, describe, lookAt } from './preflight.ts'
import { login } from './up.ts'

const DAY_MS = 86_400_000

const MAKE_FLAGS: FlagSpec = {
  server: { kind: 'text', help: 'address of the server, such as https://headscale.example.com', value: 'URL' },
  org: { kind: 'text', help: 'name of your organisation', value: 'NAME' },
  contact: { kind: 'text', help: 'where people ask for help', value: 'TEXT' },
  'sign-in': { kind: 'text', help: 'host of the page where people sign in', value: 'HOST' },
  certificate: { kind: 'text', help: 'certificate of your own authority, or of the server: the link names its key', value: 'FILE', takes: 'file' },
  routes: { kind: 'bool', help: 'use networks behind devices' },
  names: { kind: 'bool', help: 'use names of the network' },
  shields: { kind: 'bool', help: 'let no connections in from other devices' },
  'exit-node': { kind: 'text', help: 'none, auto, or the address of a device', value: 'WHICH' },
  days: { kind: 'number', help: 'how long the link is good', initial: '14', max: 3650 },
  page: { kind: 'text', help: 'a page of yours that offers the app; the link is then that page with the rest behind #', value: 'URL' },
  'key-file': { kind: 'text', help: 'the Ed25519 key that signs (PEM); made when it is not there', value: 'FILE', takes: 'file' },
}

const make: Verb = {
  name: 'make',
  summary: 'make a join link, for admins',
  usage: '--server URL --org NAME --key-file FILE [flags]',
  help:
    'The link is signed with the key of --key-file. People see its fingerprint: tell it to them by another way, and sign later links with the same key.\n' +
    'A link holds no secret and lets nobody in by itself: everybody signs in at the server.',
  examples: [['bowline join make --server https://hs.example.com --org "Fjord Labs" --contact it@example.com --key-file join.key', 'good for 14 days']],
  json: '{"Link", "Fingerprint", "Until"}',
  flags: MAKE_FLAGS,
  run: async ({ args, json, terminal }) => {
    noWords('join make', args)
    for (const name of ['server', 'org', 'key-file']) if (args.text(name) === '') throw usageError(`join make wants --${name}. See: bowline join make --help`)
    const seed = keyOf(args.text('key-file'))
    const nowMs = Date.now()
    const untilMs = Math.floor(nowMs / 1000) * 1000 + args.number('days') * DAY_MS
    const content = {
      server: args.text('server').replace(/\/+$/, ''), org: args.text('org'), contact: args.text('contact'), signIn: args.text('sign-in'),
      pins: args.text('certificate') === '' ? [] : pinsOf(args.text('certificate')), settings: settingsOf(args), untilMs,
    }
    const made = makeLink(content, seed, nowMs, ...(args.text('page') === '' ? [] : [args.text('page').replace(/#.*$/, '')]))
    if (made.kind === 'refused') throw new CliError(EXIT.failed, `link-${made.code}`, `That makes no join link (${made.code}${made.detail === '' ? '' : `: ${made.detail}`}).`)
    const fingerprint = fingerprintOf(ed25519Public(seed))
    if (json) printJson(terminal, { Link: made.text, Fingerprint: fingerprint, Until: new Date(untilMs).toISOString() })
    else {
      terminal.out(`${made.text}\n`)
      terminal.err(`Signed with the key ${fingerprint}\nGood until ${new Date(untilMs).toISOString().slice(0, 10)}.\n`)
    }
    return EXIT.ok
  },
}

export const join: Verb = {
  name: 'join',
  group: 'Connect',
  summary: 'join a network by a join link',
  usage: 'LINK [--yes] | make …',
  help:
    'Shows who made the link, what it would have trusted and set, and whether this computer is ready; asks, and then signs in as bowline login does.\n' +
    "A link's signature says that one key made all of it, not whose key that is: compare the fingerprint with what your admin tells you.",
  subs: [make],
  json: 'as bowline login, after {"Link", "Steps"} of what was looked at',
  flags: {
    yes: { kind: 'bool', help: 'join without asking' },
    ...Object.fromEntries(['auth-key', 'qr', 'qr-format', 'timeout', 'hostname', 'nickname'].flatMap((name) => (login.flags[name] ? [[name, login.flags[name]]] : []))),
  },
  run: joinBy,
}

async function joinBy(context: Context): Promise<ExitCode> {
  const { api, args, json, terminal } = context
  const [link, ...more] = args.words
  if (link === undefined || more.length > 0) throw usageError('Give one link: bowline join LINK')
  const page = await lookAt(context, link)
  if (!page.Link) throw usageError('That is no join link. To sign in at a server: bowline login --login-server URL')
  if (json) printJson(terminal, { Link: page.Link, Steps: page.Steps })
  else terminal.err(`${aboutLink(page.Link)}\n\n${describe(page, terminal.columns)}\n`)
  if (!canJoin(page)) throw new CliError(EXIT.failed, 'not-ready', `${printable(page.Server)} cannot be joined from here yet.`)
  if (!args.bool('yes') && !(await agreed(context, page))) throw new CliError(EXIT.failed, 'refused', 'Not joined; nothing was changed.')
  const before = await api.call('status', { query: { peers: 'false' } })
  await joinAnew(api, page.Run, before.HaveNodeKey === true)
  const given = args.given.filter((name) => name !== 'yes' && name !== 'json' && name !== 'socket').map((name) => `--${name}=${args.text(name)}`)
  return await login.run!({ ...context, args: parseFlags([`--login-server=${page.Server}`, ...given], login.flags, 'login') })
}

/** Joins as a new account where one is signed in; when that is refused, the one that was in use is so again. */
async function joinAnew(api: Context['api'], Run: PreflightPage['Run'], signedIn: boolean): Promise<void> {
  if (!signedIn) return void (await api.call('join', { body: { Run } }))
  const { ID } = (await api.call('profiles', { rest: 'current' })) as LoginProfile
  await api.call('profiles', { method: 'PUT' })
  try {
    await api.call('join', { body: { Run } })
  } catch (error) {
    await api.call('profiles', { method: 'POST', rest: encodeURIComponent(ID) })
    throw error
  }
}

async function agreed({ terminal }: Context, page: PreflightPage): Promise<boolean> {
  if (!terminal.ask) throw usageError('Nobody can be asked here. To join all the same: bowline join LINK --yes')
  return /^y(es)?$/i.test((await terminal.ask(`Join ${printable(page.Server)}? [y/N] `)).trim())
}

const SIGNED = {
  new: 'by a key that this computer sees for the first time',
  known: 'by the key that this computer has joined with before',
  'other-key': 'by ANOTHER key than the one that this computer has joined with before',
} as const

/** Who made the link, and what it asks for. */
export function aboutLink({ Server, Org, Contact, SignIn, Pins, Settings, Until, SignedBy }: JoinLinkPage): string {
  const rows: [string, string][] = [
    ['Invites you', `${Org} (that is how the link calls itself)`],
    ['Signed', `${SIGNED[SignedBy.Known]}: ${SignedBy.Fingerprint}`],
    ['Good until', Until.slice(0, 16).replace('T', ' ')],
    ['Joins', Server],
    ...(SignIn === '' ? [] : [['Sign in at', SignIn] as [string, string]]),
    ['Trusts', Pins.length === 0 ? 'nothing new' : 'a certificate that it names, for this server alone'],
    ['Sets', settingWords(Settings)],
    ...(Contact === '' ? [] : [['Help', Contact] as [string, string]]),
  ]
  return table(rows.map(([name, said]) => [name, printable(said)]))
}

function settingWords({ routes, names, exitNode, shields }: JoinSettings): string {
  const onOff = (what: string, value: boolean | undefined): string[] => (value === undefined ? [] : [`${what} ${value ? 'on' : 'off'}`])
  const said = [...onOff('networks behind devices', routes), ...onOff('names', names), ...onOff('shields', shields), ...(exitNode === undefined ? [] : [`exit node ${exitNode}`])]
  return said.length === 0 ? 'nothing' : said.join(', ')
}

function settingsOf(args: Parsed): JoinSettings {
  return {
    ...(args.has('routes') ? { routes: args.bool('routes') } : {}), ...(args.has('names') ? { names: args.bool('names') } : {}),
    ...(args.has('shields') ? { shields: args.bool('shields') } : {}), ...(args.has('exit-node') ? { exitNode: args.text('exit-node') } : {}),
  }
}

/** The 32 B seed of the key file, which is made when it is not there. */
function keyOf(path: string): Uint8Array {
  let pem: string
  try {
    pem = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new CliError(EXIT.failed, 'no-file', `${path} cannot be read: ${errorText(error)}`)
    pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    writeFileSync(path, pem, { mode: 0o600, flag: 'wx' })
  }
  try {
    const { crv, d } = createPrivateKey(pem).export({ format: 'jwk' })
    const seed = crv === 'Ed25519' && d !== undefined ? fromBase64Url(d) : undefined
    if (seed) return seed
  } catch {
    // Told below, without what is in the file.
  }
  throw new CliError(EXIT.failed, 'bad-file', `${path} holds no Ed25519 key in PEM.`)
}

function pinsOf(path: string): string[] {
  try {
    const key = new X509Certificate(readFileSync(path)).publicKey.export({ type: 'spki', format: 'der' })
    return [createHash('sha256').update(key).digest('hex')]
  } catch (error) {
    throw new CliError(EXIT.failed, 'bad-file', `${path} holds no certificate: ${errorText(error)}`)
  }
}
