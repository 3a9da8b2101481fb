import { describe, expect, test } from 'vitest'
import { EngineError } from '../../../../main/engine/base/errors.ts'
import type { PolicyReading } from '../../../../main/engine/core/policy/read-policy.ts'
import { readPolicy } from '../../../../main/engine/core/policy/read-policy.ts'
import type { TrialPage } from '../../../../main/localapi/machine.ts'
import type { Notify } from '../../../../main/localapi/types.ts'
import { WATCH } from '../../../../main/localapi/watch-mask.ts'
import { settle } from '../../../sim/clock.ts'
import { makeRig } from '../../backend/rig.ts'
import type { Rig } from '../../backend/rig.ts'
import { makeTrial } from '../../server/rig.ts'
import type { TrialSlice } from '../../../../main/engine/features/trial/slice.ts'

const ROUTES = { Prefs: { RouteAll: true, RouteAllSet: true } } as const

interface Desk extends TrialSlice {
  readonly rig: Rig
  readonly heard: Notify[]
}

function desk(options: Parameters<typeof makeRig>[0] = {}): Desk {
  const rig = makeRig(options)
  const slice = makeTrial(rig)
  rig.backend.start()
  return { rig, ...slice, heard: rig.watch(WATCH.machine) }
}

const accepts = ({ rig }: Desk): boolean => rig.backend.views.prefs().RouteAll
const last = ({ trials }: Desk): TrialPage['Last'] => trials.page().Last

describe('a change on trial', () => {
  test('is made at once, told on the bus with what it goes back to, and taken back when nobody keeps it', async () => {
    const one = desk()
    const page = await one.trials.act({ Change: ROUTES })
    expect(page.Trial).toMatchObject({ LeftMs: 20_000, Change: ROUTES, Back: { Prefs: { RouteAll: false, RouteAllSet: true } } })
    expect(accepts(one)).toBe(true)
    one.rig.clock.advance(19_999)
    expect(accepts(one)).toBe(true)
    one.rig.clock.advance(1)
    await settle()
    expect(accepts(one)).toBe(false)
    expect(last(one)).toMatchObject({ ID: page.Trial!.ID, End: 'ran-out' })
    expect(one.heard.flatMap(({ Trial }) => Trial ?? []).map(({ Trial, Last }) => Trial?.LeftMs ?? Last?.End)).toEqual([undefined, 20_000, 'ran-out'])
    expect(one.rig.journal.filter(({ part }) => part === 'trial').map(({ kind }) => kind)).toEqual(['begun', 'ran-out'])
  })

  test('is taken back also where the timer comes a moment early', async () => {
    const rig = makeRig()
    const clock = { nowMs: () => rig.clock.nowMs(), wallMs: () => rig.clock.wallMs(), after: (ms: number, call: () => void) => rig.clock.after(Math.max(1, ms - 2), call) }
    const { trials } = makeTrial({ ...rig, env: { ...rig.env, clock } })
    rig.backend.start()
    await trials.act({ Change: ROUTES })
    rig.clock.advance(19_998)
    expect(rig.backend.views.prefs().RouteAll).toBe(true)
    for (let i = 0; i < 5; i++) rig.clock.advance(1)
    await settle()
    expect(rig.backend.views.prefs().RouteAll).toBe(false)
  })

  test('stays when somebody keeps it', async () => {
    const one = desk()
    const { Trial } = await one.trials.act({ Change: ROUTES, Seconds: 5 })
    expect(await one.trials.act({ ID: Trial!.ID, Answer: 'keep' })).toMatchObject({ Last: { End: 'kept' } })
    one.rig.clock.advance(60_000)
    expect(accepts(one)).toBe(true)
    expect(one.rig.store.load('trial', (text) => text)).toBeUndefined()
  })

  test('goes when somebody takes it back, once', async () => {
    const one = desk()
    const { Trial } = await one.trials.act({ Change: ROUTES })
    await one.trials.act({ ID: Trial!.ID, Answer: 'undo' })
    expect(accepts(one)).toBe(false)
    await expect(one.trials.act({ ID: Trial!.ID, Answer: 'keep' })).rejects.toThrow('This trial is over.')
  })

  test('is one at a time', async () => {
    const one = desk()
    await one.trials.act({ Change: ROUTES })
    await expect(one.trials.act({ Change: { Prefs: { CorpDNS: false, CorpDNSSet: true } } })).rejects.toThrow('Another change is on trial.')
  })

  test('leaves alone what somebody set meanwhile, and is over when that was all of it', async () => {
    const one = desk()
    await one.trials.act({ Change: { Prefs: { RouteAll: true, RouteAllSet: true, CorpDNS: false, CorpDNSSet: true } } })
    one.rig.backend.editPrefs({ RouteAll: false, RouteAllSet: true })
    one.rig.backend.editPrefs({ RouteAll: true, RouteAllSet: true, CorpDNS: true, CorpDNSSet: true, Hostname: 'x', HostnameSet: true })
    expect(one.trials.page().Trial).toBeDefined()
    one.rig.backend.editPrefs({ RouteAll: false, RouteAllSet: true })
    await settle()
    expect(last(one)).toMatchObject({ End: 'replaced' })
    expect(one.rig.backend.views.prefs()).toMatchObject({ RouteAll: false, CorpDNS: true, Hostname: 'x' })
  })

  test('is taken back before another profile takes over', async () => {
    const one = desk()
    one.rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', WantRunning: true }, AuthKey: 'k' })
    one.rig.signIn()
    const first = one.rig.backend.views.profileId()!
    await one.trials.act({ Change: ROUTES })
    one.rig.backend.profileSwitch.toNew()
    await settle()
    expect(last(one)).toMatchObject({ End: 'left' })
    one.rig.backend.profileSwitch.to(first)
    expect(accepts(one)).toBe(false)
  })
})

