/**
 * Names of macOS, before → after, as files and one script for scutil. Never run here: golden-tested alone.
 *
 *   names below a domain     /etc/resolver/DOMAIN with "nameserver …", read by the system's resolver at once
 *   search domains           /etc/resolver/search.bowline with "search …"
 *   every name               State:/Network/Service/GUID/DNS in the dynamic store, for the empty domain
 *
 * Files of ours begin with one line, by which they are known after a death; files of others are never touched: a domain that somebody
 * else has a file for stays theirs, and that is said. What is in the dynamic store is gone with a restart, and is taken away by its name.
 *
 * Sources: resolver(5), scutil(8); Apple's SystemConfiguration keys ServerAddresses, SearchDomains, SupplementalMatchDomains.
 */
import type { MachineDns } from '../../core/plan/machine.ts'
import { canonicalIp, SERVICE_IPS } from '../../base/ip.ts'

export const RESOLVER_FOLDER = '/etc/resolver'
export const OURS = '# Made by Bowline\n'
const SEARCH_FILE = 'search.bowline'
/** Fixed, so that an engine that died is cleaned up after without a note. */
const SERVICE = 'State:/Network/Service/8E1F34B1-6A0B-4C25-9D35-2B0A7E5D10C4/DNS'
/** No path, no hidden file: a name of the server's becomes a file's name. */
const DOMAIN = /^(?!.*\.\.)[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?$/
const MAX_FILES = 1000

/** Files below /etc/resolver by name; all else of ours there goes. */
export function macResolverFiles(want: MachineDns | undefined): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  if (!want) return files
  const search = want.searchDomains.filter(isPlainDomain)
  if (search.length > 0) files.set(SEARCH_FILE, `${OURS}search ${search.join(' ')}\n`)
  if (want.all) return files
  const text = `${OURS}${want.servers.map((ip) => `nameserver ${ip}\n`).join('')}`
  for (const domain of want.matchDomains.filter(isPlainDomain).slice(0, MAX_FILES)) files.set(domain, text)
  return files
}

/** Script for scutil; undefined: nothing is to be done. */
export function macStoreScript(before: MachineDns | undefined, after: MachineDns | undefined): string | undefined {
  if (after?.all === true) {
    const search = after.searchDomains.filter(isPlainDomain)
    const lines = ['open', 'd.init', `d.add ServerAddresses * ${after.servers.join(' ')}`, ...(search.length === 0 ? [] : [`d.add SearchDomains * ${search.join(' ')}`]), 'd.add SupplementalMatchDomains * ""', `set ${SERVICE}`, 'close']
    return `${lines.join('\n')}\n`
  }
  return before?.all === true ? macStoreRemoval : undefined
}

/** What takes it away, also when it is not there. */
export const macStoreRemoval = `open\nremove ${SERVICE}\nclose\n`

/** Whether the answer to `show` of our entry has it. */
export const macStoreQuery = `show ${SERVICE}\n`
export const macStoreHas = (said: string): boolean => said.includes('ServerAddresses')

export function isPlainDomain(domain: string): boolean {
  return DOMAIN.test(domain)
}

/**
 * The computer's own resolvers and search domains by what `scutil --dns` says: those of interfaces, which stay there whatever has the
 * names, and where it tells none those of the first resolver. We are not among them.
 */
export function readScutilDns(text: string): { readonly servers: readonly string[]; readonly search: readonly string[] } {
  const [general = '', scoped = ''] = text.split('DNS configuration (for scoped queries)')
  const found = resolversOf(scoped).filter(({ servers }) => servers.length > 0)
  const all = found.length > 0 ? found : resolversOf(general).filter(({ domain, servers }) => domain === undefined && servers.length > 0).slice(0, 1)
  const first = resolversOf(general)[0]
  return { servers: [...new Set(all.flatMap(({ servers }) => servers))], search: [...new Set([...all.flatMap(({ search }) => search), ...(first?.search ?? [])])].filter(isPlainDomain) }
}

interface ScutilResolver {
  readonly domain: string | undefined
  readonly servers: readonly string[]
  readonly search: readonly string[]
}

function resolversOf(text: string): readonly ScutilResolver[] {
  return text.split(/^resolver #\d+$/m).slice(1, 200).map((part): ScutilResolver => {
    const values = (key: string): string[] => [...part.matchAll(new RegExp(`^\\s*${key}\\s*:\\s*(\\S+)`, 'gm'))].map((match) => match[1]!)
    const servers = values('nameserver\\[\\d+\\]').flatMap((one) => canonicalIp(one) ?? [])
    return { domain: values('domain')[0], servers: servers.filter((ip) => !SERVICE_IPS.includes(ip)), search: values('search domain\\[\\d+\\]').map((one) => one.toLowerCase()) }
  })
}

