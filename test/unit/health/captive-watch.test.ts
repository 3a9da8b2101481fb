import { describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { CaptiveWatch } from '../../../main/engine/health/captive-watch.ts'
import { Health } from '../../../main/engine/health/health.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

interface Rig {
  clock: HandClock
  health: Health
  watch: CaptiveWatch
  looks: number[]
  through: string[]
  journal: JournalEntry[]
  answer: boolean | undefined
}

function setUp(): Rig {
  const clock = new HandClock()
  const health = new Health({ clock })
  const all = { clock, health, looks: [] as number[], through: [] as string[], journal: [] as JournalEntry[], answer: undefined as boolean | undefined }
  const env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (event: JournalEntry): void => void all.journal.push(event) } }
  const made: Rig = Object.assign(all, {
    watch: new CaptiveWatch({ env, warnings: health, onThrough: (why) => all.through.push(why), look: async () => {
      all.looks.push(clock.nowMs())
      return made.answer
    } }),
  })
  return made
}
const codes = (health: Health): string[] => Object.keys(health.state().Warnings ?? {})

describe('the watch for portals', () => {
  it('looks when the server was out of reach for two seconds, and not for what a portal does not explain', async () => {
    const all = setUp()
    all.health.set('state-not-saved')
    await all.clock.run(60_000)
    expect(all.looks).toEqual([])
    all.health.set('not-in-map-poll')
    await all.clock.run(2001)
    expect(all.looks).toEqual([62_000])
  })

  it('does not look for trouble that is over in two seconds', async () => {
    const all = setUp()
    all.health.set('not-in-map-poll')
    await all.clock.run(1500)
    all.health.clear('not-in-map-poll')
    await all.clock.run(60_000)
    expect(all.looks).toEqual([])
    expect(all.clock.waiting).toBe(0)
  })

  it('tells of a portal in place of what follows from it, looks every ten seconds, and goes on at once when it is gone', async () => {
    const all = setUp()
    all.answer = true
    all.health.set('not-in-map-poll')
    await all.clock.run(2001)
    expect(codes(all.health)).toEqual(['captive-portal-detected'])
    expect(all.health.texts()[0]).toContain('Open any web page in a browser and sign in there')
    await all.clock.run(30_000)
    expect(all.looks).toEqual([2000, 12_000, 22_000, 32_000])
    all.answer = false
    await all.clock.run(10_000)
    expect(codes(all.health)).toEqual(['not-in-map-poll'])
    expect(all.through).toEqual(['the portal is gone'])
    all.health.clear('not-in-map-poll')
    await all.clock.run(600_000)
    expect(all.looks).toHaveLength(5)
    expect(all.clock.waiting).toBe(0)
    expect(all.journal.map((event) => event.kind)).toEqual(['found', 'gone'])
  })

  it('looks once a minute while the trouble lasts and there is no portal', async () => {
    const all = setUp()
    all.answer = false
    all.health.set('not-in-map-poll')
    await all.clock.run(180_000)
    expect(all.looks).toEqual([2000, 62_000, 122_000])
    expect(all.through).toEqual([])
  })

  it('takes what others found', async () => {
    const all = setUp()
    all.answer = true
    all.watch.note(true)
    all.watch.note(true)
    expect(codes(all.health)).toEqual(['captive-portal-detected'])
    all.watch.note(undefined)
    expect(codes(all.health)).toEqual([])
    expect(all.through).toHaveLength(1)
  })

  it('leaves nothing behind when it stops', async () => {
    const all = setUp()
    all.health.set('not-in-map-poll')
    all.watch.stop()
    all.watch.note(true)
    await all.clock.run(60_000)
    expect(all.looks).toEqual([])
    expect(all.clock.waiting).toBe(0)
  })
})
