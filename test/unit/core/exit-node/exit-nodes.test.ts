import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UNRESOLVED_EXIT } from '../../../../main/engine/core/plan/egress.ts'
import { World } from './world.ts'
import type { Place } from './world.ts'

const NODE = { kind: 'node', id: 'a' } as const
const AUTO = { kind: 'auto', id: '' } as const

describe('without a choice', () => {
  test('nobody is asked and nothing is said', () => {
    const world = new World({ a: {}, b: {} })
    world.run(3_600_000)
    expect(world.asked).toBe(0)
    expect(world.history).toEqual(['none'])
    expect(world.last?.wakeAtMs).toBe(Infinity)
  })

  test('a person who looks has everyone measured once, a silent one asked three times', () => {
    const world = new World({ a: { latencyMs: 30, way: 'relay' }, b: { up: false } })
    world.machine.measureAll()
    world.step()
    world.run(60_000)
    expect(world.machine.lifeOf('a').measure).toEqual({ latencyMs: 30, way: 'relay' })
    expect(world.machine.lifeOf('b')).toMatchObject({ measure: undefined, isDead: true })
    expect(world.asked).toBe(4)
  })
})

describe('a chosen exit node', () => {
  test('is used at once, asked whether it answers, and again after a minute of silence', () => {
    const world = new World({ a: {} }, { choice: NODE })
    expect(world.verdict).toBe('use a')
    expect(world.asked).toBe(1)
    world.run(59_000)
    expect(world.asked).toBe(1)
    world.run(2_000)
    expect(world.asked).toBe(2)
  })

  test('that falls silent is blocked within four seconds of the first wish, with its name, and used again as soon as it answers', () => {
    const world = new World({ a: { name: 'exit-ams' } }, { choice: NODE })
    world.run(30_000)
    world.change('a', { up: false })
    world.machine.handleWish(world.nowMs)
    world.step()
    world.run(4_100)
    expect(world.verdict).toBe('block a')
    expect(world.why).toBe('blocked because the exit node exit-ams does not answer')
    world.change('a', { up: true })
    world.run(2_100)
    expect(world.verdict).toBe('use a')
    expect(world.history).toEqual(['use a', 'block a', 'use a'])
  })

  test.each([60_000, 600_000, 36_000_000])('that was silent for %d ms and comes back is used again within half a minute, though nobody sends and the server says nothing', (silentMs) => {
    const world = new World({ a: { name: 'exit-ams' } }, { choice: NODE })
    world.run(30_000)
    world.change('a', { up: false })
    world.machine.handleWish(world.nowMs)
    world.step()
    world.run(silentMs)
    expect(world.verdict).toBe('block a')
    // Not told to the machine.
    world.places = { a: { name: 'exit-ams', up: true } }
    world.run(31_000)
    expect(world.verdict).toBe('use a')
  })

  test('is asked when packets go there and none come back', () => {
    const world = new World({ a: {} }, { choice: NODE })
    world.send(true)
    world.run(10_000)
    const asked = world.asked
    world.change('a', { up: false })
    world.run(1_600)
    expect(world.asked).toBeGreaterThan(asked)
    world.run(4_000)
    expect(world.verdict).toBe('block a')
  })

  test('is not asked while packets come back, however long traffic goes on', () => {
    const world = new World({ a: {} }, { choice: NODE })
    world.send(true)
    world.run(600_000)
    expect(world.asked).toBe(1)
  })

  test('that the server calls offline goes on while it answers, and is blocked within three seconds when it does not', () => {
    const world = new World({ a: { name: 'exit-ams', online: true } }, { choice: NODE })
    world.run(10_000)
    world.change('a', { online: false })
    world.run(20_000)
    expect(world.verdict).toBe('use a')
    world.change('a', { up: false })
    world.machine.handleWish(world.nowMs)
    world.step()
    world.run(3_000)
    expect(world.verdict).toBe('block a')
    expect(world.why).toBe('blocked because the exit node exit-ams is offline')
  })

  test('is not blamed for our own lost network, nor for a move to another one', () => {
    const world = new World({ a: {} }, { choice: NODE })
    world.run(10_000)
    world.set({ hasNetwork: false })
    world.machine.handleWish(world.nowMs)
    world.run(600_000)
    expect(world.verdict).toBe('use a')
    world.set({ hasNetwork: true })
    world.machine.handleMove(world.nowMs)
    world.step()
    world.run(60_000)
    expect(world.history).toEqual(['use a'])
  })

  test('that the map does not have, or refuses, is left to the map to explain', () => {
    const world = new World({ b: {} }, { choice: NODE })
    world.run(10_000)
    expect(world.verdict).toBe('none')
    const refused = new World({ a: { fault: 'is not offered as one' } }, { choice: NODE })
    refused.run(10_000)
    expect(refused.verdict).toBe('use a')
    expect(refused.asked).toBe(0)
  })

  test('with "go direct" lets traffic past it while it does not answer, and says so', () => {
    const world = new World({ a: { name: 'exit-ams' } }, { choice: NODE, failure: 'direct' })
    world.run(1_000)
    world.change('a', { up: false })
    world.machine.handleWish(world.nowMs + 5_000)
    world.run(70_000)
    expect(world.verdict).toBe('pause a')
    expect(world.why).toContain('as you chose for this case: the exit node exit-ams does not answer')
    world.change('a', { up: true })
    world.run(40_000)
    expect(world.verdict).toBe('use a')
  })

  test('with "next node" is replaced by the best that answers the moment it is dead, and taken back once it is steady', () => {
    const world = new World({ a: { name: 'exit-ams' }, b: { name: 'exit-osl', latencyMs: 40 }, c: { name: 'exit-nyc', latencyMs: 90 }, d: { up: false } }, { choice: NODE, failure: 'next' })
    world.run(10_000)
    world.change('a', { up: false })
    world.machine.handleWish(world.nowMs)
    world.step()
    const lostMs = world.nowMs
    world.run(4_200)
    expect(world.verdict).toBe('use b')
    expect(world.why).toBe('exit-ams does not answer: the nearest of 2 that answer: direct, 40 ms')
    expect(world.told.at(-1)!.atMs - lostMs).toBeLessThanOrEqual(4_100)
    world.change('a', { up: true })
    world.run(20_000)
    expect(world.verdict).toBe('use b')
    world.run(40_000)
    expect(world.verdict).toBe('use a')
    expect(world.history).toEqual(['use a', 'use b', 'use a'])
  })

  test('that fails again and again is trusted again only after ever longer', () => {
    const world = new World({ a: {}, b: {} }, { choice: NODE, failure: 'next' })
    world.run(5_000)
    const backAfterMs: number[] = []
    for (let round = 0; round < 3; round++) {
      world.change('a', { up: false })
      world.machine.handleWish(world.nowMs + 5_000)
      world.run(70_000)
      expect(world.verdict).toBe('use b')
      world.change('a', { up: true })
      const upMs = world.nowMs
      world.run(300_000)
      expect(world.verdict).toBe('use a')
      backAfterMs.push(world.told.at(-1)!.atMs - upMs)
    }
    expect(backAfterMs[1]!).toBeGreaterThan(backAfterMs[0]! + 20_000)
    expect(backAfterMs[2]!).toBeGreaterThan(backAfterMs[1]! + 40_000)
  })

  test('that was replaced is wanted again as soon as the rule forbids another', () => {
    const world = new World({ a: { up: false }, b: {} }, { choice: NODE, failure: 'next' })
    world.run(10_000)
    expect(world.verdict).toBe('use b')
    world.set({ failure: 'block' })
    world.run(10_000)
    expect(world.verdict).toBe('block a')
  })
})

