/**
 * Texts of resolv.conf: what one says, whose it is, and ours.
 *
 *   nameserver ADDRESS      search NAME…  (domain NAME)      options WORD…      # or ; in front: a comment
 *
 * A file is read as Latin-1, so that every byte of it is one character and nothing is lost; only `resolvConfText` makes one.
 * The C library of most systems reads three servers, and of search lists six domains in 256 characters.
 */
import { canonicalIp } from '../../base/ip.ts'

export interface ResolvConf {
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** Programs that say in a comment that the file is theirs; '' when none does. */
export type ResolvOwner = 'bowline' | 'tailscaled' | 'systemd-resolved' | 'NetworkManager' | 'resolvconf' | 'netconfig' | 'dhcpcd' | 'dhclient' | 'connman' | 'WSL' | ''

/** What every file of ours has in its first line. */
export const OUR_MARK = '# Written by Bowline'

const MAX_READ = 64 << 10
const MAX_SERVERS = 8
const MAX_SEARCH = 6
const MAX_SEARCH_CHARS = 256
const MAX_OPTIONS = 16
/** An owner says so at the top. */
const MAX_COMMENTS = 40

/** Where the engine answers names, and so nobody of the computer's own. */
export const OUR_SERVERS: readonly string[] = ['100.100.100.100', 'fd7a:115c:a1e0::53']

/** What a text says, in canonical addresses and lower-case names; whatever cannot be read is left out. */
export function parseResolvConf(text: string): ResolvConf {
  const servers = new Set<string>()
  let search: readonly string[] = []
  const options = new Set<string>()
  for (const line of text.slice(0, MAX_READ).split(/\r?\n/)) {
    const [word, ...values] = line.trim().split(/[ \t]+/)
    if (word === 'nameserver') {
      const ip = canonicalIp(values[0] ?? '')
      if (ip !== undefined && servers.size < MAX_SERVERS) servers.add(ip)
    } else if (word === 'search' || word === 'domain') search = values
    else if (word === 'options') for (const value of values) if (/^[a-z][\w:-]{0,30}$/i.test(value) && options.size < MAX_OPTIONS) options.add(value)
  }
  return { servers: [...servers], search: searchList(search), options: [...options] }
}

/** Domains in the form and number in which every system reads them, without repeats. */
export function searchList(domains: readonly string[]): readonly string[] {
  const list: string[] = []
  let chars = 0
  for (const domain of domains.map((one) => one.replace(/\.$/, '').toLowerCase())) {
    if (domain.length > 253 || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain) || list.includes(domain)) continue
    chars += domain.length + 1
    if (list.length === MAX_SEARCH || chars > MAX_SEARCH_CHARS) break
    list.push(domain)
  }
  return list
}

/** Who says, in the comments above the first setting, that a file is theirs. */
export function ownerOf(text: string): ResolvOwner {
  let owner: ResolvOwner = ''
  let comments = 0
  for (const line of text.slice(0, MAX_READ).split(/\r?\n/)) {
    const trimmed = line.trim()
    if (trimmed === '') continue
    if (!/^[#;]/.test(trimmed) || ++comments > MAX_COMMENTS) break
    if (line.startsWith(OUR_MARK)) return 'bowline'
    const found = OWNERS.find(([pattern]) => pattern.test(trimmed))
    if (found) owner = found[1]
    if (owner === 'tailscaled') return owner
  }
  return owner
}

const OWNERS: readonly (readonly [RegExp, ResolvOwner])[] = [
  [/tailscale/i, 'tailscaled'],
  [/systemd-resolved/, 'systemd-resolved'],
  [/NetworkManager/, 'NetworkManager'],
  [/resolvconf/, 'resolvconf'],
  [/netconfig/, 'netconfig'],
  [/dhcpcd/, 'dhcpcd'],
  [/dhclient/, 'dhclient'],
  [/Connection Manager|connman/i, 'connman'],
  [/\bWSL\b/, 'WSL'],
]

/** A file of ours. `note` is one more comment: what becomes of it. */
export function resolvConfText(want: ResolvConf, note: string): string {
  const lines = [
    `${OUR_MARK}: names of this computer are answered by it while it is connected.`,
    `# ${note}`,
    '# "bowline daemon --cleanup" puts it back if Bowline itself cannot.',
    ...want.servers.map((server) => `nameserver ${server}`),
  ]
  const search = searchList(want.search)
  if (search.length > 0) lines.push(`search ${search.join(' ')}`)
  if (want.options.length > 0) lines.push(`options ${want.options.join(' ')}`)
  return `${lines.join('\n')}\n`
}

/** The same without ourselves, who are nobody's own resolver. */
export function withoutUs({ servers, search, options }: ResolvConf, alsoNot: readonly string[] = []): ResolvConf {
  const us = new Set([...OUR_SERVERS, ...alsoNot])
  return { servers: servers.filter((server) => !us.has(server)), search, options }
}
