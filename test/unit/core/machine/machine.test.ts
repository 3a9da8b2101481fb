import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MachineCore } from '../../../../main/engine/core/machine/machine.ts'
import type { MachineStep, MachineWish } from '../../../../main/engine/core/machine/machine.ts'
import type { MachineDns, MachineInternet, MachinePlan, MachineRoutes } from '../../../../main/engine/core/plan/machine.ts'

const DNS: MachineDns = { device: 'bowline0', servers: ['100.100.100.100'], matchDomains: ['example.ts.net'], searchDomains: [], all: false, exclusive: false }

function planOf(internet: MachineInternet, more: { dns?: boolean; port?: number } = {}): MachinePlan {
  const routes: MachineRoutes = {
    device: 'bowline0', mtu: 1280, addresses: ['100.64.0.1/32'], routes: ['100.64.0.2/32', ...(internet === 'direct' ? [] : ['0.0.0.0/0', '::/0'])], bypass: [], internet, allowLan: false,
    guardNames: internet !== 'direct', forward: undefined, netfilter: 'on', udpPort: more.port ?? 41641, guardRange: true,
  }
  return { routes, dns: more.dns === false ? undefined : { ...DNS, all: internet !== 'direct', exclusive: internet !== 'direct' } }
}

const wish = (plan: MachinePlan): MachineWish => ({ kind: 'plan', plan })
const DIRECT = planOf('direct')
const EXIT = planOf('exit')

/** A system that does what steps say; a step that is to fail changes nothing. */
class PlayedSystem {
  readonly core: MachineCore
  nowMs = 0
  lock = false
  device = false
  routes: MachineRoutes | undefined
  names: MachineDns | undefined
  /** What an engine that died keeps in. */
  holds: boolean
  readonly steps: string[] = []

  constructor(left = false, holds = false) {
    this.core = new MachineCore(left)
    this.holds = holds
  }

  get keepsIn(): boolean {
    return this.holds || (this.routes !== undefined && this.routes.internet !== 'direct')
  }

  /** One step; false when there is none. */
  step(fails: (step: MachineStep) => boolean = () => false): MachineStep | undefined {
    const step = this.core.takeOutput(this.nowMs)
    if (!step) return undefined
    const failed = fails(step)
    this.steps.push(failed ? `${step.kind}!` : step.kind)
    if (!failed) this.#do(step)
    this.core.handleEnd(this.nowMs, failed ? { code: 'test', text: `${step.kind} does not work` } : undefined)
    return step
  }

  run(fails?: (step: MachineStep) => boolean): string[] {
    const from = this.steps.length
    for (let i = 0; this.step(fails); i++) expect(i).toBeLessThan(50)
    return this.steps.slice(from)
  }

  #do(step: MachineStep): void {
    if (step.kind === 'take') this.lock = true
    else if (step.kind === 'release') this.lock = false
    else if (step.kind === 'open') this.device = true
    else if (step.kind === 'close') this.device = false
    else if (step.kind === 'clean-up') this.holds = false
    else if (step.kind === 'routes') {
      expect(step.want.device === '' || this.device, 'routes need their device').toBe(true)
      this.routes = step.want
      this.holds = false
    } else if (step.kind === 'names') this.names = step.want
    else if (step.kind === 'close-names') this.names = undefined
    else this.routes = step.hold ? { ...this.routes!, device: '', routes: [], addresses: [], internet: 'blocked' } : undefined
  }
}

describe('the order of putting on and taking off', () => {
  test('the computer is taken, then the device, then routes, then names; off goes the other way', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    expect(system.core.state).toBe('starting')
    expect(system.run()).toEqual(['take', 'open', 'routes', 'names'])
    expect(system.core.state).toBe('on')
    system.core.handleWish({ kind: 'none' })
    expect(system.core.state).toBe('stopping')
    expect(system.run()).toEqual(['close-names', 'close-routes', 'close', 'release'])
    expect(system.core.state).toBe('off')
    expect(system.core.isClean).toBe(true)
  })

  test('a new plan changes what differs alone', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    system.run()
    const other = { ...DIRECT, routes: { ...DIRECT.routes, udpPort: 5 } }
    system.core.handleWish(wish(other))
    expect(system.core.state).toBe('on')
    expect(system.run()).toEqual(['routes'])
    system.core.handleWish(wish({ ...other, dns: undefined }))
    expect(system.run()).toEqual(['names'])
    expect(system.names).toBeUndefined()
  })

  test('while nothing is known nothing is changed', () => {
    const system = new PlayedSystem(true)
    expect(system.run()).toEqual([])
    system.core.handleWish(wish(DIRECT))
    system.run()
    system.core.handleWish({ kind: 'unknown' })
    expect(system.run()).toEqual([])
    expect(system.core.state).toBe('on')
  })
})

