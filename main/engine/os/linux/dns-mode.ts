/**
 * Who sets the names of a Linux system, from what there is to see. Pure.
 *
 *   resolv.conf asks resolved's stub, or nsswitch asks resolved before DNS, and it answers   systemd-resolved
 *   resolvconf writes it                                                                     resolvconf (Debian's) or openresolv
 *   NetworkManager writes it, and runs                                                       network-manager
 *   everything else                                                                          file
 *
 * What a file's comment claims is believed only when the program is there: files outlive their programs, images are copied.
 * NetworkManager takes no resolvers for devices that are not its own, so it is never asked to: it leaves a link of ours alone, and goes on
 * writing what it knows into a file of its own. Releases 1.26.0 to 1.26.5 with resolved let their own connections go before ours for names
 * that are not below one of our domains; nothing that is still cared for has them.
 */
import { ownerOf, parseResolvConf } from './resolv-conf.ts'

export type DnsMode = 'systemd-resolved' | 'network-manager' | 'resolvconf' | 'openresolv' | 'file'

export interface NamesSeen {
  /** Text of resolv.conf as it was before us; undefined: there is none, or a link to nothing. */
  readonly text: string | undefined
  /** Absolute, when it is a link. */
  readonly link: string | undefined
  /** Text of nsswitch.conf. */
  readonly nsswitch: string | undefined
  /** resolved answers on the system's bus. */
  readonly resolved: boolean
  /** NetworkManager answers there, and what it says of how it writes resolv.conf; '' where it does not say. */
  readonly networkManager: { readonly mode: string; readonly rcManager: string } | undefined
  /** Whose program resolvconf is; 'systemd': resolved's own under another name. */
  readonly resolvconf: 'debian' | 'openresolv' | 'systemd' | undefined
}

/** The way, and one sentence why. */
export function dnsMode(seen: NamesSeen): { readonly mode: DnsMode; readonly why: string } {
  const owner = seen.text === undefined ? '' : ownerOf(seen.text)
  const link = seen.link ?? ''
  const byResolved = resolvedAnswers(seen)
  if (byResolved !== undefined) return { mode: 'systemd-resolved', why: byResolved }
  const byResolvconf = resolvconfWrites(seen, owner)
  if (byResolvconf) return byResolvconf
  if (seen.networkManager && (owner === 'NetworkManager' || inFolder(link, '/run/NetworkManager'))) {
    const { mode, rcManager } = seen.networkManager
    if (mode === 'none' || rcManager === 'unmanaged') return { mode: 'file', why: 'NetworkManager wrote resolv.conf once and is told to leave it alone' }
    return { mode: 'network-manager', why: `NetworkManager writes resolv.conf${rcManager === '' ? '' : ` (${rcManager})`}` }
  }
  return { mode: 'file', why: fileWhy(seen, owner) }
}

/** Why names go to resolved; undefined: they do not, or it does not answer. */
function resolvedAnswers({ text, link, nsswitch, resolved }: NamesSeen): string | undefined {
  if (!resolved) return undefined
  const servers = text === undefined ? [] : parseResolvConf(text).servers
  if (servers.length > 0 && servers.every(isStub)) return "resolv.conf asks systemd-resolved's own server alone"
  const claims = text === undefined ? inFolder(link ?? '', '/run/systemd/resolve') : ['systemd-resolved', 'NetworkManager'].includes(ownerOf(text))
  if (claims && asksResolvedFirst(nsswitch)) return 'nsswitch.conf has systemd-resolved asked before DNS'
  return undefined
}

function resolvconfWrites({ link, resolvconf }: NamesSeen, owner: string): { mode: DnsMode; why: string } | undefined {
  const linked = inFolder(link ?? '', '/run/resolvconf') || inFolder(link ?? '', '/etc/resolvconf/run')
  // Debian's writes nothing but the file that resolv.conf should be a link to.
  if (resolvconf === 'debian' && linked) return { mode: 'resolvconf', why: 'resolv.conf is a link to the file of resolvconf' }
  if (resolvconf === 'openresolv' && (owner === 'resolvconf' || linked)) return { mode: 'openresolv', why: 'openresolv writes resolv.conf' }
  return undefined
}

function fileWhy({ text, link, resolved }: NamesSeen, owner: string): string {
  if (text === undefined) return link === undefined ? 'there is no resolv.conf' : 'resolv.conf is a link to nothing'
  if (owner === 'systemd-resolved') return resolved ? 'resolv.conf names others beside systemd-resolved, and programs ask those' : 'systemd-resolved wrote resolv.conf, but does not answer'
  if (owner === 'resolvconf') return 'resolvconf wrote resolv.conf, but does not keep it'
  if (owner === 'NetworkManager') return 'NetworkManager wrote resolv.conf, but does not answer'
  if (owner === 'tailscaled') return 'tailscaled wrote resolv.conf and left it behind'
  return owner === '' ? 'nobody says that resolv.conf is theirs' : `${owner} writes resolv.conf`
}

/** Addresses at which resolved answers on this machine. */
export const isStub = (ip: string): boolean => ip === '127.0.0.53' || ip === '127.0.0.54'

function asksResolvedFirst(nsswitch: string | undefined): boolean {
  for (const line of (nsswitch ?? '').split('\n')) {
    const [database, ...sources] = line.trim().split(/\s+/)
    if (database !== 'hosts:') continue
    const [resolve, dns] = [sources.indexOf('resolve'), sources.indexOf('dns')]
    return resolve >= 0 && (dns < 0 || resolve < dns)
  }
  return false
}

const inFolder = (path: string, folder: string): boolean => path.startsWith(`${folder}/`) || path.startsWith(`/var${folder}/`)
