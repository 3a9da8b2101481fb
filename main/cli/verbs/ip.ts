/**
 * bowline ip: addresses of this device or another.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { findDevice } from './find-device.ts'

export const ip: Verb = {
  name: 'ip',
  group: 'Look',
  takes: 'device',
  examples: [['bowline ip -4', 'this device'], ['bowline ip desk', 'another one'], ['bowline ip --assert 100.64.0.7', 'fail unless it is this one']],
  json: '[address]',
  summary: 'show addresses of this device or another',
  usage: '[-4] [-6] [-1] [--assert ADDRESS] [DEVICE]',
  help: 'Prints the addresses that the network gave to this device, or to the one that is named, one a line.',
  flags: {
    '4': { kind: 'bool', help: 'only IPv4' },
    '6': { kind: 'bool', help: 'only IPv6' },
    '1': { kind: 'bool', help: 'only the first' },
    assert: { kind: 'text', help: 'print nothing, and fail unless this is one of them', value: 'ADDRESS' },
  },
  async run({ api, args, json, terminal }: Context) {
    if (args.words.length > 1) throw usageError('ip takes one device at most.')
    if (args.bool('4') && args.bool('6')) throw usageError('Give -4 or -6, not both.')
    const current = await api.call('status')
    const named = args.words[0]
    const device = named === undefined ? current.Self : findDevice(current, named)
    const all = device?.TailscaleIPs ?? []
    const v6 = (address: string): boolean => address.includes(':')
    let shown = all.filter((address) => (args.bool('4') ? !v6(address) : args.bool('6') ? v6(address) : true))
    if (args.bool('1')) shown = shown.slice(0, 1)
    if (shown.length === 0) {
      const why = all.length > 0 ? 'has no address of that family' : 'has no address: it is not on a network'
      throw new CliError(all.length > 0 ? EXIT.failed : EXIT.notConnected, 'no-address', `${named ?? 'This device'} ${why}.`)
    }
    const wanted = args.text('assert')
    if (wanted !== '' && !all.includes(canonicalIp(wanted) ?? wanted)) throw new CliError(EXIT.failed, 'other-address', `${named ?? 'This device'} has ${all.join(', ')}, not ${wanted}.`)
    if (json) printJson(terminal, shown)
    else if (wanted !== '') return EXIT.ok
    else terminal.out(`${shown.join('\n')}\n`)
    return EXIT.ok
  },
}
