import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultPrefs } from '../../../../main/engine/backend/prefs.ts'
import { differing, isNothing, stepTrial, undoing } from '../../../../main/engine/features/trial/trial.ts'
import type { OpenTrial, TrialValues } from '../../../../main/engine/features/trial/trial.ts'
import type { Prefs } from '../../../../main/localapi/types.ts'

const BASE: TrialValues = { prefs: defaultPrefs('linux'), mode: 'apps', skippedRoutes: [] }
const values = (prefs: Partial<Prefs>, more: Partial<TrialValues> = {}): TrialValues => ({ ...BASE, prefs: { ...BASE.prefs, ...prefs }, ...more })

function opened(from: TrialValues, to: TrialValues): OpenTrial {
  return { id: '1', profileId: 'p', change: {}, forth: differing(from, to), back: differing(to, from), untilWallMs: 20_000, untilMs: 20_000, losses: [] }
}

const applied = (now: TrialValues, { Prefs: prefs = {}, Mode, SkippedRoutes }: ReturnType<typeof differing>): TrialValues => ({
  prefs: { ...now.prefs, ...Object.fromEntries(Object.entries(prefs).filter(([name]) => !name.endsWith('Set'))) },
  mode: Mode ?? now.mode,
  skippedRoutes: SkippedRoutes ?? now.skippedRoutes,
})

describe('what a trial changes', () => {
  test('is exactly what differs; the fields of the exit node go together', () => {
    expect(differing(BASE, values({ RouteAll: true }))).toEqual({ Prefs: { RouteAll: true, RouteAllSet: true } })
    expect(differing(BASE, values({ ExitNodeID: 'n1', Hostname: 'x' }, { mode: 'whole' }))).toEqual({
      Prefs: { ExitNodeID: 'n1', ExitNodeIDSet: true, ExitNodeIP: '', ExitNodeIPSet: true, AutoExitNode: '', AutoExitNodeSet: true, InternalExitNodePrior: '', InternalExitNodePriorSet: true }, Mode: 'whole',
    })
    expect(isNothing(differing(BASE, values({ Hostname: 'x', AdvertiseRoutes: null })))).toBe(true)
  })

  test('is taken back whole, and only where it is still as the trial made it', () => {
    const to = values({ RouteAll: true, CorpDNS: false }, { skippedRoutes: ['10.0.0.0/8'] })
    const trial = opened(BASE, to)
    expect(undoing(trial, to)).toEqual({ Prefs: { RouteAll: false, RouteAllSet: true, CorpDNS: true, CorpDNSSet: true }, SkippedRoutes: [] })
    expect(undoing(trial, { ...to, prefs: { ...to.prefs, RouteAll: false } })).toEqual({ Prefs: { CorpDNS: true, CorpDNSSet: true }, SkippedRoutes: [] })
  })

  test('of exit nodes is a wish: which device an automatic choice came to, or that an address became a name, is nobody’s change', () => {
    const auto = opened(BASE, values({ AutoExitNode: 'any', ExitNodeID: 'auto:any' }))
    expect(undoing(auto, values({ AutoExitNode: 'any', ExitNodeID: 'n7' })).Prefs).toMatchObject({ ExitNodeID: '', AutoExitNode: '' })
    const other = undoing(auto, values({ ExitNodeID: 'n8' }))
    expect(isNothing(other)).toBe(true)
  })
})

describe('the end of a trial', () => {
  const to = values({ RouteAll: true })
  const trial = opened(BASE, to)

  test('comes when time is up, and not before', () => {
    expect(stepTrial(trial, 19_999, to)).toEqual({ kind: 'goes-on', wakeMs: 20_000 })
    expect(stepTrial(trial, 20_000, to)).toEqual({ kind: 'ends', end: 'ran-out', undo: { Prefs: { RouteAll: false, RouteAllSet: true } } })
  })

  test('comes when somebody changed all of it meanwhile', () => {
    expect(stepTrial(trial, 1, BASE)).toEqual({ kind: 'ends', end: 'replaced', undo: {} })
  })
})

const some = fc.record({
  prefs: fc.record({
    RouteAll: fc.boolean(), CorpDNS: fc.boolean(), ExitNodeAllowLANAccess: fc.boolean(), ExitNodeID: fc.constantFrom('', 'n1', 'n2'), ExitNodeIP: fc.constant(''),
    AdvertiseRoutes: fc.constantFrom(null, ['10.0.0.0/8']), ShieldsUp: fc.boolean(), Hostname: fc.constantFrom('a', 'b'),
  }),
  mode: fc.constantFrom('apps' as const, 'whole' as const),
  skippedRoutes: fc.constantFrom([], ['10.1.0.0/16']),
}).map(({ prefs, ...rest }) => values(prefs as Partial<Prefs>, rest))

test('taken back at once, everything that a trial may touch is as before', () => {
  fc.assert(fc.property(some, some, (from, to) => {
    const trial = opened(from, to)
    const now = applied(from, trial.forth)
    return isNothing(differing(from, applied(now, undoing(trial, now))))
  }))
})

test('taken back later, nothing that somebody else set is touched', () => {
  fc.assert(fc.property(some, some, some, (from, to, theirs) => {
    const trial = opened(from, to)
    const after = applied(theirs, undoing(trial, theirs))
    const marked = trial.forth.Prefs ?? {}
    const touched = (field: keyof Prefs): boolean => (marked as Record<string, unknown>)[`${field}Set`] === true
    return (['RouteAll', 'CorpDNS', 'ExitNodeAllowLANAccess'] as const).every((field) => (touched(field) && theirs.prefs[field] === to.prefs[field]) || after.prefs[field] === theirs.prefs[field])
  }))
})