describe('an engine that died with a change on trial', () => {
  test('takes it back before it connects, whatever its clock says now', async () => {
    const one = desk()
    await one.trials.act({ Change: { ...ROUTES, SkippedRoutes: ['10.0.0.0/8'] } })
    const next = desk({ store: one.rig.store, wallMs: 0 })
    await settle()
    expect(next.rig.backend.views.prefs().RouteAll).toBe(false)
    expect(next.rig.backend.extras.SkippedRoutes).toEqual([])
    expect(last(next)).toMatchObject({ End: 'restarted' })
    expect(next.rig.journal.filter(({ part }) => part === 'backend').map(({ kind }) => kind).slice(0, 3)).toEqual(['prefs', 'extras', 'start'])
    expect(next.rig.store.load('trial', (text) => text)).toBeUndefined()
  })

  test('knows what to go back to although it died before the change was made', async () => {
    const one = desk()
    const saved: string[] = []
    const store = { ...one.rig.store, load: one.rig.store.load.bind(one.rig.store), remove: one.rig.store.remove.bind(one.rig.store), save: (name: string, text: string) => void saved.push(`${name} ${accepts(one)} ${text.includes('"RouteAll":false')}`) }
    const { trials } = makeTrial({ ...one.rig, store: store as unknown as Rig['store'] })
    await trials.act({ Change: ROUTES })
    expect(saved).toEqual(['trial false true'])
  })

  test('ignores a file that makes no sense', () => {
    const one = desk()
    one.rig.store.save('trial', '{"version":1,"id":7}')
    const next = desk({ store: one.rig.store })
    expect(next.trials.page()).toEqual({})
  })
})

describe('a change that cannot be made', () => {
  test('is refused before anything is written or changed', async () => {
    const one = desk()
    const tries = [
      undefined, {}, { Change: {} }, { Change: ROUTES, Seconds: 4 }, { Change: ROUTES, Seconds: 1e9 }, { Change: { Prefs: { Hostname: 'x', HostnameSet: true } } }, { Change: { Mode: 'half' } },
      { Change: { SkippedRoutes: ['no network'] } }, { Change: { Prefs: { RouteAll: 'yes', RouteAllSet: true } } }, { Change: { Prefs: { RouteAll: false, RouteAllSet: true } } }, { ID: 7, Answer: 'keep' },
    ]
    for (const body of tries) await expect(one.trials.act(body)).rejects.toBeInstanceOf(EngineError)
    expect(one.trials.page()).toEqual({})
    expect(one.rig.store.load('trial', (text) => text)).toBeUndefined()
  })

  test('leaves nothing of it when it fails half way', async () => {
    const one = desk()
    await expect(one.trials.act({ Change: { ...ROUTES, Mode: 'whole' } })).rejects.toThrow('no rights')
    expect(accepts(one)).toBe(false)
    expect(one.trials.page()).toEqual({})
    expect(one.rig.store.load('trial', (text) => text)).toBeUndefined()
  })

  test('by the device policy is refused as any other change', async () => {
    const policy: PolicyReading = { policy: readPolicy({ UseTailscaleSubnets: 'never' }), refused: [], from: ['policy.json'] }
    const one = desk({ policy: { read: () => policy } })
    await one.rig.backend.unlock()
    await expect(one.trials.act({ Change: ROUTES })).rejects.toThrow('set by')
    expect(await one.previews.page(ROUTES, true)).toMatchObject({ Refused: { Code: 'managed-by-policy' }, Losses: [], IsRisky: false })
  })
})
