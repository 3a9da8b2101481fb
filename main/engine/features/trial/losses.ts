/**
 * (how the computer is, how it would be, what a person has now) → what would be lost, with why. Pure, bounded, in a stable order: what a
 * person would miss most comes first.
 *
 * Something is lost only when it can be had now, by evidence, and its packets would go another way then (ways.ts): a connection does not
 * survive another way. Programs that come in by proxies have nothing taken from them but what the proxies carry.
 */
import { isLoopbackIp, networkOf, parsePrefix, prefixContains } from '../../base/ip.ts'
import { printable } from '../../base/printable.ts'
import type { Loss, LossKind, MachinePage, MachineWhy } from '../../../localapi/machine.ts'
import { otherVpns } from '../../core/plan/other-vpns.ts'
import { localNetworks } from '../../core/plan/system-facts.ts'
import type { LocalNetwork } from '../../core/plan/system-facts.ts'
import type { PreviewFacts } from '../../core/preview/facts.ts'
import { lossOf } from './loss.ts'
import { lostNames } from './lost-names.ts'
import type { NamesSide } from './lost-names.ts'
import { sessionOf } from '../../core/preview/sessions.ts'
import { Ways } from '../../core/preview/ways.ts'
import type { Roads } from '../../core/preview/ways.ts'

/** The computer under one wish. */
export interface PreviewSide {
  readonly mode: MachinePage['Mode']
  /** Where the whole computer's packets go; NO_ROADS with apps only. */
  readonly roads: Roads
  readonly internet: MachinePage['Internet']
  /** Of the exit node, and why it cannot be used where that is known; "" without. */
  readonly exit: { readonly id: string; readonly name: string; readonly trouble: string }
  readonly names: NamesSide
}

export interface PreviewAsked {
  readonly before: PreviewSide
  readonly after: PreviewSide
  readonly facts: PreviewFacts
  readonly selfAddresses: readonly string[]
  /** Ports of this computer that lead into our proxies. */
  readonly proxyPorts: readonly number[]
}

/** Of one kind so many are told one by one. */
const MAX_EACH = 4
const MAX_NAME = 60

const ORDER: readonly LossKind[] = ['internet', 'remote-session', 'printer', 'local-device', 'other-vpn', 'names', 'local-network', 'connection', 'gateway']
/** For what a trial is wise: things that people notice too late, or that cut off the one who asks. */
const RISKY: ReadonlySet<LossKind> = new Set(['internet', 'remote-session', 'printer', 'local-device', 'other-vpn', 'names'])

/** All that is lost, the worst first. */
export function lossesOf(asked: PreviewAsked): readonly Loss[] {
  const seen = new Seen(asked)
  const all = [
    ...lostInternet(asked), ...seen.sessions(), ...seen.printers(), ...seen.devices(), ...seen.vpns(),
    ...lostNames(asked.before.names, asked.after.names, asked.facts.names, asked.after.exit.name), ...seen.networks(), ...seen.connections(), ...lostFlows(asked), ...seen.gateways(),
  ]
  return all.toSorted((a, b) => ORDER.indexOf(a.Kind) - ORDER.indexOf(b.Kind))
}

/** Whether a trial is wise. */
export function isRisky(losses: readonly Loss[]): boolean {
  // That names of the network go with the network is what was asked for.
  return losses.some(({ Kind, Why }) => RISKY.has(Kind) && Why.Code !== 'names-not-asked')
}

class Seen {
  readonly #asked: PreviewAsked
  readonly #before: Ways
  readonly #after: Ways
  readonly #attached: readonly LocalNetwork[]
  readonly #lostPrinters = new Set<string>()

  constructor(asked: PreviewAsked) {
    this.#asked = asked
    this.#before = new Ways(asked.before.roads)
    this.#after = new Ways(asked.after.roads)
    this.#attached = localNetworks(asked.facts.system)
  }

