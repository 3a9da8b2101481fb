import { beforeEach, describe, expect, test } from 'vitest'
import type { MachineView } from '../../../../main/engine/backend/machine-view.ts'
import { EngineError } from '../../../../main/engine/base/errors.ts'
import { DIRECT } from '../../../../main/engine/core/plan/egress.ts'
import type { Egress } from '../../../../main/engine/core/plan/egress.ts'
import type { MachineDns, MachineRoutes } from '../../../../main/engine/core/plan/machine.ts'
import { EMPTY_PLAN } from '../../../../main/engine/core/plan/plan.ts'
import { Machine } from '../../../../main/engine/features/machine/machine.ts'
import type { MachineDeps } from '../../../../main/engine/features/machine/machine.ts'
import type { MachineParts } from '../../../../main/engine/features/machine/steps.ts'
import { MemoryStore } from '../../../../main/engine/io/memory-store.ts'
import type { MachinePage } from '../../../../main/localapi/machine.ts'
import { makeRig } from '../../backend/rig.ts'

const EXIT: Egress = { kind: 'blocked', id: 'n1', name: 'e', why: 'blocked because it is tested' }
const ZONE = { suffix: 'example.ts.net', resolvers: [], why: '' }
const PLAN: MachineView['plan'] = {
  dataplane: { ...EMPTY_PLAN.dataplane, selfAddresses: ['100.64.0.1'] }, routes: [], dns: { ...EMPTY_PLAN.dns, enabled: true, routes: [ZONE], routeOf: new Map([[ZONE.suffix, ZONE]]) },
}

/** The parts of a system, played: what they were asked, in order. */
class PlayedParts {
  readonly said: string[] = []
  fails = ''
  obstacle: { code: string; text: string } | undefined
  gone: (why: string) => void = () => {}
  disturbed: (what: { code: string; text: string }) => void = () => {}
  routes: MachineRoutes | undefined

  get parts(): MachineParts {
    const say = (text: string): void => {
      this.said.push(text)
      if (text === this.fails) throw new EngineError('io', `${text} does not work`)
    }
    return {
      setMark: (mark) => say(`mark ${mark}`),
      lock: { take: async () => (say('lock'), undefined), release: () => say('release') },
      tun: { open: async ({ name }) => (say('open'), { name, index: 3 }), close: async () => say('close'), setForwarding: () => {}, onGone: (call) => void (this.gone = call) },
      router: {
        set: async (want: MachineRoutes) => {
          say(`routes ${want.internet}`)
          this.routes = want
          return { problems: [], firewall: 'nftables', forwarding: 'none' }
        },
        close: async (hold) => say(hold ? 'hold' : 'no routes'),
        onDisturbed: (call) => void (this.disturbed = call), cleanUp: async () => (say('clean'), true), obstacle: async () => this.obstacle,
      },
      dns: {
        set: async (want: MachineDns | undefined) => (say(want ? 'names' : 'no names'), { problems: [], through: 'file' }), close: async () => say('no names'), own: () => ({ servers: ['192.168.1.1'], search: [] }),
        onDisturbed: () => {}, onOwnChanged: () => {}, cleanUp: async () => false,
      },
    }
  }
}

let played: PlayedParts
let store: MemoryStore
let view: Pick<MachineView, 'life' | 'egress'>
let rig: ReturnType<typeof makeRig>
let told: MachinePage[]
let warned: Set<string>

beforeEach(() => {
  played = new PlayedParts()
  store = new MemoryStore()
  view = { life: 'on', egress: DIRECT }
  rig = makeRig()
  told = []
  warned = new Set()
})

function start(more: Partial<MachineDeps> = {}): Machine {
  const machine = new Machine({
    env: rig.env, store, parts: played.parts, udpPort: () => 41641, isService: false, device: 'bowline0', startedAs: undefined,
    view: () => ({ ...view, plan: PLAN, prefs: { acceptDns: true, allowLan: false, advertiseRoutes: [], noSnat: false, stateful: false, netfilter: 2 }, self: undefined, system: { interfaces: [] }, why: 'it is tested' }),
    emit: ({ Machine: page }) => page && told.push(page), warnings: { set: (code) => warned.add(code), clear: (code) => warned.delete(code) }, onForm: () => {}, onOwnNames: () => {}, ...more,
  })
  machine.start()
  return machine
}