describe('failures', () => {
  test('without an exit node all is taken back, and tried again ever more rarely', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    const fails = (step: MachineStep): boolean => step.kind === 'routes'
    expect(system.run(fails)).toEqual(['take', 'open', 'routes!', 'close-routes', 'close', 'release'])
    expect(system.core.state).toBe('failed')
    expect(system.core.fault?.text).toBe('routes does not work')
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      const atMs = system.core.wakeMs(system.nowMs)
      waits.push(atMs - system.nowMs)
      system.nowMs = atMs
      expect(system.run(fails)).toContain('routes!')
      expect(system.core.state).toBe('failed')
    }
    expect(waits).toEqual([1_000, 2_000, 5_000, 15_000, 30_000, 60_000, 60_000, 60_000])
    system.nowMs = system.core.wakeMs(system.nowMs)
    expect(system.run()).toEqual(['take', 'open', 'routes', 'names'])
    expect(system.core.state).toBe('on')
    expect(system.core.fault).toBeUndefined()
  })

  test('without a device, what keeps traffic in is put on alone, and the rest when there is one', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(EXIT))
    expect(system.run((step) => step.kind === 'open')).toEqual(['take', 'open!', 'routes'])
    expect(system.routes).toMatchObject({ device: '', internet: 'blocked', routes: [] })
    expect(system.core.state).toBe('holding')
    system.nowMs = system.core.wakeMs(system.nowMs)
    expect(system.run()).toEqual(['open', 'routes', 'names'])
    expect(system.core.state).toBe('on')
  })

  test('another engine has the computer: nothing is touched', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    expect(system.run((step) => step.kind === 'take')).toEqual(['take!'])
    expect(system.core.state).toBe('failed')
    system.core.handleWish({ kind: 'none' })
    expect(system.run()).toEqual([])
    expect(system.core.state).toBe('off')
  })

  test('names that cannot be set are a problem, and the rest stays', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    expect(system.run((step) => step.kind === 'names')).toEqual(['take', 'open', 'routes', 'names!'])
    expect(system.core.state).toBe('on')
    expect(system.core.problems.map(({ text }) => text)).toEqual(['names does not work'])
    system.nowMs = system.core.wakeMs(system.nowMs)
    expect(system.run()).toEqual(['names'])
    expect(system.core.problems).toEqual([])
  })

  test('a person who asks again waits for nothing', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    system.run((step) => step.kind === 'open')
    expect(system.run()).toEqual([])
    system.core.forgetFailures()
    expect(system.run()).toEqual(['take', 'open', 'routes', 'names'])
  })
})

describe('disturbances', () => {
  test('a device that vanished is opened again, with its routes and names; with an exit node nothing goes out meanwhile', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(EXIT))
    system.run()
    system.device = false
    system.core.handleTunGone(system.nowMs)
    expect(system.core.state).toBe('holding')
    expect(system.run()).toEqual(['open', 'routes', 'names'])
    expect(system.core.state).toBe('on')
  })

  test('what is disturbed again and again is put back ever more slowly', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    system.run()
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      system.core.handleDisturbed('routes', system.nowMs)
      const atMs = Math.min(system.core.wakeMs(system.nowMs), 1e9)
      waits.push(atMs === 1e9 ? 0 : atMs - system.nowMs)
      if (atMs !== 1e9) system.nowMs = atMs
      expect(system.run()).toEqual(['routes'])
    }
    expect(waits).toEqual([0, 0, 0, 500, 1_000, 2_000, 4_000, 8_000])
  })

  test('a disturbance while a step is under way is repaired after it', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    system.run()
    system.core.handleDisturbed('names', 0)
    expect(system.core.takeOutput(0)?.kind).toBe('names')
    system.core.handleDisturbed('names', 0)
    system.core.handleEnd(0)
    expect(system.run()).toEqual(['names'])
  })
})

