/**
 * The state of the whole-computer mode as clients see it. Pure.
 */
import type { MachineCore } from '../../core/machine/machine.ts'
import type { MachineFault } from '../../core/machine/machine.ts'
import type { MachineMode, MachinePage, MachineWhy } from '../../../localapi/machine.ts'
import type { DnsOutcome, RouterOutcome } from './ports.ts'

export interface PageInput {
  readonly mode: MachineMode
  readonly core: MachineCore
  readonly cannot: MachineWhy | undefined
  readonly isService: boolean
  readonly device: string
  readonly router: RouterOutcome
  readonly dns: DnsOutcome
  readonly own: readonly string[]
  /** What was disturbed and is not put back yet. */
  readonly disturbed: readonly MachineFault[]
}

export function machinePage({ mode, core, cannot, isService, device, router, dns, own, disturbed }: PageInput): MachinePage {
  const { routes, names, state, fault } = core
  const on = routes && routes.device !== '' ? routes : undefined
  return {
    Mode: mode,
    State: state,
    ...(cannot ? { Cannot: cannot } : {}),
    ...(fault && (state === 'failed' || state === 'holding') ? { Why: whyOf(fault) } : state === 'holding' ? { Why: HOLDING } : {}),
    IsService: isService,
    Device: core.hasDevice ? device : '',
    Mtu: core.hasDevice ? (on?.mtu ?? 0) : 0,
    Addresses: on?.addresses ?? NONE,
    Routes: on?.routes ?? NONE,
    Bypass: routes?.bypass ?? NONE,
    Internet: state === 'holding' ? 'blocked' : (routes?.internet ?? 'direct'),
    Firewall: router.firewall,
    Names: { Through: names ? dns.through : 'none', All: names?.all ?? false, Domains: names?.matchDomains ?? NONE, Search: names?.searchDomains ?? NONE, Own: own },
    Forwarding: { By: on?.forward ? router.forwarding : 'none', SourceNat: on?.forward?.sourceNat ?? false },
    Problems: uniqueWhys([...disturbed, ...router.problems, ...dns.problems, ...core.problems]),
  }
}

const NONE: readonly string[] = []
const HOLDING: MachineWhy = { Code: 'holding', Text: 'An exit node is chosen and the tunnel is away: nothing goes out to the internet until it is back.' }

export function whyOf({ code, text }: MachineFault): MachineWhy {
  return { Code: code, Text: text }
}

function uniqueWhys(faults: readonly MachineFault[]): readonly MachineWhy[] {
  const byCode = new Map(faults.map((fault) => [fault.code, whyOf(fault)]))
  return [...byCode.values()]
}

/** Whether two pages say the same; lists that are the same object are not looked into. */
export function samePage(a: MachinePage, b: MachinePage): boolean {
  return (Object.keys({ ...a, ...b }) as (keyof MachinePage)[]).every((field) => a[field] === b[field] || JSON.stringify(a[field]) === JSON.stringify(b[field]))
}
