import { expect, test } from 'vitest'
import { isClockWrong, skewWords } from '../../../../main/engine/core/clock/skew.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test.each([
  [-3 * HOUR, '3 hours behind'], [HOUR, '60 minutes ahead'], [5 * MINUTE, '5 minutes ahead'], [-2 * DAY, '2 days behind'],
  [10 * 365.25 * DAY, '10 years ahead'], [-56.9 * 365.25 * DAY, '57 years behind'], [0, '1 minute ahead'],
])('a clock that is off by %i ms is told as %s', (skewMs, words) => {
  expect(skewWords(skewMs)).toBe(words)
})

test('minutes are wrong, seconds are not', () => {
  expect([4 * MINUTE, -4 * MINUTE, 0].some(isClockWrong)).toBe(false)
  expect([5 * MINUTE, -HOUR, DAY].every(isClockWrong)).toBe(true)
})