describe('an automatic choice', () => {
  test('takes the best path: direct before another device before a relay, then the round trip', () => {
    const world = new World({ a: { way: 'relay', latencyMs: 5 }, b: { latencyMs: 50 }, c: { latencyMs: 30 }, d: { way: 'peer-relay', latencyMs: 1 } }, { choice: AUTO })
    expect(world.verdict).toBe(`block ${UNRESOLVED_EXIT}`)
    world.run(1_000)
    expect(world.verdict).toBe('use c')
    expect(world.why).toBe('the nearest of 4 that answer: direct, 30 ms')
    world.run(3_600_000)
    expect(world.history).toEqual([`block ${UNRESOLVED_EXIT}`, 'use c'])
  })

  test('takes first what a person put first, then what the server recommends', () => {
    const places = { a: { latencyMs: 5 }, b: { latencyMs: 50, recommended: true }, c: { latencyMs: 90 } }
    const recommended = new World(places, { choice: AUTO })
    recommended.run(2_000)
    expect(recommended.verdict).toBe('use b')
    const ordered = new World(places, { choice: AUTO, order: ['c'] })
    ordered.run(2_000)
    expect(ordered.verdict).toBe('use c')
  })

  test('does not wait for those that are silent', () => {
    const world = new World({ a: { latencyMs: 80 }, b: { up: false }, c: { up: false } }, { choice: AUTO })
    world.run(800)
    expect(world.verdict).toBe('use a')
  })

  test('goes to the next best at once when the one in use dies, says why, and does not come back by itself', () => {
    const world = new World({ a: { name: 'exit-ams', latencyMs: 5 }, b: { latencyMs: 50 } }, { choice: AUTO })
    world.run(20_000)
    expect(world.verdict).toBe('use a')
    world.change('a', { up: false, online: false })
    world.run(3_000)
    expect(world.verdict).toBe('use b')
    expect(world.why).toBe('exit-ams is offline: the only one that answers: direct, 50 ms')
    world.change('a', { up: true, online: true })
    world.run(3_600_000)
    expect(world.verdict).toBe('use b')
  })

  test.each([20, 150, 400])('leaves one that dies under steady traffic within three to four seconds, asked at least three times (%i ms away)', (latencyMs) => {
    for (let phaseMs = 0; phaseMs < 500; phaseMs += 50) {
      const world = new World({ a: { name: 'exit-ams', latencyMs: 5 }, b: { latencyMs }, c: { up: false } }, { choice: AUTO })
      world.send(true)
      world.run(20_000 + phaseMs)
      const [diedMs, asked] = [world.nowMs, world.asked]
      world.change('a', { up: false })
      world.run(4_000)
      expect(world.verdict).toBe('use b')
      expect(world.told.at(-1)!.atMs - diedMs).toBeGreaterThan(2_500)
      expect(world.asked - asked).toBeGreaterThanOrEqual(4)
      expect(world.why).toContain('exit-ams does not answer')
    }
  })

  test('is not left under steady traffic when everything is silent for a moment, which is our own network', () => {
    for (let silentMs = 500; silentMs <= 4_500; silentMs += 100) {
      const world = new World({ a: { latencyMs: 50 }, b: { latencyMs: 60 } }, { choice: AUTO })
      world.send(true)
      world.run(20_000)
      for (const id of ['a', 'b']) world.change(id, { up: false })
      world.run(silentMs)
      for (const id of ['a', 'b']) world.change(id, { up: true })
      world.run(60_000)
      expect(world.history).toEqual([`block ${UNRESOLVED_EXIT}`, 'use a'])
    }
  })

  test('moves to a direct path that came up late, once', () => {
    const world = new World({ a: { way: 'relay', latencyMs: 40 }, b: { way: 'relay', latencyMs: 60 } }, { choice: AUTO })
    world.run(2_000)
    expect(world.verdict).toBe('use a')
    world.change('b', { way: 'direct', latencyMs: 20 })
    world.run(10_000)
    expect(world.verdict).toBe('use b')
    world.change('a', { way: 'direct', latencyMs: 1 })
    world.run(3_600_000)
    expect(world.verdict).toBe('use b')
  })

  test('after a move to another network looks whether another is much better, and stays for a little', () => {
    const world = new World({ a: { latencyMs: 20 }, b: { latencyMs: 100 } }, { choice: AUTO })
    world.run(20_000)
    world.change('a', { latencyMs: 90 })
    world.change('b', { latencyMs: 80 })
    world.machine.handleMove(world.nowMs)
    world.step()
    world.run(20_000)
    expect(world.verdict).toBe('use a')
    world.change('b', { latencyMs: 15 })
    world.machine.handleMove(world.nowMs)
    world.step()
    world.run(20_000)
    expect(world.verdict).toBe('use b')
    expect(world.why).toContain('a is less near')
  })

  test('keeps the one that was in use before, after a restart', () => {
    const world = new World({ a: { latencyMs: 5 }, b: { latencyMs: 7 } }, { choice: { kind: 'auto', id: 'b' } })
    expect(world.verdict).toBe('use b')
    world.run(60_000)
    expect(world.history).toEqual(['use b'])
  })

  test('is blocked while nobody answers, says so, and goes on when somebody does', () => {
    const world = new World({ a: { up: false }, b: { up: false } }, { choice: AUTO })
    world.run(10_000)
    expect(world.verdict).toBe(`block ${UNRESOLVED_EXIT}`)
    expect(world.why).toBe('blocked because no exit node answers')
    world.change('b', { up: true, online: true })
    world.run(1_500)
    expect(world.verdict).toBe('use b')
  })

  test('is blocked when nobody offers to be one, or goes past them where a person chose so', () => {
    const world = new World({}, { choice: AUTO })
    expect(world.why).toBe('blocked because no device offers itself as exit node')
    world.set({ failure: 'direct' })
    expect(world.verdict).toBe('pause ')
  })

  test('comes back to the one that a person put first, once it is steady', () => {
    const world = new World({ a: { up: false }, b: {} }, { choice: AUTO, order: ['a'] })
    world.run(20_000)
    expect(world.verdict).toBe('use b')
    world.change('a', { up: true, online: true })
    world.run(10_000)
    expect(world.verdict).toBe('use b')
    world.run(60_000)
    expect(world.verdict).toBe('use a')
    expect(world.why).toContain('first in your order')
  })
})

