/**
 * What systemd-resolved is told of our device, and what it tells of the others. Pure.
 *
 *   domains of a link: a search domain routes too; with `isRoute` alone it only routes; "." is everything
 *   a name goes to the links with the longest domain that it is below, to all of them when they are equally long, and else to the links
 *   that have the default route for names
 *
 * So while nobody else may answer, the domains of other links are ours as well: those links still are asked, and the firewall lets nothing
 * of that out; but ours answers.
 */
import { canonicalIp, formatIp, parseIp } from '../../base/ip.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import { isStub } from './dns-mode.ts'
import { OUR_SERVERS, searchList } from './resolv-conf.ts'
import type { OwnNames } from './dns-ports.ts'

const AF_INET = 2
const AF_INET6 = 10
/** Older releases take no more of a link. */
const MAX_DOMAINS = 256

export interface LinkDomain {
  readonly domain: string
  readonly isRoute: boolean
}

export interface LinkPlan {
  /** Family and bytes of each server. */
  readonly servers: readonly (readonly [number, Uint8Array])[]
  readonly domains: readonly LinkDomain[]
  readonly isDefault: boolean
}

/** A server or domain of one link; 0: of the system as a whole. */
export interface LinkServer {
  readonly link: number
  readonly ip: string
}
export type DomainOfLink = LinkDomain & { readonly link: number }

/** What our link gets; `others`: domains of the other links. */
export function linkPlan(want: MachineDns, others: readonly string[]): LinkPlan {
  const domains = new Map<string, LinkDomain>()
  const add = (domain: string, isRoute: boolean): void => {
    if (!domains.has(domain)) domains.set(domain, { domain, isRoute })
  }
  for (const domain of want.searchDomains) add(domain, false)
  for (const domain of want.matchDomains) add(domain, true)
  if (want.exclusive) for (const domain of others) add(domain, true)
  const all = want.all || want.exclusive
  if (all) add('.', true)
  return {
    servers: want.servers.flatMap((ip) => {
      const bytes = parseIp(ip)
      return bytes ? [[bytes.length === 4 ? AF_INET : AF_INET6, bytes] as const] : []
    }),
    ...fitting([...domains.values()], all),
  }
}

/** Too many domains for a link: every name is asked of us, and we know which are for others. */
function fitting(domains: readonly LinkDomain[], all: boolean): Pick<LinkPlan, 'domains' | 'isDefault'> {
  if (domains.length <= MAX_DOMAINS) return { domains, isDefault: all }
  return { domains: [...domains.filter(({ isRoute }) => !isRoute).slice(0, MAX_DOMAINS - 1), { domain: '.', isRoute: true }], isDefault: true }
}

/** Reads a(iiay) as the manager's DNS property has it; whatever is not of that form is left out. */
export function serversOf(value: unknown): readonly LinkServer[] {
  return rowsOf(value).flatMap(([link, , address]) => {
    if (typeof link !== 'number' || !(address instanceof Uint8Array) || (address.length !== 4 && address.length !== 16)) return []
    const ip = canonicalIp(formatIp(Uint8Array.from(address)))
    return ip === undefined ? [] : [{ link, ip }]
  })
}

/** Reads a(isb) as the manager's Domains property has it. */
export function domainsOf(value: unknown): readonly DomainOfLink[] {
  return rowsOf(value).flatMap(([link, domain, isRoute]) => {
    if (typeof link !== 'number' || typeof domain !== 'string' || typeof isRoute !== 'boolean' || domain.length > 254) return []
    const name = domain === '.' ? '.' : domain.replace(/\.$/, '').toLowerCase()
    return name === '.' || searchList([name]).length === 1 ? [{ link, domain: name, isRoute }] : []
  })
}

/** The computer's own, of all links but ours; links that never are asked for everything do not count while there are others. */
export function ownOfLinks(servers: readonly LinkServer[], domains: readonly DomainOfLink[], fallback: readonly LinkServer[], ours: number, noDefault: ReadonlySet<number>): OwnNames {
  // An address of a link alone says nothing without its link, and none of our questions can be sent there.
  const usable = servers.filter(({ link, ip }) => link !== ours && !OUR_SERVERS.includes(ip) && !isStub(ip) && !ip.startsWith('fe80:'))
  const general = usable.filter(({ link }) => !noDefault.has(link))
  const chosen = [general, usable, fallback].find((list) => list.length > 0) ?? []
  const search = domains.filter(({ link, isRoute, domain }) => link !== ours && !isRoute && domain !== '.').map(({ domain }) => domain)
  return { servers: [...new Set(chosen.map(({ ip }) => ip))].slice(0, 8), search: searchList(search) }
}

const rowsOf = (value: unknown): readonly unknown[][] => (Array.isArray(value) ? value.slice(0, 1_000).filter((row): row is unknown[] => Array.isArray(row)) : [])
