/**
 * The kernel settings that being a router and strict reverse-path filters need, with what they were before.
 *
 *   net/ipv4/ip_forward, net/ipv6/conf/all/forwarding   1 while something is offered to others
 *   net/ipv6/conf/NAME/accept_ra                        1 → 2 before that: a router stops to hear routers otherwise, and loses its way out
 *   net/ipv4/conf/all/src_valid_mark                    1: the engine's mark counts in strict reverse-path filters
 *   net/ipv6/conf/DEVICE/disable_ipv6                   0 for the tunnel alone
 *
 * A value is put back only where it is still the one that was set here.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import type { Problem } from './ports.ts'

/** One setting that was changed here. */
export interface Changed {
  readonly name: string
  readonly before: string
  readonly set: string
}

export interface SettingsDone {
  readonly forwarding: 'none' | 'system' | 'engine'
  readonly problems: readonly Problem[]
}

const FORWARD_4 = 'net/ipv4/ip_forward'
const FORWARD_6 = 'net/ipv6/conf/all/forwarding'
const VALID_MARK = 'net/ipv4/conf/all/src_valid_mark'

export class KernelSettings {
  readonly #dir: string
  #changed: Changed[] = []

  constructor(dir = '/proc/sys') {
    this.#dir = dir
  }

  get changed(): readonly Changed[] {
    return this.#changed
  }

  /** What an engine that died had changed. */
  adopt(changed: readonly Changed[]): void {
    for (const one of changed) if (isOurs(one.name) && !this.#changed.some(({ name }) => name === one.name)) this.#changed.push(one)
  }

  /** Whether this system has IPv6, and has it switched on. */
  get hasV6(): boolean {
    return this.#read('net/ipv6/conf/all/disable_ipv6') === '0'
  }

  /** Whether packets were passed on before anything was changed here. */
  get forwardsAlready(): boolean {
    const before = this.#changed.find(({ name }) => name === FORWARD_4)?.before ?? this.#read(FORWARD_4)
    return before !== '0'
  }

  /** Lets the tunnel have IPv6 where new interfaces have none. */
  allowV6(device: string): void {
    const name = `net/ipv6/conf/${device}/disable_ipv6`
    if (this.hasV6 && this.#read(name) === '1') this.#write(name, '0')
  }

  /** Settings for a wish; `told` is called before the first change, with all that will have been changed. */
  apply(want: MachineRoutes, told: (changed: readonly Changed[]) => void): SettingsDone {
    const wanted = new Map<string, string>()
    if (want.netfilter !== 'off') wanted.set(VALID_MARK, '1')
    if (want.forward) {
      wanted.set(FORWARD_4, '1')
      if (this.hasV6) {
        if (this.#read(FORWARD_6) === '0') for (const name of this.#hearsRouters(want.device)) wanted.set(name, '2')
        wanted.set(FORWARD_6, '1')
      }
    }
    this.#putBack(({ name }) => !wanted.has(name) && !(want.forward && name.endsWith('/accept_ra')))
    const missing = [...wanted].filter(([name, value]) => this.#read(name) !== undefined && this.#read(name) !== value)
    for (const [name, set] of missing) if (!this.#changed.some((one) => one.name === name)) this.#changed.push({ name, before: this.#read(name)!, set })
    if (missing.length > 0) told(this.#changed)
    for (const [name, value] of missing) this.#write(name, value)
    this.#changed = this.#changed.filter(({ name, set }) => this.#read(name) === set)
    return { forwarding: this.#forwarding(want), problems: this.#problems(want) }
  }

  /** Whether somebody switched off what a wish needs. */
  isDisturbed(want: MachineRoutes): boolean {
    return this.#changed.some(({ name, set }) => this.#read(name) !== set && (name !== VALID_MARK || want.netfilter !== 'off'))
  }

  /** All as it was. */
  putBack(): void {
    this.#putBack(() => true)
  }

  #putBack(which: (changed: Changed) => boolean): void {
    // Forwarding goes off before routers are heard in the old way again.
    for (const one of this.#changed.filter(which).toReversed()) if (this.#read(one.name) === one.set) this.#write(one.name, one.before)
    this.#changed = this.#changed.filter((one) => !which(one))
  }

  #forwarding(want: MachineRoutes): SettingsDone['forwarding'] {
    if (!want.forward) return 'none'
    return this.#read(FORWARD_4) === '1' && (!this.hasV6 || this.#read(FORWARD_6) === '1') ? 'system' : 'engine'
  }

  #problems(want: MachineRoutes): Problem[] {
    const problems: Problem[] = []
    if (this.#forwarding(want) === 'engine') {
      problems.push({ code: 'forwarding-by-engine', text: 'This system does not let packets be passed on (its kernel settings cannot be changed), so the engine passes them on by itself, more slowly.' })
    }
    if (want.internet !== 'direct' && this.#read(VALID_MARK) !== '1' && this.#isStrict()) {
      problems.push({ code: 'rp-filter', text: 'Strict reverse-path filtering is on (rp_filter = 1) and src_valid_mark cannot be set: answers to the tunnel’s own packets may be dropped.' })
    }
    return problems
  }

  #isStrict(): boolean {
    return this.#list('net/ipv4/conf').some((name) => this.#read(`net/ipv4/conf/${name}/rp_filter`) === '1')
  }

  /** Interfaces whose kernel learns of routers, as settings. */
  #hearsRouters(device: string): string[] {
    const names = this.#list('net/ipv6/conf').filter((name) => !['all', 'default', 'lo', device].includes(name))
    return names.map((name) => `net/ipv6/conf/${name}/accept_ra`).filter((name) => this.#read(name) === '1')
  }

  #list(folder: string): string[] {
    try {
      return readdirSync(join(this.#dir, folder))
    } catch {
      return []
    }
  }

  #read(name: string): string | undefined {
    try {
      return readFileSync(join(this.#dir, name), 'utf8').trim()
    } catch {
      return undefined
    }
  }

  #write(name: string, value: string): void {
    try {
      writeFileSync(join(this.#dir, name), value)
    } catch {
      // Read-only: what it means is seen by reading again.
    }
  }
}

/** Names come from a file. */
function isOurs(name: string): boolean {
  return [FORWARD_4, FORWARD_6, VALID_MARK].includes(name) || (/^net\/ipv6\/conf\/[^/]+\/accept_ra$/.test(name) && !name.includes('..'))
}