  /** Ways in which somebody works here from elsewhere. */
  sessions(): Loss[] {
    const { facts, before, after } = this.#asked
    const found = new Map<string, Loss>()
    for (const connection of facts.connections) {
      const name = sessionOf(connection)
      if (name === undefined) continue
      const { ip } = connection.remote
      // What comes in through us arrives from this computer itself.
      const isThroughUs = connection.isOurs && isLoopbackIp(ip)
      const why = isThroughUs ? (before.mode === after.mode ? undefined : THROUGH_BOWLINE) : this.#why(ip)
      if (!why) continue
      const address = isThroughUs ? '' : ip
      const key = `${name} ${address}`
      found.set(key, lossOf('remote-session', sessionText(name, address), why, { Name: printable(name, MAX_NAME), Address: address, Count: (found.get(key)?.Count ?? 0) + 1, IsWayIn: true }))
    }
    return [...found.values()].slice(0, MAX_EACH)
  }

  printers(): Loss[] {
    const lost = this.#asked.facts.printers.flatMap(({ name: given, host }) => {
      const name = printable(given, MAX_NAME)
      const ip = isAddress(host) ? host : undefined
      const why = ip === undefined ? (isLocalName(host) ? this.#lanWhy() : undefined) : this.#why(ip)
      if (!why) return []
      if (ip !== undefined) this.#lostPrinters.add(ip)
      const where = printable(host, MAX_NAME)
      return [lossOf('printer', where === '' ? name : `${name} (${where})`, why, { Name: name, Address: where })]
    })
    return few(lost, (count) => lossOf('printer', `${count} more printers`, lost[0]!.Why, { Count: count }))
  }

  /** Machines on a network that this computer is on: those it talks with one by one, the others by network. */
  devices(): Loss[] {
    const { facts } = this.#asked
    const gateways = this.#gatewayIps()
    const talked = new Map<string, Loss>()
    for (const { remote, program = '', isInbound, isOurs } of facts.connections) {
      const network = isInbound || isOurs ? undefined : this.#networkOf(remote.ip)
      const why = network && !gateways.includes(remote.ip) && !this.#lostPrinters.has(remote.ip) ? this.#why(remote.ip) : undefined
      if (!why || talked.has(remote.ip)) continue
      const name = printable(program, MAX_NAME)
      talked.set(remote.ip, lossOf('local-device', name === '' ? remote.ip : `${remote.ip}, in use by ${name}`, why, { Name: name, Address: remote.ip }))
    }
    const others = new Map<string, { readonly why: MachineWhy; readonly ips: string[]; readonly network: LocalNetwork }>()
    for (const { ip } of facts.neighbours) {
      const network = this.#networkOf(ip)
      if (!network || gateways.includes(ip) || talked.has(ip) || this.#lostPrinters.has(ip)) continue
      const why = this.#why(ip)
      if (!why) continue
      const known = others.get(network.prefix)
      if (known) known.ips.push(ip)
      else others.set(network.prefix, { why, ips: [ip], network })
    }
    const rows = [...others.values()].map(({ why, ips, network }) =>
      ips.length === 1
        ? lossOf('local-device', ips[0]!, why, { Address: ips[0]! })
        : lossOf('local-device', `${ips.length} devices on ${network.prefix}`, why, { Address: network.prefix, Count: ips.length }))
    const each = [...talked.values()]
    return [...few(each, (count) => lossOf('local-device', `${count} more devices in use`, each[0]!.Why, { Count: count })), ...rows]
  }

  /** Networks of other VPNs. */
  vpns(): Loss[] {
    const { facts, selfAddresses } = this.#asked
    return otherVpns(facts.system, selfAddresses).flatMap(({ product, interface: name }) => {
      const nets = [...new Set([...facts.nets, ...this.#attached].filter((net) => net.interface === name).map(({ prefix }) => prefix))]
      const lost = nets.filter((prefix) => this.#whyOfNet(prefix) !== undefined)
      if (lost.length === 0) return []
      const what = lost.length === 1 ? lost[0]! : `${lost.length} networks`
      return [lossOf('other-vpn', `${what} of ${product} (${printable(name, MAX_NAME)})`, this.#whyOfNet(lost[0]!)!, { Name: product, Address: lost[0]!, Count: lost.length })]
    }).slice(0, MAX_EACH)
  }

  /** Networks of this computer, attached or behind a router of its own, on which nothing was seen lately. */
  networks(): Loss[] {
    const { facts, selfAddresses } = this.#asked
    const vpns = otherVpns(facts.system, selfAddresses).map((vpn) => vpn.interface)
    const told = [...this.devices(), ...this.printers()].map(({ Address }) => Address.split('/')[0]!)
    const all = [...this.#attached, ...facts.nets].filter((net, i, nets) => nets.findIndex((other) => other.prefix === net.prefix) === i)
    const lost = all.flatMap(({ prefix, interface: name }) => {
      if (vpns.includes(name) || isDefault(prefix) || told.some((ip) => prefixContains(parsePrefix(prefix)!, ip))) return []
      const why = this.#whyOfNet(prefix)
      return why ? [lossOf('local-network', `${prefix} (${printable(name, MAX_NAME)})`, why, { Name: printable(name, MAX_NAME), Address: prefix })] : []
    })
    return few(lost, (count) => lossOf('local-network', `${count} more networks`, lost[0]!.Why, { Count: count }))
  }

  /** Connections to the rest of the world, by program and place. */
  connections(): Loss[] {
    const found = new Map<string, Loss>()
    for (const connection of this.#asked.facts.connections) {
      const { remote, program = '', isOurs, isInbound } = connection
      if (isOurs || isLoopbackIp(remote.ip) || sessionOf(connection) !== undefined || (!isInbound && this.#networkOf(remote.ip))) continue
      const why = this.#why(remote.ip)
      if (!why) continue
      const name = printable(program, MAX_NAME)
      const key = name === '' ? remote.ip : name
      const count = (found.get(key)?.Count ?? 0) + 1
      const to = name === '' ? remote.ip : ''
      found.set(key, lossOf('connection', `${count} ${count === 1 ? 'connection' : 'connections'} ${name === '' ? `with ${remote.ip}` : `of ${name}`}`, why, { Name: name, Address: to, Count: count }))
    }
    const rows = [...found.values()].sort((a, b) => b.Count - a.Count)
    return few(rows, () => {
      const count = rows.slice(MAX_EACH).reduce((sum, { Count }) => sum + Count, 0)
      return lossOf('connection', `${count} other connections`, rows[MAX_EACH]!.Why, { Count: count })
    })
  }

  /** The router's own page. */
  gateways(): Loss[] {
    return this.#gatewayIps().flatMap((ip) => {
      const why = this.#why(ip)
      return why ? [lossOf('gateway', `the page of your router at ${ip}`, why, { Address: ip })] : []
    })
  }

  #gatewayIps(): readonly string[] {
    return (this.#asked.facts.system.defaultRoutes ?? []).flatMap(({ gateway }) => gateway ?? [])
  }

  #networkOf(ip: string): LocalNetwork | undefined {
    return this.#attached.find(({ prefix }) => prefixContains(parsePrefix(prefix)!, ip))
  }

  /** Why an address that can be had now could not be then; undefined: nothing changes for it. */
  #why(ip: string): MachineWhy | undefined {
    const [was, would] = [this.#before.to(ip), this.#after.to(ip)]
    const near = this.#networkOf(ip)?.prefix
    // What is on a network of this computer is had by that network alone.
    if (was === would || was === 'nowhere' || (near !== undefined && was !== 'system')) return undefined
    return this.#say(would, near)
  }

  /** The same of a network, by its first address. */
  #whyOfNet(prefix: string): MachineWhy | undefined {
    const { ip } = parsePrefix(prefix)!
    const [was, would] = [this.#before.to(ip), this.#after.to(ip)]
    return was !== 'system' || would === 'system' ? undefined : this.#say(would, prefix)
  }

  /** The same of whatever is on the local network, of which no address is known. */
  #lanWhy(): MachineWhy | undefined {
    for (const { prefix } of this.#attached) {
      const why = this.#whyOfNet(prefix)
      if (why) return why
    }
    return undefined
  }

  #say(would: string, near: string | undefined): MachineWhy {
    const { after } = this.#asked
    const isOut = would === 'nowhere' || would.startsWith('exit ')
    if (isOut && near !== undefined) return { Code: 'lan-not-kept', Text: 'Beside an exit node the local network is reached only where you allow it.', Args: { prefix: near } }
    if (would === 'nowhere') return { Code: 'kept-in', Text: 'Nothing would leave this computer.' }
    if (isOut) return { Code: 'through-exit', Text: `Its packets would leave through ${after.exit.name}.`, Args: { exit: after.exit.name } }
    if (would === 'device') return { Code: 'into-range', Text: 'Its address lies in the range of the devices of your network.' }
    if (would.startsWith('network ')) return { Code: 'into-network', Text: `Its address lies in ${would.slice(8)}, which would go into your network.`, Args: { prefix: would.slice(8) } }
    return { Code: 'out-of-network', Text: 'It would not go through your network any more.' }
  }
}

const THROUGH_BOWLINE: MachineWhy = { Code: 'through-bowline', Text: 'It comes in through Bowline, and would have to be opened again.' }

function lostInternet({ before, after }: PreviewAsked): Loss[] {
  const isUsable = (side: PreviewSide): boolean => side.internet !== 'blocked' && side.exit.trouble === ''
  if (isUsable(after) || !isUsable(before)) return []
  const { name, trouble } = after.exit
  const text = after.internet === 'exit' ? `${name} cannot be used: ${trouble}.` : `Nothing would go out: ${trouble}.`
  return [lossOf('internet', after.mode === 'whole' ? 'the internet' : 'the internet for programs that use the proxies', { Code: 'exit-unusable', Text: text, Args: { exit: name, why: trouble } }, { Name: name })]
}

/** What proxies carry ends when it would go another way out. */
function lostFlows({ before, after, facts, proxyPorts }: PreviewAsked): Loss[] {
  const wayOut = ({ internet, exit }: PreviewSide): string => `${internet} ${internet === 'exit' ? exit.id : ''}`
  if (wayOut(before) === wayOut(after)) return []
  const counts = new Map<string, number>()
  for (const { remote, program = '', isInbound } of facts.connections) {
    if (isInbound || !isLoopbackIp(remote.ip) || !proxyPorts.includes(remote.port)) continue
    const name = printable(program, MAX_NAME)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const why = { Code: 'proxy-flows', Text: 'They go through a proxy of Bowline, and end where they lead to the internet.' }
  const rows = [...counts].map(([name, count]) =>
    lossOf('connection', `${count} ${count === 1 ? 'connection' : 'connections'}${name === '' ? ' through the proxies' : ` of ${name}`}`, why, { Name: name, Count: count }))
  return rows.slice(0, MAX_EACH)
}

function few(rows: readonly Loss[], rest: (count: number) => Loss): Loss[] {
  return rows.length <= MAX_EACH ? [...rows] : [...rows.slice(0, MAX_EACH), rest(rows.length - MAX_EACH)]
}

function sessionText(name: string, ip: string): string {
  const label = { ssh: 'SSH session', rdp: 'remote desktop', vnc: 'remote desktop (VNC)' }[name] ?? `${printable(name, MAX_NAME)} session`
  return ip === '' ? `${label} through Bowline` : `${label} from ${ip}`
}

const isAddress = (host: string): boolean => networkOf(host, 0) !== undefined
const isDefault = (prefix: string): boolean => prefix.endsWith('/0')

/** Names that nothing but the local network knows. */
function isLocalName(host: string): boolean {
  return !host.includes('.') || /\.(local|lan|home|internal|home\.arpa|fritz\.box)$/i.test(host)
}
