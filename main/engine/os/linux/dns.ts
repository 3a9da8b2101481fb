/**
 * Names of a Linux system: who sets them is found out anew whenever they become ours, and that one is asked.
 *
 *   untouched → in force (by one way) → untouched        another way than before: the old one is taken back first
 *
 * The computer's own resolvers are those that would be asked without us, followed while ours are in force. One call at a time.
 */
import { existsSync, realpathSync } from 'node:fs'
import { EngineError, errorText } from '../../base/errors.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import { FileNames } from './dns-file.ts'
import { dnsMode } from './dns-mode.ts'
import type { DnsMode, NamesSeen } from './dns-mode.ts'
import type { NamesDeps, NamesFacts, NamesWay, OwnNames, Problem } from './dns-ports.ts'
import { RESOLVED, ResolvedNames } from './dns-resolved.ts'
import { dropRecord, ResolvconfNames } from './dns-resolvconf.ts'
import { parseResolvConf, withoutUs } from './resolv-conf.ts'
import { ResolvFile, resolvPaths } from './resolv-file.ts'
import { SystemBus } from './system-bus.ts'

const NETWORK_MANAGER = 'org.freedesktop.NetworkManager'

export interface LinuxDnsOutcome {
  readonly through: 'none' | DnsMode
  readonly problems: readonly Problem[]
}

export class LinuxDns {
  readonly #deps: NamesDeps
  #way: { readonly mode: DnsMode; readonly names: NamesWay } | undefined
  #last: Promise<unknown> = Promise.resolve()
  #onDisturbed: (what: Problem) => void = () => {}
  #onOwn: () => void = () => {}

  constructor(deps: NamesDeps) {
    this.#deps = deps
  }

  /** undefined = as before us. Rejects with EngineError when it could not be done; then names are as before us. */
  set(want: MachineDns | undefined): Promise<LinuxDnsOutcome> {
    return this.#inTurn(() => (want === undefined ? this.#takeBack() : this.#put(want)))
  }

  async close(): Promise<void> {
    await this.set(undefined)
  }

