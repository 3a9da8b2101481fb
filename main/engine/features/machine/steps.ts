/**
 * Carries out the steps of the whole-computer mode with the parts of this system, and remembers what these said.
 *
 * Our own sockets are marked before any rule goes on, or they would go round in the tunnel.
 */
import { EngineError, errorText } from '../../base/errors.ts'
import type { MachineFault, MachineStep } from '../../core/machine/machine.ts'
import type { DnsOutcome, MachineLock, RouterOutcome, SystemDns, SystemRouter, TunPort } from './ports.ts'

/** On sockets of the engine that go round the tunnel, as the stock daemon's. */
export const BYPASS_MARK = 0x80000

export interface MachineParts {
  readonly tun: TunPort
  readonly router: SystemRouter
  readonly dns: SystemDns
  readonly lock: MachineLock
  /** The mark of every socket that the engine opens to the outside from here on, and of those that are open; 0 = none. */
  readonly setMark: (mark: number) => void
}

const NO_ROUTER: RouterOutcome = { problems: [], firewall: 'none', forwarding: 'none' }
const NO_DNS: DnsOutcome = { problems: [], through: 'none' }

export class MachineSteps {
  readonly #parts: MachineParts
  router: RouterOutcome = NO_ROUTER
  dns: DnsOutcome = NO_DNS
  /** The device's name as the system has it; "" = none. */
  device = ''

  constructor(parts: MachineParts) {
    this.#parts = parts
  }

  /** Never rejects: what went wrong is the answer. */
  async run(step: MachineStep): Promise<MachineFault | undefined> {
    try {
      return await this.#run(step)
    } catch (error) {
      return faultOf(step, error)
    }
  }

  async #run(step: MachineStep): Promise<MachineFault | undefined> {
    const { tun, router, dns, lock, setMark } = this.#parts
    switch (step.kind) {
      case 'take':
        return (step.isToUse ? await router.obstacle() : undefined) ?? (await lock.take())
      case 'clean-up':
        await dns.cleanUp()
        await router.cleanUp()
        return undefined
      case 'open':
        setMark(BYPASS_MARK)
        // One that somebody took away is still half there for us.
        if (this.device !== '') await tun.close()
        this.device = (await tun.open({ name: step.want.device, mtu: step.want.mtu, mark: BYPASS_MARK })).name
        return undefined
      case 'routes':
        setMark(BYPASS_MARK)
        this.router = await router.set(step.want)
        tun.setForwarding(this.router.forwarding === 'system' ? 'system' : 'engine')
        return undefined
      case 'names':
        this.dns = await dns.set(step.want)
        return undefined
      case 'close-names':
        await dns.close()
        this.dns = NO_DNS
        return undefined
      case 'close-routes':
        await router.close(step.hold)
        this.router = NO_ROUTER
        tun.setForwarding('engine')
        return undefined
      case 'close':
        await tun.close()
        this.device = ''
        return undefined
      case 'release':
        setMark(0)
        lock.release()
        return undefined
    }
  }
}

const CODES: Readonly<Record<string, string>> = { 'access-denied': 'no-rights', 'not-supported': 'no-tun' }
const BY_STEP: Readonly<Partial<Record<MachineStep['kind'], string>>> = { open: 'no-tun', names: 'names-failed', 'close-names': 'names-failed' }

function faultOf(step: MachineStep, error: unknown): MachineFault {
  const known = error instanceof EngineError ? CODES[error.code] : undefined
  return { code: (step.kind === 'open' ? known : undefined) ?? BY_STEP[step.kind] ?? 'routes-failed', text: errorText(error) }
}
