/**
 * bowline dns: the network's names, as the server configured them.
 */
import type { DnsConfig } from '../../engine/core/tailcfg/types.ts'
import type { Prefs, Status } from '../../localapi/types.ts'
import { readDnsAnswer } from '../dns-answer.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const status: Verb = {
  name: 'status',
  summary: 'show how names are looked up',
  usage: '[--all]',
  help: '',
  json: "the official command's dns status, without the system's part",
  flags: { all: { kind: 'bool', help: 'show addresses looked up backwards, certificate names and extra records too' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('dns status', args)
    const [prefs, current] = await Promise.all([api.call('prefs'), api.call('status', { query: { peers: 'false' } })])
    const config = await api.call('dnsConfig').catch((error: unknown) => {
      // Without a map there is none.
      if (error instanceof CliError && error.exitCode === EXIT.failed) return null
      throw error
    })
    const enabled = current.CurrentTailnet?.MagicDNSEnabled === true
    const self = current.Self.DNSName.replace(/\.$/, '')
    if (json) {
      printJson(terminal, jsonOf(prefs, current, config))
      return EXIT.ok
    }
    const facts = [
      ['Network names', prefs.CorpDNS ? 'in use' : 'not in use (bowline set --accept-dns)'],
      ...(config ? [['MagicDNS', enabled ? `on, names end in ${current.MagicDNSSuffix}` : 'off at the server'], ['This device', self || '-']] : []),
      ["System's names", 'untouched: names of the network work in the proxies and for bowline itself'],
    ]
    terminal.out(`${table([...facts, ...configFacts(config, args.bool('all'))])}\n`)
    if (!config) terminal.err('The server told no configuration: this device is not connected.\n')
    return EXIT.ok
  },
}

function jsonOf(prefs: Prefs, current: Status, config: DnsConfig | null): Record<string, unknown> {
  const tailnet = current.CurrentTailnet
  return {
    TailscaleDNS: prefs.CorpDNS,
    ...(tailnet ? { CurrentTailnet: { MagicDNSEnabled: tailnet.MagicDNSEnabled, MagicDNSSuffix: tailnet.MagicDNSSuffix, SelfDNSName: current.Self.DNSName } } : {}),
    ...(config?.Resolvers?.length ? { Resolvers: config.Resolvers } : {}),
    SplitDNSRoutes: config?.Routes ?? {},
    ...(config?.FallbackResolvers?.length ? { FallbackResolvers: config.FallbackResolvers } : {}),
    SearchDomains: config?.Domains ?? [],
    ...(config?.CertDomains?.length ? { CertDomains: config.CertDomains } : {}),
    ...(config?.ExtraRecords?.length ? { ExtraRecords: config.ExtraRecords } : {}),
  }
}

function configFacts(config: DnsConfig | null, all: boolean): string[][] {
  if (!config) return []
  const addresses = (resolvers: readonly { readonly Addr?: string }[] | null | undefined): string => (resolvers ?? []).map((each) => each.Addr ?? '').join(', ')
  const routes = Object.entries(config.Routes ?? {})
  const rows = [
    ['Resolvers', addresses(config.Resolvers) || "the system's own"],
    ['Search', (config.Domains ?? []).join(', ') || '-'],
    ...routes.filter(([suffix]) => all || !suffix.endsWith('.arpa')).map(([suffix, resolvers]) => [`Names in ${suffix}`, addresses(resolvers) || 'answered here']),
  ]
  if (!all) return rows
  return [
    ...rows,
    ['Fallback resolvers', addresses(config.FallbackResolvers) || '-'],
    ['Certificate names', (config.CertDomains ?? []).join(', ') || '-'],
    ...(config.ExtraRecords ?? []).map((record) => [`Record ${record.Name ?? ''}`, `${record.Type || 'A'} ${record.Value ?? ''}`]),
  ]
}

const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT']

const query: Verb = {
  name: 'query',
  summary: 'look a name up the way the network would',
  usage: 'NAME [TYPE]',
  help: `TYPE is one of ${TYPES.join(', ')}; A without one. Ends with 1 when there is no such name, or nobody answered.`,
  examples: [['bowline dns query desk.example.com AAAA', 'the IPv6 address of a device']],
  json: "the official command's dns query",
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const [name, given = 'A', more] = args.words
    if (name === undefined || more !== undefined) throw usageError('dns query wants a name and perhaps a type: bowline dns query NAME AAAA')
    const type = given.toUpperCase()
    if (!TYPES.includes(type)) throw usageError(`dns query knows the types ${TYPES.join(', ')}, not ${JSON.stringify(given)}.`)
    const answer = await readDnsAnswer(name, type, await lackingAs('This engine looks up no names.', () => api.call('dnsQuery', { query: { name, type } })))
    const rows = answer.Answers ?? []
    const asked = (answer.Resolvers ?? []).map((resolver) => resolver.Addr ?? '').join(', ')
    const who = asked === '' ? 'answered here' : `asked ${asked}`
    if (json) printJson(terminal, answer)
    else if (rows.length > 0) terminal.out(`${table(rows.map((row) => [row.Name.replace(/\.$/, ''), row.Type.slice('Type'.length), row.Body, styled('faint', `for ${row.TTL} s, ${who}`)]))}\n`)
    else if (answer.ResponseCode === 'RCodeSuccess') terminal.out(`${printable(name)} has no ${type} (${who}).\n`)
    else throw new CliError(EXIT.failed, 'no-answer', `${FAILURES[answer.ResponseCode] ?? answer.ResponseCode}: ${printable(name)} ${type} (${who}).`)
    return answer.ResponseCode === 'RCodeSuccess' ? EXIT.ok : EXIT.failed
  },
}

const FAILURES: Readonly<Record<string, string>> = { RCodeNameError: 'There is no such name', RCodeServerFailure: 'No resolver knew', RCodeRefused: 'The resolver refused to say' }

export const dns: Verb = {
  name: 'dns',
  group: 'Find out why',
  summary: 'show how names are looked up',
  usage: 'status | query NAME [TYPE]',
  help: '',
  subs: [status, query],
  flags: {},
}
