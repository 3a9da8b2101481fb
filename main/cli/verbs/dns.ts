/**
 * bowline dns: the network's names, as the server configured them.
 */
import type { DnsConfig } from '../../engine/core/tailcfg/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const status: Verb = {
  name: 'status',
  summary: 'show how names are looked up',
  usage: '[--all]',
  help: '',
  json: '{"UseNames", "MagicDNS": {"Enabled", "Suffix", "Self"}, "Config": the server\'s DNS configuration or null}',
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
      printJson(terminal, { UseNames: prefs.CorpDNS, MagicDNS: { Enabled: enabled, Suffix: current.MagicDNSSuffix, Self: self }, Config: config })
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
  help: `TYPE is one of ${TYPES.join(', ')}; A without one.`,
  json: '{"Bytes": the answer as base64, "Resolvers"}, as the engine gives it',
  flags: {},
  async run({ api, args, terminal }: Context) {
    const [name, type = 'A', more] = args.words
    if (name === undefined || more !== undefined) throw usageError('dns query wants a name and perhaps a type: bowline dns query NAME AAAA')
    if (!TYPES.includes(type.toUpperCase())) throw usageError(`dns query knows the types ${TYPES.join(', ')}, not ${JSON.stringify(type)}.`)
    const answer = await lackingAs('This engine looks up no names for others yet. The names of devices: bowline ip DEVICE', () => api.request({ method: 'GET', path: `dns-query?name=${encodeURIComponent(name)}&type=${type.toUpperCase()}` }))
    printJson(terminal, answer)
    return EXIT.ok
  },
}

export const dns: Verb = {
  name: 'dns',
  group: 'Find out why',
  summary: 'show how names are looked up',
  usage: 'status | query NAME [TYPE]',
  help: '',
  subs: [status, query],
  flags: {},
}
