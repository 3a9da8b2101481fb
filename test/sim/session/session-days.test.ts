/**
 * Days of the session machine in a world where everything goes wrong: it is never stuck, never asks too much, and is
 * running soon after the faults end. A failing seed is printed; BOWLINE_SEEDS=N runs more of them.
 */
import { expect, test } from 'vitest'
import { ModelWorld } from './model-world.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SEEDS = Number(process.env['BOWLINE_SEEDS'] ?? 300)
/** A device may ask once in 10 s on the average, whatever happens. */
const MOST_IN_AN_HOUR = 500

for (const person of [true, false]) {
  test(`${person ? 'with a person who signs in when asked' : 'with a saved key and nobody there'}, ${SEEDS} seeds end in running`, () => {
    const seen = new Map<string, number>()
    let most = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new ModelWorld({ seed, calmAtMs: DAY_MS, person })
      try {
        world.run(DAY_MS)
        world.run(DAY_MS + HOUR_MS)
        expect(world.state.kind).toBe('running')
        expect(world.mostInAnHour).toBeLessThan(MOST_IN_AN_HOUR)
        const before = world.requests
        world.run(2 * DAY_MS)
        expect(world.state.kind).toBe('running')
        expect(world.requests).toBe(before)
      } catch (error) {
        throw new Error(`seed ${seed}: ${JSON.stringify(world.state)}`, { cause: error })
      }
      most = Math.max(most, world.mostInAnHour)
      for (const what of world.seen) seen.set(what, (seen.get(what) ?? 0) + 1)
    }
    // The world is worth its name only while it brings all of this about.
    const expected = person
      ? ['waiting', 'running', 'needs-login login-unapproved', 'needs-login control-not-found', 'lost control-rate-limited', 'lost timeout']
      : ['running', 'lost control-unreachable', 'lost control-key-mismatch', 'lost timeout']
    for (const what of expected) expect(seen.get(what) ?? 0, what).toBeGreaterThan(0)
    expect(most).toBeGreaterThan(0)
  }, 60_000)
}