describe('what a dead engine left', () => {
  test('is cleaned up when the computer is not wanted, by whoever has it alone', () => {
    const system = new PlayedSystem(true, true)
    system.core.handleWish({ kind: 'none' })
    expect(system.run()).toEqual(['take', 'clean-up', 'release'])
    expect(system.holds).toBe(false)
    const other = new PlayedSystem(true, true)
    other.core.handleWish({ kind: 'none' })
    expect(other.run((step) => step.kind === 'take')).toEqual(['take!'])
    expect(other.core.isClean).toBe(true)
  })

  test('is cleaned up first without an exit node, and taken over without a gap with one', () => {
    const direct = new PlayedSystem(true, true)
    direct.core.handleWish(wish(DIRECT))
    expect(direct.run()).toEqual(['take', 'clean-up', 'open', 'routes', 'names'])
    const exit = new PlayedSystem(true, true)
    exit.core.handleWish(wish(EXIT))
    expect(exit.run()).toEqual(['take', 'open', 'routes', 'names'])
  })
})

describe('an end that nobody asked for', () => {
  test('leaves what keeps traffic in, and takes all else away', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(EXIT))
    system.run()
    system.core.handleWish({ kind: 'hold' })
    expect(system.run()).toEqual(['close-names', 'close-routes', 'close'])
    expect(system.keepsIn).toBe(true)
    expect(system.device).toBe(false)
  })

  test('leaves nothing when no exit node is chosen', () => {
    const system = new PlayedSystem()
    system.core.handleWish(wish(DIRECT))
    system.run()
    system.core.handleWish({ kind: 'hold' })
    system.run()
    expect(system.core.isClean).toBe(true)
  })
})

type Event = { readonly kind: 'wish'; readonly wish: MachineWish } | { readonly kind: 'gone' | 'routes' | 'names' | 'again' } | { readonly kind: 'time'; readonly ms: number } | { readonly kind: 'steps'; readonly fails: readonly boolean[] }

const PLANS = [DIRECT, EXIT, planOf('blocked'), planOf('direct', { dns: false }), planOf('exit', { port: 7 })]
const anyWish: fc.Arbitrary<MachineWish> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PLANS).map(wish) },
  { weight: 2, arbitrary: fc.constant<MachineWish>({ kind: 'none' }) },
  { weight: 1, arbitrary: fc.constant<MachineWish>({ kind: 'unknown' }) },
)
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  anyWish.map((one) => ({ kind: 'wish', wish: one }) as const),
  fc.constantFrom({ kind: 'gone' } as const, { kind: 'routes' } as const, { kind: 'names' } as const, { kind: 'again' } as const),
  fc.nat(70_000).map((ms) => ({ kind: 'time', ms }) as const),
  fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }).map((fails) => ({ kind: 'steps', fails }) as const),
)

describe('in whatever order things happen', () => {
  test('what keeps traffic in is never let go of while it is wanted, and all is as wanted once things work', () => {
    fc.assert(fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), fc.boolean(), (events, left, held) => {
      const system = new PlayedSystem(left, left && held)
      let now: MachineWish = { kind: 'unknown' }
      const mustKeep = (): boolean => system.keepsIn && now.kind === 'plan' && now.plan.routes.internet !== 'direct'
      const step = (fails: boolean): boolean => {
        const must = mustKeep()
        const done = system.step(() => fails)
        if (must) expect(system.keepsIn, `${done?.kind ?? 'nothing'} let traffic out`).toBe(true)
        return done !== undefined
      }
      for (const event of events) {
        if (event.kind === 'wish') system.core.handleWish((now = event.wish))
        else if (event.kind === 'gone') {
          system.device = false
          system.core.handleTunGone(system.nowMs)
        } else if (event.kind === 'again') system.core.forgetFailures()
        else if (event.kind === 'time') system.nowMs += event.ms
        else if (event.kind === 'steps') for (const fails of event.fails) step(fails)
        else system.core.handleDisturbed(event.kind, system.nowMs)
      }
      for (let i = 0; ; i++) {
        expect(i).toBeLessThan(200)
        if (step(false)) continue
        const atMs = system.core.wakeMs(system.nowMs)
        if (atMs === Infinity) break
        system.nowMs = atMs
      }
      if (now.kind === 'none') {
        expect({ lock: system.lock, device: system.device, routes: system.routes, names: system.names }).toEqual({ lock: false, device: false, routes: undefined, names: undefined })
        expect(system.core.state).toBe('off')
      }
      if (now.kind === 'plan') {
        expect(system.device).toBe(true)
        expect(system.routes).toBe(now.plan.routes)
        expect(system.names).toBe(now.plan.dns)
        expect(system.core.state).toBe('on')
      }
    }), { numRuns: 2_000 })
  })
})
