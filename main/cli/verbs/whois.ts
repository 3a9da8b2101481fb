/**
 * bowline whois: which device and person stand behind an address.
 */
import { canonicalIp, parseAddrPort } from '../../engine/base/ip.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { printable } from '../words.ts'
import { findDevice } from './find-device.ts'

const isAddress = (text: string): boolean => canonicalIp(text) !== undefined || parseAddrPort(text) !== undefined || text.startsWith('nodekey:')

export const whois: Verb = {
  name: 'whois',
  summary: 'show which device and person an address belongs to',
  usage: '[--proto tcp|udp] ADDRESS[:PORT]|DEVICE',
  help: 'Takes an address of the network, or address and port of a connection that arrived here. For a connection that reached a\nlocal program from 127.0.0.1, give that source address and port.',
  flags: { proto: { kind: 'text', help: 'tcp or udp', value: 'PROTO' } },
  async run({ api, args, json, terminal }: Context) {
    const given = args.words[0]
    if (given === undefined || args.words.length > 1) throw usageError('whois wants one address or device: bowline whois 100.64.0.2')
    const proto = args.text('proto')
    const addr = isAddress(given) ? given : (findDevice(await api.call('status'), given)?.TailscaleIPs?.[0] ?? given)
    const found = await api.call('whois', { query: { addr, ...(proto === '' ? {} : { proto }) } }).catch((error: unknown) => {
      if (error instanceof CliError && error.code === 'not-found') throw new CliError(EXIT.failed, 'not-found', `${addr} belongs to no device of this network.`)
      throw error
    })
    if (json) {
      printJson(terminal, found)
      return EXIT.ok
    }
    const { Node: node, UserProfile: user } = found
    const lines = [`device   ${printable(node.Name.replace(/\.$/, ''))}`, `address  ${(node.Addresses ?? []).join(', ')}`]
    if (node.Tags && node.Tags.length > 0) lines.push(`tags     ${node.Tags.map(printable).join(', ')}`)
    else lines.push(`person   ${printable(user.LoginName)}${user.DisplayName !== '' && user.DisplayName !== user.LoginName ? ` (${printable(user.DisplayName)})` : ''}`)
    for (const cap of Object.keys(found.CapMap ?? {})) lines.push(`may      ${printable(cap)}`)
    terminal.out(`${lines.join('\n')}\n`)
    return EXIT.ok
  },
}
