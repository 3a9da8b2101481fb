/**
 * bowline dns: how names are resolved here, and who answers one.
 */
import type { DnsConfig } from '../../engine/core/tailcfg/types.ts'
import type { DnsPage } from '../../localapi/dns-page.ts'
import type { Prefs, Status } from '../../localapi/types.ts'
import { attemptsText, lookupJson, wayWords } from '../dns-words.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { printable, styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const status: Verb = {
  name: 'status',
  summary: 'show how names are looked up: who is asked for what, and by which way',
  usage: '[--all]',
  help: '',
  json: "the official command's dns status without the system's part, with the whole page as Resolution",
  flags: { all: { kind: 'bool', help: 'show addresses looked up backwards, certificate names, extra records and counters too' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('dns status', args)
    const [prefs, current, page] = await Promise.all([api.call('prefs'), api.call('status', { query: { peers: 'false' } }), lackingAs('This engine does not say how it looks names up.', () => api.call('dnsPage'))])
    const config = await api.call('dnsConfig').catch((error: unknown) => {
      // Without a map there is none.
      if (error instanceof CliError && error.exitCode === EXIT.failed) return null
      throw error
    })
    if (json) {
      printJson(terminal, { ...jsonOf(prefs, current, config), Resolution: page })
      return EXIT.ok
    }
    const all = args.bool('all')
    const facts = [
      ['Network names', prefs.CorpDNS ? 'in use' : 'not in use (bowline set --accept-dns)'],
      ...(config ? [['MagicDNS', page.MagicDNS ? `on, names end in ${page.Suffix}` : prefs.CorpDNS ? 'off at the server' : 'not in use'], ['This device', page.SelfName || '-']] : []),
      ['Search', page.Search.join(', ') || '-'],
      ["System's names", page.System],
    ]
    terminal.out(`${table([...facts, ...routeFacts(page, all), ...(all ? configFacts(config) : [])])}\n`)
    for (const note of page.Notes) terminal.out(`${styled('warning', printable(note))}\n`)
    if (!config) terminal.err('The server told no configuration: this device is not connected.\n')
    return EXIT.ok
  },
}

/** A line for each suffix, the rest last; those of addresses only where all is wanted. */
function routeFacts({ Routes, Counters }: DnsPage, all: boolean): string[][] {
  const shown = Routes.filter(({ Suffix }) => all || !Suffix.endsWith('.arpa'))
  return [
    ...shown.flatMap(({ Suffix, Resolvers, Why }) => {
      const title = Suffix === '' ? 'All other names' : `Names in ${Suffix}`
      if (Resolvers.length === 0) return [[title, Suffix === '' ? `asked of nobody (${Why})` : `answered here (${Why})`]]
      return Resolvers.map((one, i) => [i === 0 ? title : '', one.Addr === '' ? (one.Refused ?? Why) : `${one.Addr} ${one.Refused === undefined ? wayWords(one) : `not asked: ${one.Refused}`}`])
    }),
    ...(all ? Object.entries(Counters).filter(([, count]) => count > 0).map(([name, count]) => [name, String(count)]) : []),
  ]
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

function configFacts(config: DnsConfig | null): string[][] {
  if (!config) return []
  const addresses = (resolvers: readonly { readonly Addr?: string }[] | null | undefined): string => (resolvers ?? []).map((each) => each.Addr ?? '').join(', ')
  return [
    ['Fallback resolvers', addresses(config.FallbackResolvers) || '-'],
    ['Certificate names', (config.CertDomains ?? []).join(', ') || '-'],
    ...(config.ExtraRecords ?? []).map((record) => [`Record ${record.Name ?? ''}`, `${record.Type || 'A'} ${record.Value ?? ''}`]),
  ]
}

const TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'HTTPS', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT']

const query: Verb = {
  name: 'query',
  summary: 'look a name up, and say who answered, by which way and in what time',
  usage: 'NAME [TYPE]',
  help: `TYPE is one of ${TYPES.join(', ')}; A without one, PTR for an address. Asks everybody who may know, waits for them a moment, and marks
the one whose answer counts. Ends with 1 when there is no such name, or nobody answered.`,
  examples: [['bowline dns query desk.example.com AAAA', 'the IPv6 address of a device'], ['bowline dns query 100.64.0.7', 'the device that has an address']],
  json: "the official command's dns query, with Full, Why, FromCache, Attempts and Notes",
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    const [name, given, more] = args.words
    if (name === undefined || more !== undefined) throw usageError('dns query wants a name and perhaps a type: bowline dns query NAME AAAA')
    const type = (given ?? (/^[\d.]+$|:/.test(name) ? 'PTR' : 'A')).toUpperCase()
    if (!TYPES.includes(type)) throw usageError(`dns query knows the types ${TYPES.join(', ')}, not ${JSON.stringify(given)}.`)
    const page = await lackingAs('This engine looks up no names.', () => api.call('dnsLookup', { query: { name, type } }))
    const isFound = page.Rcode === 'NOERROR'
    if (json) {
      printJson(terminal, lookupJson(page))
      return isFound ? EXIT.ok : EXIT.failed
    }
    if (page.Answers.length > 0) terminal.out(`${table(page.Answers.map((row) => [row.Name, row.Type, row.Data, styled('faint', `for ${row.TTL} s`)]))}\n\n`)
    else if (isFound) terminal.out(`${printable(page.Full)} has no ${type}.\n\n`)
    if (page.Attempts.length > 0) terminal.out(`${attemptsText(page.Attempts)}\n`)
    terminal.out(`${styled('faint', printable(page.Why))}\n`)
    for (const note of page.Notes) terminal.out(`${styled('warning', printable(note))}\n`)
    if (!isFound) throw new CliError(EXIT.failed, 'no-answer', `${FAILURES[page.Rcode] ?? page.Rcode}: ${printable(page.Full)} ${type}.`)
    return EXIT.ok
  },
}

const FAILURES: Readonly<Record<string, string>> = { NXDOMAIN: 'There is no such name', SERVFAIL: 'Nobody knew', REFUSED: 'The resolver refused to say' }

export const dns: Verb = {
  name: 'dns',
  group: 'Find out why',
  summary: 'show how names are looked up, and who answers them',
  usage: 'status | query NAME [TYPE]',
  help: '',
  subs: [status, query],
  flags: {},
}