describe('a pause', () => {
  test('lets traffic past until its time and no longer', () => {
    const world = new World({ a: {} }, { choice: NODE })
    world.machine.handlePause({ why: 'a sign-in page', untilMs: world.nowMs + 600_000 })
    world.step()
    expect(world.verdict).toBe('pause a')
    world.run(599_000)
    expect(world.verdict).toBe('pause a')
    world.run(1_000)
    expect(world.verdict).toBe('use a')
  })

  test('ends with another choice, and is none without one', () => {
    const world = new World({ a: {}, b: {} })
    world.machine.handlePause({ why: 'x', untilMs: undefined })
    expect(world.machine.pause).toBeUndefined()
    world.set({ choice: NODE })
    world.machine.handlePause({ why: 'x', untilMs: undefined })
    world.set({ choice: { kind: 'node', id: 'b' } })
    expect(world.verdict).toBe('use b')
  })
})

describe('whatever happens', () => {
  const id = fc.constantFrom('a', 'b', 'c')
  const place: fc.Arbitrary<Place> = fc.record({
    up: fc.boolean(), online: fc.constantFrom(true, false, undefined), way: fc.constantFrom('direct' as const, 'relay' as const), latencyMs: fc.integer({ min: 1, max: 900 }),
  })
  const move = fc.oneof(
    fc.record({ kind: fc.constant('change' as const), id, place }),
    fc.record({ kind: fc.constant('run' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ kind: fc.constant('wish' as const) }),
    fc.record({ kind: fc.constant('send' as const), on: fc.boolean() }),
    fc.record({ kind: fc.constant('move' as const) }),
    fc.record({ kind: fc.constant('network' as const), is: fc.boolean() }),
    fc.record({ kind: fc.constant('rule' as const), failure: fc.constantFrom('block' as const, 'next' as const) }),
    fc.record({ kind: fc.constant('choose' as const), choice: fc.oneof(fc.constant(AUTO), id.map((one) => ({ kind: 'node' as const, id: one }))) }),
  )

  function play(world: World, moves: readonly (typeof move extends fc.Arbitrary<infer M> ? M : never)[], check: () => void): void {
    for (const one of moves) {
      if (one.kind === 'change') world.change(one.id, one.place)
      else if (one.kind === 'run') world.run(one.ms)
      else if (one.kind === 'wish') world.machine.handleWish(world.nowMs)
      else if (one.kind === 'send') world.send(one.on)
      else if (one.kind === 'move') world.machine.handleMove(world.nowMs)
      else if (one.kind === 'network') world.set({ hasNetwork: one.is })
      else if (one.kind === 'rule') world.set({ failure: one.failure })
      else world.set({ choice: one.choice })
      world.step()
      check()
    }
  }

  test('a choice without "go direct" and without a pause never lets traffic past, and a single device is never replaced under "block"', () => {
    fc.assert(fc.property(fc.array(move, { maxLength: 25 }), (moves) => {
      const world = new World({ a: {}, b: {}, c: {} }, { choice: NODE })
      play(world, moves, () => {
        const { choice, failure } = world.facts
        expect(world.last?.verdict?.kind).not.toBe('pause')
        expect(world.last?.verdict).toBeDefined()
        if (choice.kind === 'node' && failure === 'block') expect(world.last?.verdict?.id).toBe(choice.id)
      })
    }))
  })

  test('once things are quiet, whoever lives is used, and nothing changes any more', () => {
    fc.assert(fc.property(fc.array(move, { maxLength: 20 }), (moves) => {
      const world = new World({ a: {}, b: {}, c: {} }, { choice: NODE })
      play(world, moves, () => {})
      world.set({ hasNetwork: true })
      for (const one of ['a', 'b', 'c']) world.change(one, { online: world.places[one]!.up !== false })
      world.machine.handleWish(world.nowMs)
      world.run(1_000_000)
      const { choice, failure } = world.facts
      const settled = world.told.length
      const isUp = (one: string): boolean => world.places[one]?.up !== false
      const anyUp = ['a', 'b', 'c'].some(isUp)
      if (choice.kind === 'node' && (failure === 'block' || isUp(choice.id))) expect(world.verdict).toBe(`${isUp(choice.id) ? 'use' : 'block'} ${choice.id}`)
      else if (anyUp) expect(isUp(world.last!.verdict!.id)).toBe(true)
      else expect(world.last?.verdict?.kind).toBe('block')
      world.run(1_000_000)
      expect(world.told.length).toBe(settled)
    }), { numRuns: 200 })
  })

  test('it rests: nobody is asked more than twice a second', () => {
    fc.assert(fc.property(fc.array(move, { maxLength: 25 }), (moves) => {
      const world = new World({ a: {}, b: {}, c: {} }, { choice: NODE })
      const startMs = world.nowMs
      play(world, moves, () => {})
      expect(world.asked).toBeLessThanOrEqual(3 * (2 + (2 * (world.nowMs - startMs)) / 1000) + 3 * moves.length)
    }))
  })
})
