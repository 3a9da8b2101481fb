/**
 * bowline whois: which device and person stand behind an address.
 */
import { canonicalIp, parseAddrPort } from '../../engine/base/ip.ts'
import type { WhoIsResponse } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { table } from '../text.ts'
import { findDevice } from './find-device.ts'

const isAddress = (text: string): boolean => canonicalIp(text) !== undefined || parseAddrPort(text) !== undefined || text.startsWith('nodekey:')

export const whois: Verb = {
  name: 'whois',
  group: 'Look',
  takes: 'device',
  examples: [['bowline whois 100.64.0.7', 'a device'], ['bowline whois --proto tcp 127.0.0.1:41234', 'who is behind a connection that a local service got']],
  json: "the official command's whois",
  summary: 'show which device and person an address belongs to',
  usage: '[--proto tcp|udp] ADDRESS[:PORT]|DEVICE',
  help: 'Takes an address of the network, or address and port of a connection that arrived here. For a connection that reached a local program from 127.0.0.1, give that source address and port.',
  flags: { proto: { kind: 'choice', help: 'of the connection', choices: ['tcp', 'udp'] } },
  async run(context: Context) {
    const { api, args } = context
    const given = args.words[0]
    if (given === undefined || args.words.length > 1) throw usageError('whois wants one address or device: bowline whois 100.64.0.2')
    const proto = args.text('proto')
    const addr = isAddress(given) ? given : (findDevice(await api.call('status'), given)?.TailscaleIPs?.[0] ?? given)
    const found = await api.call('whois', { query: { addr, ...(proto === '' ? {} : { proto }) } }).catch((error: unknown) => {
      if (error instanceof CliError && error.code === 'not-found') throw new CliError(EXIT.failed, 'not-found', `${addr} belongs to no device of this network.`)
      throw error
    })
    return tell(context, found)
  },
}

export const whoami: Verb = {
  name: 'whoami',
  group: 'Look',
  summary: 'show which device and person this one is',
  usage: '',
  help: '',
  json: "the official command's whois, of this device",
  flags: {},
  async run(context: Context) {
    const { api, args } = context
    noWords('whoami', args)
    const addr = (await api.call('status', { query: { peers: 'false' } })).TailscaleIPs?.[0]
    if (addr === undefined) throw new CliError(EXIT.notConnected, 'no-address', 'This device has no address: it is not on a network.')
    return tell(context, await api.call('whois', { query: { addr } }))
  },
}

function tell({ json, terminal }: Context, found: WhoIsResponse): ExitCode {
  if (json) {
    printJson(terminal, found)
    return EXIT.ok
  }
  const { Node: node, UserProfile: user } = found
  const tags = node.Tags ?? []
  const person = `${user.LoginName}${user.DisplayName !== '' && user.DisplayName !== user.LoginName ? ` (${user.DisplayName})` : ''}`
  const rows = [['device', node.Name.replace(/\.$/, '')], ['address', (node.Addresses ?? []).join(', ')], tags.length > 0 ? ['tags', tags.join(', ')] : ['person', person]]
  terminal.out(`${table([...rows, ...Object.keys(found.CapMap ?? {}).map((cap) => ['may', cap])])}\n`)
  return EXIT.ok
}