  own(): OwnNames {
    if (this.#way) return this.#way.names.own()
    const file = new ResolvFile(resolvPaths(this.#deps.root))
    // An engine that died may have left ours; this one needs the others to find its way.
    const kept = file.isOurs() ? file.kept() : file.paths.conf
    const { servers, search } = withoutUs(parseResolvConf((kept === undefined ? undefined : file.look(kept).text) ?? ''))
    return { servers, search }
  }

  onDisturbed(call: (what: Problem) => void): void {
    this.#onDisturbed = call
  }

  onOwnChanged(call: () => void): void {
    this.#onOwn = call
  }

  /** Puts back what an engine that died left; true when there was something. Rejects with EngineError when it cannot. */
  cleanUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      const had = await leftovers(this.#deps)
      if (had) this.#deps.env.journal.add({ part: 'names', kind: 'cleaned-up', why: 'an engine that died had set the names of this computer' })
      return had
    })
  }

  async #put(want: MachineDns): Promise<LinuxDnsOutcome> {
    if (!this.#way) await leftovers(this.#deps)
    const { mode, why } = this.#way ? { mode: this.#way.mode, why: '' } : dnsMode(await namesSeen(this.#deps))
    if (!this.#way) {
      this.#deps.env.journal.add({ part: 'names', kind: 'way', way: mode, why, all: want.all, exclusive: want.exclusive })
      this.#deps.env.log.info(`names of this computer: untouched → ${mode} (${why})`)
    }
    const names = this.#way?.names ?? this.#wayOf(mode)
    try {
      const problems = await names.put(want)
      this.#way = { mode, names }
      return { through: mode, problems: [...problems, ...this.#ownProblems(want)] }
    } catch (error) {
      this.#way = undefined
      await names.takeBack().catch(() => {})
      throw error instanceof EngineError ? error : new EngineError('io', `The names of this computer cannot be set: ${errorText(error)}`, { cause: error })
    }
  }

  async #takeBack(): Promise<LinuxDnsOutcome> {
    const way = this.#way
    if (way) {
      await way.names.takeBack()
      this.#way = undefined
      this.#deps.env.log.info(`names of this computer: ${way.mode} → untouched`)
      this.#deps.env.journal.add({ part: 'names', kind: 'way', way: 'none', why: 'names of this computer are as before' })
    }
    return { through: 'none', problems: [] }
  }

  /** Nobody else may answer: then their absence is no problem. */
  #ownProblems(want: MachineDns): readonly Problem[] {
    if (want.exclusive || this.own().servers.length > 0) return []
    return [{ code: 'names-no-own', text: 'This computer has no resolver of its own that Bowline could ask for names of the internet.' }]
  }

  #wayOf(mode: DnsMode): NamesWay {
    const facts: NamesFacts = { onDisturbed: (what) => this.#onDisturbed(what), onOwn: () => this.#onOwn() }
    if (mode === 'systemd-resolved') return new ResolvedNames(this.#deps, facts)
    if (mode === 'resolvconf' || mode === 'openresolv') return new ResolvconfNames(this.#deps, facts, mode)
    return new FileNames(this.#deps, facts, mode === 'network-manager')
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work)
    this.#last = turn.catch(() => {})
    return turn
  }
}

/** Whatever way an engine that died had chosen. resolved forgot it with the device. */
async function leftovers(deps: NamesDeps): Promise<boolean> {
  const paths = resolvPaths(deps.root)
  const file = new ResolvFile(paths)
  const hadFile = file.isOurs() || file.kept() !== undefined ? withLink(paths, file).restore() : false
  let hadRecord = false
  for (const kind of ['resolvconf', 'openresolv'] as const) if (await dropRecord(deps, kind).catch(() => false)) hadRecord = true
  return hadFile || hadRecord
}

function withLink(paths: ReturnType<typeof resolvPaths>, file: ResolvFile): ResolvFile {
  return new ResolvFile(paths, file.look().link === paths.linked)
}

/** What there is to see of who sets names; asks nobody to start. */
export async function namesSeen(deps: NamesDeps): Promise<NamesSeen> {
  const { root = '' } = deps
  const file = new ResolvFile(resolvPaths(root))
  const bus = new SystemBus(deps.busAddress)
  try {
    const resolved = await bus.has(RESOLVED)
    const seen = file.look()
    return {
      text: seen.text, link: seen.link === undefined || root === '' || !seen.link.startsWith(root) ? seen.link : seen.link.slice(root.length),
      nsswitch: file.look(`${root}/etc/nsswitch.conf`).text, resolved, networkManager: await networkManager(bus), resolvconf: resolvconfKind(deps),
    }
  } finally {
    bus.close()
  }
}

async function networkManager(bus: SystemBus): Promise<NamesSeen['networkManager']> {
  if (!(await bus.has(NETWORK_MANAGER))) return undefined
  const place = { service: NETWORK_MANAGER, path: `/org/freedesktop/NetworkManager/DnsManager`, iface: `${NETWORK_MANAGER}.DnsManager` }
  const [mode, rcManager] = await Promise.all(['Mode', 'RcManager'].map((name) => bus.property(place, name).catch(() => '')))
  return { mode: typeof mode === 'string' ? mode : '', rcManager: typeof rcManager === 'string' ? rcManager : '' }
}

function resolvconfKind({ findResolvconf, root = '' }: NamesDeps): NamesSeen['resolvconf'] {
  const program = findResolvconf()
  if (program === undefined) return undefined
  try {
    if (realpathSync(program).endsWith('/resolvectl')) return 'systemd'
  } catch {
    return undefined
  }
  return ['/lib/resolvconf/list-records', '/usr/lib/resolvconf/list-records'].some((path) => existsSync(root + path)) ? 'debian' : 'openresolv'
}