/** All that is under way without time passing. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 100; i++) await Promise.resolve()
}

describe('a person\'s word', () => {
  test('puts the whole computer on and takes it off, marks first, and is kept', async () => {
    const machine = start()
    expect(machine.page()).toMatchObject({ Mode: 'apps', State: 'off' })
    expect(await machine.act({ Mode: 'whole' })).toMatchObject({ Mode: 'whole', State: 'on', Device: 'bowline0', Addresses: ['100.64.0.1/32'], Internet: 'direct', Firewall: 'nftables', Names: { Through: 'file', Own: ['192.168.1.1'] } })
    expect(played.said).toEqual(['lock', 'mark 524288', 'open', 'mark 524288', 'routes direct', 'names'])
    expect(told.map(({ State }) => State).filter((state, i, all) => state !== all[i - 1])).toEqual(['starting', 'on'])
    played.said.length = 0
    expect(await machine.act({ Mode: 'apps' })).toMatchObject({ Mode: 'apps', State: 'off', Device: '', Routes: [] })
    expect(played.said).toEqual(['no names', 'no routes', 'close', 'mark 0', 'release'])
    await machine.act({ Mode: 'whole' })
    await machine.stop()
    played.said.length = 0
    start()
    await settle()
    expect(played.said).toEqual(['lock', 'mark 524288', 'open', 'mark 524288', 'routes direct', 'names'])
  })

  test('is refused with the reason where something is missing, and nothing is changed', async () => {
    played.obstacle = { code: 'tailscaled-runs', text: 'Tailscale has the computer already.' }
    const machine = start()
    await expect(machine.act({ Mode: 'whole' })).rejects.toMatchObject({ code: 'already-running', message: 'Tailscale has the computer already.' })
    expect(machine.page()).toMatchObject({ Mode: 'apps', State: 'off', Cannot: { Code: 'tailscaled-runs' } })
    expect(played.said).toEqual([])
    await expect(machine.act({ Mode: 'half' })).rejects.toMatchObject({ code: 'bad-argument' })
  })

  test('that cannot be done leaves nothing, and says why', async () => {
    played.fails = 'routes direct'
    const machine = start()
    expect(await machine.act({ Mode: 'whole' })).toMatchObject({ Mode: 'whole', State: 'failed', Device: '', Why: { Text: 'routes direct does not work' } })
    expect(played.said.slice(-4)).toEqual(['no routes', 'close', 'mark 0', 'release'])
    expect([...warned]).toEqual(['machine-failed'])
  })
})

describe('an engine that starts', () => {
  test('with --tun is whole at once, unless a person said otherwise; --tun=userspace-networking is not, whatever was said', async () => {
    start({ startedAs: 'whole' })
    await settle()
    expect(played.said).toContain('names')
    store.save('machine', JSON.stringify({ mode: 'apps' }))
    played.said.length = 0
    start({ startedAs: 'whole' })
    store.save('machine', JSON.stringify({ mode: 'whole' }))
    start({ startedAs: 'apps' })
    await settle()
    expect(played.said).toEqual([])
  })

  test('keeps traffic in before anything is known, when it was kept in before', async () => {
    store.save('machine', JSON.stringify({ mode: 'whole', touched: true, keptIn: true }))
    view = { life: 'unknown', egress: DIRECT }
    const machine = start()
    await settle()
    expect(played.said).toEqual(['lock', 'mark 524288', 'open', 'mark 524288', 'routes blocked', 'names'])
    view = { life: 'on', egress: EXIT }
    machine.planned()
    await settle()
    expect(machine.page()).toMatchObject({ State: 'on', Internet: 'blocked' })
    expect(played.said).not.toContain('clean')
  })

  test('cleans up after one that died with programs alone or without an exit node', async () => {
    store.save('machine', JSON.stringify({ mode: 'apps', touched: true, keptIn: false }))
    start()
    await settle()
    expect(played.said).toEqual(['lock', 'clean', 'mark 0', 'release'])
  })
})

describe('while an exit node is chosen', () => {
  test('an end that nobody asked for leaves what keeps traffic in; a clean stop does not', async () => {
    view = { life: 'on', egress: EXIT }
    const machine = start()
    await machine.act({ Mode: 'whole' })
    machine.handleFailed()
    await machine.stop()
    expect(played.said.slice(-3)).toEqual(['no names', 'hold', 'close'])
    const next = start()
    await settle()
    await next.stop()
    expect(played.said.slice(-5)).toEqual(['no names', 'no routes', 'close', 'mark 0', 'release'])
  })

  test('a device that vanished and does not come back is a state of its own', async () => {
    view = { life: 'on', egress: EXIT }
    const machine = start()
    await machine.act({ Mode: 'whole' })
    played.fails = 'open'
    played.gone('somebody took it')
    await settle()
    expect(machine.page()).toMatchObject({ State: 'holding', Internet: 'blocked', Device: '', Why: { Text: 'open does not work' } })
    expect(played.routes).toMatchObject({ device: '', internet: 'blocked' })
    expect([...warned]).toEqual(['machine-holding'])
  })
})
