import { describe, expect, test } from 'vitest'
import { Bus, QUEUE_LIMIT } from '../../../main/engine/backend/bus.ts'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import type { Notify } from '../../../main/localapi/types.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

function rig(standing: () => Partial<Notify> = () => ({})): { bus: Bus; clock: HandClock; watch: (mask: number, takes?: () => boolean) => { heard: Notify[]; ended: () => boolean; drained: () => void } } {
  const clock = new HandClock()
  const bus = new Bus({ clock, random: seededRandom(3), log: silentLog, journal: { add: () => {} } }, '1', standing)
  return {
    bus, clock,
    watch: (mask, takes = () => true) => {
      const heard: Notify[] = []
      let ended = false
      const watcher = bus.watch(mask, { write: (notify) => (heard.push(notify), takes()), end: () => void (ended = true) }, () => undefined)
      return { heard, ended: () => ended, drained: () => watcher.drained() }
    },
  }
}
const ENGINE = { RBytes: 1, WBytes: 1, NumLive: 0, LiveDERPs: 0, LivePeers: {} }

describe('the notify bus', () => {
  test('fields that are always there are null where nothing changed', () => {
    const { bus, watch } = rig()
    const { heard } = watch(0)
    bus.emit({ State: 6 })
    expect(heard).toEqual([{ Version: '1', ErrMessage: null, LoginFinished: null, State: 6, Prefs: null, NetMap: null, Engine: null, BrowseToURL: null, DriveShares: null }])
  })

  test('peer changes reach only who asked for them, patches only who takes patches', () => {
    const { bus, watch } = rig()
    const [plain, whole, narrow] = [watch(0), watch(WATCH.peerChanges), watch(WATCH.peerPatches)]
    bus.emit({ PeersRemoved: [3], PeersChanged: [] }, { PeersRemoved: [3], PeerChangedPatch: [{ NodeID: 2, Online: false }] })
    expect(plain.heard).toEqual([])
    expect(whole.heard[0]).toMatchObject({ PeersRemoved: [3], PeersChanged: [] })
    expect(whole.heard[0]).not.toHaveProperty('PeerChangedPatch')
    expect(narrow.heard[0]).toMatchObject({ PeerChangedPatch: [{ NodeID: 2, Online: false }] })
  })

  test('an action of a warning is put into its text for who does not know actions', () => {
    const { bus, watch } = rig()
    const [old, fresh] = [watch(0), watch(WATCH.healthActions)]
    bus.emit({ Health: { Warnings: { x: { WarnableCode: 'x', Severity: 'low', Title: 'T', Text: 'Text.', PrimaryAction: { URL: 'http://a', Label: 'Go' } } } } })
    expect(old.heard[0]!.Health!.Warnings!['x']).toMatchObject({ Text: 'Text. Go: http://a' })
    expect(old.heard[0]!.Health!.Warnings!['x']).not.toHaveProperty('PrimaryAction')
    expect(fresh.heard[0]!.Health!.Warnings!['x']).toHaveProperty('PrimaryAction')
  })

  test('what stands in every message wakes nobody by itself, and is told when it is the news', () => {
    const { bus, clock, watch } = rig(() => ({ FilesWaiting: {} }))
    const [plain, limited] = [watch(0), watch(WATCH.rateLimit)]
    bus.emit({ PeersRemoved: [3] })
    expect(plain.heard).toEqual([])
    bus.emit({ FilesWaiting: {} })
    bus.emit({ State: 6 })
    expect(plain.heard.map(({ State, FilesWaiting }) => ({ State, FilesWaiting }))).toEqual([{ State: null, FilesWaiting: {} }, { State: 6, FilesWaiting: {} }])
    // Engine numbers are held back all the same.
    for (let i = 0; i < 3; i++) bus.emit({ Engine: ENGINE })
    expect(limited.heard).toHaveLength(2)
    clock.advance(10_000)
    expect(limited.heard).toHaveLength(3)
  })

  test('a watcher that reads too slowly is told so and let go; others hear on', () => {
    const { bus, watch } = rig()
    const [slow, quick] = [watch(0, () => false), watch(0)]
    for (let i = 0; i < QUEUE_LIMIT + 2; i++) bus.emit({ State: i })
    expect(slow.ended()).toBe(true)
    expect(slow.heard).toHaveLength(2)
    expect(slow.heard[1]!.ErrMessage).toContain('slow')
    expect(quick.heard).toHaveLength(QUEUE_LIMIT + 2)
    expect(bus.size).toBe(1)
  })

  test('what queued goes out in order when the watcher reads on', () => {
    const { bus, watch } = rig()
    let takes = false
    const watcher = watch(0, () => takes)
    for (let i = 0; i < 5; i++) bus.emit({ State: i })
    takes = true
    watcher.drained()
    expect(watcher.heard.map((notify) => notify.State)).toEqual([0, 1, 2, 3, 4])
  })

  test('the rate limit holds engine numbers back, never a change of state', () => {
    const { bus, clock, watch } = rig()
    const { heard } = watch(WATCH.rateLimit)
    bus.emit({ Engine: ENGINE })
    for (let i = 0; i < 5; i++) bus.emit({ Engine: { ...ENGINE, RBytes: i } })
    expect(heard).toHaveLength(1)
    clock.advance(3000)
    expect(heard.map((notify) => notify.Engine?.RBytes)).toEqual([1, 4])
    bus.emit({ Engine: { ...ENGINE, RBytes: 9 } })
    bus.emit({ State: 6 })
    expect(heard.slice(2).map((notify) => notify.Engine?.RBytes ?? notify.State)).toEqual([9, 6])
  })
})
