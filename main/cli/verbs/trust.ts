/**
 * bowline trust: certificates of a server with an authority of its own.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { errorText } from '../../engine/base/errors.ts'
import type { TrustedCertificate } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec, Parsed } from '../flags.ts'
import { printable } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'

const MAX_FILE_BYTES = 1024 * 1024

const FLAGS: FlagSpec = { 'login-server': { kind: 'text', help: 'the server that is meant, when it is not the one in use', value: 'URL' } }

const list: Verb = {
  name: 'list',
  summary: 'show what was added for the server',
  usage: '[--login-server URL]',
  help: '',
  json: '{"Server", "Certificates": [{"Subject", "Issuer", "Fingerprint", "NotBefore", "NotAfter", "IsAuthority", "PEM"}]}',
  flags: FLAGS,
  run: showList,
}

const add: Verb = {
  name: 'add',
  summary: 'trust the certificates in a file for the server',
  usage: 'FILE | --fingerprint SHA256 [--login-server URL]',
  help: "FILE is PEM or DER: the authority's certificate, or the server's own. It is trusted for this server and the relays of its network, and for nothing else.\nWithout a file, a certificate that the server shows can be taken by its fingerprint, as its owner tells it to you: bowline trust list shows what the server shows. Never take the fingerprint from that list alone.",
  examples: [['bowline trust add home-ca.crt --login-server https://hs.home.lan', 'before the first sign-in']],
  json: '{"Server", "Certificates": […]}: those that are new',
  takes: 'file',
  flags: { ...FLAGS, fingerprint: { kind: 'text', help: 'take the certificate with this fingerprint from what the server shows', value: 'SHA256' } },
  async run(context: Context) {
    const { api, args, json, terminal } = context
    const PEM = args.has('fingerprint') ? await shownPem(context) : readPem(oneWord(args, 'add FILE'))
    const page = await api.call('addTrust', { query: serverOf(args), body: { PEM } })
    if (json) printJson(terminal, page)
    else if (page.Certificates.length === 0) terminal.out(`Already trusted for ${printable(page.Server)}.\n`)
    else terminal.out(`Trusted from now on for ${printable(page.Server)} and its relays:\n\n${page.Certificates.map(lines).join('\n\n')}\n`)
    return EXIT.ok
  },
}

const remove: Verb = {
  name: 'remove',
  summary: 'no longer trust a certificate that was added',
  usage: 'FINGERPRINT [--login-server URL]',
  help: 'The first 8 digits of the fingerprint will do.',
  json: 'the certificate',
  flags: FLAGS,
  async run({ api, args, json, terminal }: Context) {
    const gone = await api.call('removeTrust', { query: { ...serverOf(args), fingerprint: oneWord(args, 'remove FINGERPRINT') } })
    if (json) printJson(terminal, gone)
    else terminal.out(`No longer trusted: ${printable(gone.Subject)}\n`)
    return EXIT.ok
  },
}

export const trust: Verb = {
  name: 'trust',
  group: 'Connect',
  summary: 'trust the certificate of your own server',
  usage: 'list | add FILE | remove FINGERPRINT',
  help: 'For a server whose certificate comes from an authority of your own (a private CA), or is self-signed. Everything else about a certificate (its name, its dates) is checked all the same; there is no way to turn that off.',
  subs: [list, add, remove],
  flags: FLAGS,
  run: showList,
}

async function showList({ api, args, json, terminal }: Context): Promise<ExitCode> {
  if (args.words.length > 0) throw usageError(`trust wants list, add FILE or remove FINGERPRINT, not ${JSON.stringify(args.words[0])}.`)
  const page = await api.call('trust', { query: serverOf(args) })
  if (json) printJson(terminal, page)
  else {
    if (page.Certificates.length === 0) terminal.out(`Nothing was added for ${printable(page.Server)}: the authorities that this computer trusts are the only ones.\n`)
    else terminal.out(`${page.Certificates.map(lines).join('\n\n')}\n`)
    if (page.Shown) terminal.out(`\nThe server shows these, and is refused:\n\n${page.Shown.map(lines).join('\n\n')}\n`)
  }
  return EXIT.ok
}

/** Of what the server shows, the certificate with the given fingerprint. */
async function shownPem({ api, args }: Context): Promise<string> {
  if (args.words.length > 0) throw usageError('Give a file or --fingerprint, not both.')
  const plain = (text: string): string => text.replace(/^sha-?256[:=]/i, '').replace(/[:\s]/g, '').toUpperCase()
  const wanted = plain(args.text('fingerprint'))
  if (!/^[0-9A-F]{64}$/.test(wanted)) throw usageError('--fingerprint wants a whole SHA-256 fingerprint: 64 digits, with or without colons.')
  const { Server, Shown = [] } = await api.call('trust', { query: serverOf(args) })
  const found = Shown.find(({ Fingerprint }) => plain(Fingerprint) === wanted)
  if (found) return found.PEM
  const why = Shown.length === 0 ? 'has not shown a certificate that was refused' : 'shows no certificate with this fingerprint'
  throw new CliError(EXIT.failed, 'not-shown', `${Server} ${why}. Try to connect first (bowline up), or give the certificate as a file.`)
}

function serverOf(args: Parsed): Record<string, string> {
  return args.text('login-server') === '' ? {} : { server: args.text('login-server') }
}

function oneWord(args: Parsed, form: string): string {
  const [word, ...more] = args.words
  if (word === undefined || more.length > 0) throw usageError(`Give one word: bowline trust ${form}`)
  return word
}

function lines({ Subject, Issuer, Fingerprint, NotAfter, IsAuthority }: TrustedCertificate): string {
  const all = [
    `${Subject}${IsAuthority ? '' : ' (a single server)'}`,
    ...(Issuer === Subject ? [] : [`  issued by  ${Issuer}`]),
    `  good until ${NotAfter.slice(0, 10)}`,
    `  SHA-256    ${Fingerprint}`,
  ]
  return all.map(printable).join('\n')
}

/** A file's certificates as PEM. */
function readPem(path: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new CliError(EXIT.failed, 'no-file', `${path} cannot be read: ${errorText(error)}`)
  }
  if (bytes.length > MAX_FILE_BYTES) throw new CliError(EXIT.failed, 'bad-file', `${path} is too large for a certificate.`)
  // A key in the same file stays where it is.
  const certificates = bytes.toString('utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (certificates) return `${certificates.join('\n')}\n`
  try {
    return new X509Certificate(bytes).toString()
  } catch {
    throw new CliError(EXIT.failed, 'bad-file', `${path} holds no certificate, neither as PEM nor as DER.`)
  }
}
