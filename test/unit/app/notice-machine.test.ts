/**
 * Which notifications are on screen, with a clock in hand: one for each cause, at a pace, replaced, closed, kept back, bounded.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS, NOTICE_CATEGORIES } from '../../../main/localapi/app-settings.ts'
import { LIMIT, NoticeMachine, PACE_MS, type Cause, type Effect } from '../../../main/app/notices/machine.ts'

const LEVELS = { ...DEFAULT_SETTINGS.notifications, blocked: 'toast' } as const

const cause = (key: string, more: Partial<Cause> = {}): Cause => ({ key, category: 'exit-node', title: key, body: '', actions: [], open: { kind: 'open' }, inWindow: true, ...more })
const words = (effects: readonly Effect[]): readonly string[] => effects.flatMap((effect) => {
  switch (effect.kind) {
    case 'show':
      return [`show ${effect.cause.title}`]
    case 'close':
      return [`close ${effect.key}`]
    case 'window':
      return [`window ${effect.causes.map(({ title }) => title).join()}`]
    case 'badge':
      return []
  }
})
const badges = (effects: readonly Effect[]): readonly number[] => effects.flatMap((effect) => (effect.kind === 'badge' ? [effect.count] : []))

describe('notifications', () => {
  it('are shown once for a cause, and closed when it has gone', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleCauses(0, [cause('a')])
    expect(words(machine.takeEffects())).toEqual(['show a'])
    machine.handleCauses(20_000, [cause('a')])
    machine.handleTimeout(40_000)
    expect(words(machine.takeEffects())).toEqual([])
    machine.handleCauses(50_000, [])
    expect(words(machine.takeEffects())).toEqual(['close a'])
  })

  it('are replaced when the cause says something else, also after the person closed it', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleCauses(0, [cause('a')])
    machine.handleClosed(1000, 'a')
    machine.handleCauses(20_000, [cause('a', { title: 'other words' })])
    expect(words(machine.takeEffects())).toEqual(['show a', 'close a', 'show other words'])
  })

  it('come at most once in ten seconds, the gravest first, and not at all when the cause has gone meanwhile', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleCauses(0, [cause('first', { category: 'blocked' })])
    machine.handleCauses(100, [cause('first', { category: 'blocked' }), cause('small', { category: 'blocked' }), cause('gone'), cause('grave')])
    expect(words(machine.takeEffects())).toEqual(['show first'])
    expect(machine.nextTimeout()).toBe(PACE_MS)
    machine.handleCauses(200, [cause('first', { category: 'blocked' }), cause('small', { category: 'blocked' }), cause('grave')])
    machine.handleTimeout(PACE_MS - 1)
    expect(words(machine.takeEffects())).toEqual([])
    machine.handleTimeout(PACE_MS)
    machine.handleTimeout(2 * PACE_MS)
    expect(words(machine.takeEffects())).toEqual(['show grave', 'show small'])
    expect(machine.nextTimeout()).toBeUndefined()
  })

  it('are none while the window shows the same, and what it does not show stands in it', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleVisible(0, true)
    machine.handleCauses(0, [cause('seen'), cause('unseen', { inWindow: false })])
    expect(words(machine.takeEffects())).toEqual(['window unseen'])
    machine.handleVisible(60_000, false)
    expect(words(machine.takeEffects())).toEqual([])
    machine.handleClosed(61_000, 'unseen')
    expect(words(machine.takeEffects())).toEqual(['window '])
  })

  it('go when the window comes on screen', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleCauses(0, [cause('a'), cause('b'), cause('c', { inWindow: false })])
    machine.handleVisible(100, true)
    machine.handleVisible(200, false)
    machine.handleTimeout(100_000)
    expect(words(machine.takeEffects())).toEqual(['show a', 'close a', 'window c'])
  })

  it('that the system does not show stand in the window', () => {
    const machine = new NoticeMachine(LEVELS)
    machine.handleCauses(0, [cause('a', { inWindow: false })])
    machine.handleFailed(1, 'a')
    machine.handleCauses(2, [cause('a', { inWindow: false })])
    machine.handleCauses(30_000, [])
    expect(words(machine.takeEffects())).toEqual(['show a', 'window a', 'window '])
  })

  it('of a kind that only marks are counted, of one that is off not even that', () => {
    const machine = new NoticeMachine({ ...LEVELS, 'exit-node': 'badge', updates: 'off' })
    machine.handleCauses(0, [cause('a'), cause('b', { category: 'updates' }), cause('c', { category: 'sign-in' })])
    const effects = machine.takeEffects()
    expect(words(effects)).toEqual(['show c'])
    expect(badges(effects)).toEqual([2])
    machine.handleLevels(20_000, { ...LEVELS, 'sign-in': 'off', 'exit-node': 'off' })
    const after = machine.takeEffects()
    expect(words(after)).toEqual(['close c'])
    expect(badges(after)).toEqual([0])
  })

  it('that are mere news count until they are told or the window is seen, and never as something to do', () => {
    const machine = new NoticeMachine({ ...LEVELS, 'delivered-files': 'badge' })
    const marks = (): readonly unknown[] => machine.takeEffects().flatMap((effect) => (effect.kind === 'badge' ? [[effect.count, effect.acts]] : []))
    const delivered = cause('d', { category: 'delivered-files', isNews: true })
    const received = cause('r', { category: 'incoming-files', isNews: true, inWindow: false })
    machine.handleCauses(0, [cause('a'), delivered, received])
    expect(marks()).toEqual([[3, 1]])
    machine.handleClosed(1000, 'r')
    expect(marks()).toEqual([[2, 1]])
    machine.handleVisible(2000, true)
    machine.handleVisible(3000, false)
    expect(marks()).toEqual([[1, 1]])
    machine.handleCauses(4000, [cause('a'), { ...delivered, title: 'two more' }])
    expect(marks()).toEqual([[2, 1]])
  })

  it('stay bounded and at their pace with ten thousand causes that come and go', () => {
    const machine = new NoticeMachine(LEVELS)
    const many = Array.from({ length: 10_000 }, (_, i) => cause(`n${i}`, { category: 'blocked' }))
    let shown = 0
    for (let s = 0; s < 100; s++) {
      machine.handleCauses(s * 1000, s % 7 === 0 ? many.slice(s) : [...many, cause('grave')])
      shown += words(machine.takeEffects()).filter((line) => line.startsWith('show')).length
    }
    expect(shown).toBe(10)
    machine.handleCauses(100_000, [])
    expect(machine.nextTimeout()).toBeUndefined()
    machine.handleCauses(101_000, many)
    expect(badges(machine.takeEffects()).at(-1)).toBe(LIMIT)
  })

  it('keep their promises whatever comes', () => {
    const causes = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), category: fc.constantFrom(...NOTICE_CATEGORIES), title: fc.constantFrom('1', '2'), inWindow: fc.boolean() }), { maxLength: 6 })
    const step = fc.record({ ms: fc.integer({ min: 0, max: 15_000 }), do: fc.constantFrom('causes', 'visible', 'hidden', 'failed', 'closed', 'time'), causes, key: fc.constantFrom('a', 'b', 'zz') })
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const machine = new NoticeMachine(LEVELS)
      const onScreen = new Set<string>()
      let [nowMs, lastMs, visible] = [0, -Infinity, false]
      for (const one of steps) {
        nowMs += one.ms
        if (one.do === 'causes') machine.handleCauses(nowMs, [...new Map(one.causes.map((found) => [found.key, cause(found.key, found)])).values()])
        else if (one.do === 'visible' || one.do === 'hidden') machine.handleVisible(nowMs, (visible = one.do === 'visible'))
        else if (one.do === 'failed') machine.handleFailed(nowMs, one.key)
        else if (one.do === 'closed') machine.handleClosed(nowMs, one.key)
        else machine.handleTimeout(nowMs)
        for (const effect of machine.takeEffects()) {
          if (effect.kind === 'show') {
            expect(nowMs - lastMs).toBeGreaterThanOrEqual(PACE_MS)
            expect(visible).toBe(false)
            lastMs = nowMs
            onScreen.add(effect.cause.key)
          } else if (effect.kind === 'close') onScreen.delete(effect.key)
        }
        if (one.do === 'failed') onScreen.delete(one.key)
        if (visible) expect([...onScreen]).toEqual([])
        for (const key of onScreen) expect(machine.causeOf(key)).toBeDefined()
      }
    }))
  })
})
