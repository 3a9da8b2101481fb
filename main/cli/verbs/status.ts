/**
 * bowline status: are we connected, who is there, and which way packets go.
 */
import type { PathsPage, PeerStatus, Status } from '../../localapi/types.ts'
import { EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { pathWords, printable, STATE_WORDS, table } from '../words.ts'

export const status: Verb = {
  name: 'status',
  summary: 'show the connection and the devices of the network',
  usage: '[--active] [--json]',
  help: 'Shows whether this device is connected, and a line for each device: name, address, owner, system, and which way packets go to it.\nEnds with 0 when connected, 5 when not; with --json always with 0.',
  flags: {
    active: { kind: 'bool', help: 'only devices with traffic' },
    peers: { kind: 'bool', help: 'list the other devices', initial: 'true' },
  },
  async run({ api, args, json, terminal }: Context) {
    const current = await api.call('status', { query: { peers: String(args.bool('peers')) } })
    if (json) {
      printJson(terminal, current)
      return EXIT.ok
    }
    const paths = await api.call('paths').catch(() => ({ paths: [] }))
    terminal.out(statusText(current, paths, args.bool('active')))
    return current.BackendState === 'Running' ? EXIT.ok : EXIT.notConnected
  },
}

/** The whole text for a person. */
export function statusText(current: Status, paths: PathsPage, activeOnly: boolean): string {
  const lines = [headline(current)]
  if (current.BackendState === 'Running' || current.BackendState === 'Starting') {
    const byPeer = new Map(paths.paths.map((path) => [path.peer, path]))
    const peers = Object.values(current.Peer ?? {})
      .filter((peer) => !activeOnly || peer.Active)
      .toSorted((a, b) => (a.DNSName < b.DNSName ? -1 : 1))
    if (peers.length > 0) lines.push('', table(peers.map((peer) => row(peer, current, pathWords(peer, byPeer.get(peer.PublicKey))))))
    else lines.push('', activeOnly ? 'No device has traffic.' : 'No other device is on this network yet.')
  }
  // Stopped on purpose is no problem, and there is no other to tell then.
  if (current.Health.length > 0 && current.BackendState !== 'Stopped') lines.push('', ...current.Health.map((text) => `! ${printable(text)}`))
  return `${lines.join('\n')}\n`
}

function headline(current: Status): string {
  const word = STATE_WORDS[current.BackendState]
  const self = `${printable(nameOf(current.Self, current))} (${(current.TailscaleIPs ?? []).join(', ')})`
  switch (current.BackendState) {
    case 'Running':
      return `${word} to ${printable(current.MagicDNSSuffix || current.CurrentTailnet?.Name || 'the network')} as ${self}`
    case 'NeedsLogin':
      return current.AuthURL !== '' ? `Waiting for your browser. Open: ${printable(current.AuthURL)}` : `${word}. Sign in with: bowline up --login-server URL`
    case 'Stopped':
      return `${word}. Connect with: bowline up`
    case 'NeedsMachineAuth':
      return `${word}: an administrator of the network has to approve this device.`
    case 'NoState':
    case 'Starting':
    case 'InUseOtherUser':
      return word
  }
}

function row(peer: PeerStatus, current: Status, path: string): string[] {
  const owner = peer.Tags && peer.Tags.length > 0 ? peer.Tags.join(',') : (current.User?.[String(peer.UserID)]?.LoginName ?? '-')
  const exit = peer.ExitNode ? '; exit node' : peer.ExitNodeOption ? '; offers exit node' : ''
  return [nameOf(peer, current), peer.TailscaleIPs?.[0] ?? '-', owner, peer.OS || '-', `${path}${exit}`]
}

/** Short name: without the network's suffix. */
export function nameOf(peer: PeerStatus, current: Status): string {
  const full = peer.DNSName.replace(/\.$/, '')
  const suffix = current.MagicDNSSuffix
  if (full === '') return peer.HostName
  return suffix !== '' && full.endsWith(`.${suffix}`) ? full.slice(0, -suffix.length - 1) : full
}
