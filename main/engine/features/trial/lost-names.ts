/**
 * Which names would not be answered any more, or by somebody else who may not know them. Pure.
 */
import type { Loss, MachineNames } from '../../../localapi/machine.ts'
import { printable } from '../../base/printable.ts'
import { isPrivateIp, parseAddrPort } from '../../base/ip.ts'
import type { OwnNames } from '../../core/preview/facts.ts'
import { lossOf } from './loss.ts'

export interface NamesSide {
  readonly page: MachineNames
  /** Who is asked for names that nobody has claimed. */
  readonly rest: 'system' | 'network' | 'exit-node' | 'nobody'
}

const MAX_DOMAINS = 4
const MAX_DOMAIN = 80

/** `exit`: the name of the exit node in the after. */
export function lostNames(before: NamesSide, after: NamesSide, own: OwnNames, exit: string): Loss[] {
  return [...lostOwn(before, after, own, exit), ...lostNetwork(before, after)]
}

/** Names of the network here, which only its own resolvers know. */
function lostOwn(before: NamesSide, after: NamesSide, own: OwnNames, exit: string): Loss[] {
  if (before.rest !== 'system' || after.rest === 'system' || own.servers.length === 0) return []
  const who = {
    network: { Code: 'names-by-network', Text: "The resolvers of your network would be asked instead of this computer's own." },
    'exit-node': { Code: 'names-by-exit', Text: `${exit} would look names up instead of this computer's own resolvers.`, Args: { exit } },
    nobody: { Code: 'names-by-nobody', Text: 'No resolver would be asked.' },
  }[after.rest]
  const domains = own.search.map((name) => printable(name, MAX_DOMAIN)).filter((name) => name !== '' && !after.page.Domains.includes(name))
  if (domains.length > 0) return domains.slice(0, MAX_DOMAINS).map((Address) => lossOf('names', `names below ${Address}`, who, { Address }))
  const near = own.servers.find((server) => isPrivateIp(parseAddrPort(server)?.ip ?? server))
  return near === undefined || after.rest !== 'nobody' ? [] : [lossOf('names', `names that ${near} answers`, who, { Name: near })]
}

/** Names of the devices and domains of the network. */
function lostNetwork(before: NamesSide, after: NamesSide): Loss[] {
  if (before.page.Through === 'none') return []
  const lost = before.page.Domains.filter((domain) => after.page.Through === 'none' || !after.page.Domains.includes(domain)).filter((domain) => !domain.endsWith('.arpa'))
  const why = { Code: 'names-not-asked', Text: 'Your network would not be asked for names any more.' }
  return lost.slice(0, MAX_DOMAINS).map((Address) => lossOf('names', `names below ${printable(Address, MAX_DOMAIN)}`, why, { Address: printable(Address, MAX_DOMAIN) }))
}
