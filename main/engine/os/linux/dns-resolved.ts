/**
 * Names by systemd-resolved: our device is a link with our server, the names that are ours are its domains, and resolved splits.
 *
 * resolved forgets a link's settings when it starts anew, and with the link: nothing is left behind of a dead engine. So its name on the bus
 * is watched, its files (which it writes when resolvers change), and every half minute whether our link still has our server.
 * Source: org.freedesktop.resolve1(5).
 */
import { readFileSync } from 'node:fs'
import { EngineError } from '../../base/errors.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import type { NamesDeps, NamesFacts, NamesWay, OwnNames, Problem } from './dns-ports.ts'
import { domainsOf, linkPlan, ownOfLinks, serversOf } from './dns-resolved-plan.ts'
import { NamesWatch } from './names-watch.ts'
import { SystemBus } from './system-bus.ts'
import type { BusPlace } from './system-bus.ts'

export const RESOLVED = 'org.freedesktop.resolve1'
const MANAGER: BusPlace = { service: RESOLVED, path: '/org/freedesktop/resolve1', iface: `${RESOLVED}.Manager` }
const OWNER_RULE = `type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${RESOLVED}'`
const CHANGED_RULE = `type='signal',sender='${RESOLVED}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'`

export class ResolvedNames implements NamesWay {
  readonly #deps: NamesDeps
  readonly #facts: NamesFacts
  readonly #bus: SystemBus
  readonly #watch: NamesWatch
  #want: MachineDns | undefined
  #link = 0
  #own: OwnNames = { servers: [], search: [] }
  #others: readonly string[] = []
  #isLooking = false

  constructor(deps: NamesDeps, facts: NamesFacts) {
    this.#deps = deps
    this.#facts = facts
    this.#bus = new SystemBus(deps.busAddress)
    this.#watch = new NamesWatch(deps.env, () => void this.#look())
  }

  async put(want: MachineDns): Promise<readonly Problem[]> {
    this.#link = linkIndex(want.device)
    this.#want = want
    try {
      await this.#bus.onSignal(OWNER_RULE, (message) => this.#onSignal(message))
      await this.#bus.onSignal(CHANGED_RULE, () => {})
      await this.#read()
      await this.#apply()
    } catch (error) {
      this.#want = undefined
      throw error
    }
    this.#watch.start([`${this.#deps.root ?? ''}/run/systemd/resolve`])
    return await this.#problems()
  }

  async takeBack(): Promise<void> {
    this.#watch.stop()
    const had = this.#want
    this.#want = undefined
    if (had) {
      // The link, or resolved itself, may be gone, and its settings with it.
      await this.#bus.call(MANAGER, 'RevertLink', 'i', [this.#link]).catch(() => {})
      await this.#bus.call(MANAGER, 'FlushCaches').catch(() => {})
    }
    this.#bus.close()
  }

  own(): OwnNames {
    return this.#own
  }

  async #apply(): Promise<void> {
    const plan = linkPlan(this.#want!, this.#others)
    const link = this.#link
    const servers = plan.servers.map(([family, bytes]) => [family, Buffer.from(bytes)])
    await this.#bus.call(MANAGER, 'SetLinkDNS', 'ia(iay)', [link, servers])
    await this.#bus.call(MANAGER, 'SetLinkDomains', 'ia(sb)', [link, plan.domains.map(({ domain, isRoute }) => [domain, isRoute])])
    // systemd 239 and older do not know it, and go by "." alone.
    await this.#bus.call(MANAGER, 'SetLinkDefaultRoute', 'ib', [link, plan.isDefault]).catch(unlessOld)
    for (const member of ['SetLinkLLMNR', 'SetLinkMulticastDNS', 'SetLinkDNSSEC', 'SetLinkDNSOverTLS']) await this.#bus.call(MANAGER, member, 'is', [link, 'no']).catch(() => {})
    await this.#bus.call(MANAGER, 'FlushCaches').catch(() => {})
  }

  /** Learns what the other links have; answers whether our own is as it should be. */
  async #read(): Promise<boolean> {
    const servers = serversOf(await this.#bus.property(MANAGER, 'DNS'))
    const domains = domainsOf(await this.#bus.property(MANAGER, 'Domains'))
    const fallback = serversOf(await this.#bus.property(MANAGER, 'FallbackDNS').catch(() => []))
    const noDefault = new Set<number>()
    for (const link of new Set(servers.map((one) => one.link))) if (link > 0 && link !== this.#link && !(await this.#isDefault(link))) noDefault.add(link)
    const own = ownOfLinks(servers, domains, fallback, this.#link, noDefault)
    const isOther = JSON.stringify(own) !== JSON.stringify(this.#own)
    this.#own = own
    this.#others = [...new Set(domains.filter((one) => one.link !== this.#link && one.domain !== '.').map((one) => one.domain))]
    if (isOther) this.#facts.onOwn()
    const ours = servers.filter((one) => one.link === this.#link).map((one) => one.ip)
    return this.#want?.servers.every((server) => ours.includes(server)) === true
  }

  async #isDefault(link: number): Promise<boolean> {
    try {
      const [path] = await this.#bus.call(MANAGER, 'GetLink', 'i', [link])
      return (await this.#bus.property({ service: RESOLVED, path: String(path), iface: `${RESOLVED}.Link` }, 'DefaultRoute')) !== false
    } catch {
      return true
    }
  }

  async #look(): Promise<void> {
    if (this.#want === undefined || this.#isLooking) return
    this.#isLooking = true
    try {
      const before = this.#others.join(' ')
      const isWell = await this.#read()
      if (this.#want === undefined) return
      if (!isWell) {
        await this.#apply()
        this.#facts.onDisturbed({ code: 'names-rewritten', text: "Another program changed systemd-resolved's settings of Bowline's device; Bowline put its own back." })
      } else if (this.#want.exclusive && before !== this.#others.join(' ')) await this.#apply()
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#isLooking = false
    }
  }

  #onSignal(message: { readonly member?: string; readonly body?: readonly unknown[] }): void {
    if (message.member === 'PropertiesChanged') return this.#watch.nudge()
    if (message.member !== 'NameOwnerChanged' || message.body?.[0] !== RESOLVED || message.body[2] === '' || this.#want === undefined) return
    this.#deps.env.journal.add({ part: 'names', kind: 'set-again', why: 'systemd-resolved started anew and forgot our link' })
    this.#apply().then(() => this.#watch.nudge(), (error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    if (this.#want === undefined) return
    this.#facts.onDisturbed({ code: 'names-failed', text: error instanceof EngineError ? error.message : 'systemd-resolved does not take our settings.' })
  }

  async #problems(): Promise<readonly Problem[]> {
    const mode = await this.#bus.property(MANAGER, 'ResolvConfMode').catch(() => undefined)
    if (mode !== 'uplink') return []
    return [{ code: 'names-read-past', text: "Programs that read /etc/resolv.conf themselves ask the network's resolvers and not systemd-resolved: link it to /run/systemd/resolve/stub-resolv.conf." }]
  }
}

function unlessOld(error: unknown): void {
  if (!(error instanceof EngineError) || error.code !== 'not-supported') throw error
}

/** The system's number of a device; throws EngineError('not-found'). */
export function linkIndex(device: string): number {
  if (!/^[\w.-]{1,15}$/.test(device)) throw new EngineError('not-found', `${JSON.stringify(device)} is no device.`)
  try {
    return Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'))
  } catch (error) {
    throw new EngineError('not-found', `There is no device ${device}.`, { cause: error })
  }
}
