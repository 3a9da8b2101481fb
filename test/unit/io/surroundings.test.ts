import { expect, test } from 'vitest'
import { NOTHING_SEEN, seenRarely } from '../../../main/engine/io/surroundings.ts'

test('however often anybody asks, looks take a tenth of the time', () => {
  let nowMs = 0
  let looks = 0
  const see = seenRarely(() => {
    looks++
    nowMs += 200
    return { ...NOTHING_SEEN, nets: [{ prefix: `10.${looks}.0.0/16`, interface: 'eth0' }] }
  }, () => nowMs)
  expect(see()).toBe(see())
  for (let i = 0; i < 1_000; i++) {
    nowMs += 10
    see()
  }
  expect(looks).toBeLessThanOrEqual(6)
  nowMs += 2_000
  expect(see().nets[0]?.prefix).toBe(`10.${looks}.0.0/16`)
})
