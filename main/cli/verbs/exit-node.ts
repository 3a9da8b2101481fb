/**
 * bowline exit-node: devices that all other traffic can go out of.
 */
import type { PeerStatus, Status } from '../../localapi/types.ts'
import { CliError, EXIT } from '../exit.ts'
import { styled, table } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { nameOf } from './find-device.ts'

/** Where a provider's exit node stands; Headscale's have none. */
interface Place {
  readonly Country?: string
  readonly City?: string
}
const placeOf = (peer: PeerStatus): Place => (peer as PeerStatus & { Location?: Place }).Location ?? {}

const list: Verb = {
  name: 'list',
  summary: 'show the devices that offer themselves as exit node',
  usage: '[--filter COUNTRY]',
  help: 'The one in use has a star. Use one with: bowline set --exit-node=NAME',
  json: '[{"name", "ip", "online", "used", "country", "city"}]',
  flags: { filter: { kind: 'text', help: 'only those in this country', value: 'COUNTRY' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('exit-node list', args)
    const current = await api.call('status')
    const wanted = args.text('filter').toLowerCase()
    const found = offers(current).filter((peer) => wanted === '' || placeOf(peer).Country?.toLowerCase() === wanted)
    if (json) {
      printJson(terminal, found.map((peer) => ({ name: nameOf(peer, current), ip: peer.TailscaleIPs?.[0] ?? '', online: peer.Online, used: peer.ExitNode, country: placeOf(peer).Country ?? '', city: placeOf(peer).City ?? '' })))
      return EXIT.ok
    }
    if (found.length === 0) {
      terminal.out(wanted === '' ? 'No device of this network offers itself as exit node.\n' : `No exit node is in ${JSON.stringify(args.text('filter'))}.\n`)
      return EXIT.ok
    }
    const rows = found.map((peer) => [peer.ExitNode ? '*' : ' ', nameOf(peer, current), peer.TailscaleIPs?.[0] ?? '-', placeOf(peer).Country ?? '-', placeOf(peer).City ?? '-', peer.Online ? 'online' : 'offline'])
    terminal.out(`${table([['', 'Device', 'Address', 'Country', 'City', 'Server says'].map((word) => styled('faint', word)), ...rows])}\n`)
    return EXIT.ok
  },
}

const suggest: Verb = {
  name: 'suggest',
  summary: 'name the exit node that fits best',
  usage: '',
  help: '',
  json: '{"ID", "Name"}',
  flags: {},
  async run({ api, args, json, terminal }: Context) {
    noWords('exit-node suggest', args)
    const { ID, Name } = await api.call('suggestExitNode')
    if (json) printJson(terminal, { ID, Name })
    else if (ID === '') throw new CliError(EXIT.failed, 'no-exit-node', 'There is no exit node to suggest: none is offered and online.')
    else {
      const name = Name.replace(/\.$/, '')
      terminal.out(`${name}\nUse it with: bowline set --exit-node=${name.split('.')[0]!}\n`)
    }
    return EXIT.ok
  },
}

export const exitNode: Verb = {
  name: 'exit-node',
  group: 'Use the network',
  summary: 'show or suggest devices that other traffic can go out of',
  usage: 'list | suggest',
  help: '',
  subs: [list, suggest],
  flags: {},
}

const offers = (current: Status): PeerStatus[] => Object.values(current.Peer ?? {}).filter((peer) => peer.ExitNodeOption).toSorted((a, b) => (a.DNSName < b.DNSName ? -1 : 1))
