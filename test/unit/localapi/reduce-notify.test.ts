import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EMPTY_BUS, reduceNotify } from '../../../main/localapi/reduce-notify.ts'
import type { BusState } from '../../../main/localapi/reduce-notify.ts'
import type { Notify } from '../../../main/localapi/types.ts'
import { wholeNotify } from '../../../main/engine/backend/bus.ts'

const recorded = readFileSync(new URL('../../vectors/localapi/watch-ipn-bus-mask4238.ndjson', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Notify)
const after = (...parts: Partial<Notify>[]): BusState => parts.reduce<BusState>((state, part) => reduceNotify(state, wholeNotify('1', part)), EMPTY_BUS)

describe('the bus as a state', () => {
  test('follows a real daemon through rename, down and up', () => {
    const names: string[] = []
    const states: string[] = []
    let state = EMPTY_BUS
    for (const notify of recorded) {
      state = reduceNotify(state, notify)
      const name = state.peers.get(2)!.Name
      if (names.at(-1) !== name) names.push(name)
      if (states.at(-1) !== state.state) states.push(state.state)
    }
    expect(names).toEqual(['n2.lab.internal.', 'renamed.lab.internal.'])
    expect(states).toEqual(['Running', 'Stopped', 'Starting', 'Running'])
    expect(state).toMatchObject({ prefs: { RouteAll: true }, self: { ID: 1 }, health: { Warnings: null }, engine: { NumLive: 1 } })
    expect(state.users.get(1)).toMatchObject({ LoginName: 'alice' })
  })

  test('what a notify does not speak of keeps its identity', () => {
    const state = reduceNotify(EMPTY_BUS, recorded[0]!)
    const next = reduceNotify(state, wholeNotify('1', { State: 4 }))
    expect([next.peers === state.peers, next.prefs === state.prefs, next.users === state.users]).toEqual([true, true, true])
  })

  test('a patch changes its fields alone, and one for an unknown peer nothing', () => {
    const state = reduceNotify(EMPTY_BUS, recorded[0]!)
    const next = reduceNotify(state, wholeNotify('1', { PeerChangedPatch: [{ NodeID: 2, Online: false, DERPRegion: 900 }, { NodeID: 77, Online: true }] }))
    expect(next.peers.get(2)).toEqual({ ...state.peers.get(2), Online: false, HomeDERP: 900 })
    expect([...next.peers.keys()]).toEqual([2])
    expect(reduceNotify(next, wholeNotify('1', { PeersRemoved: [2] })).peers.size).toBe(0)
  })

  test('the page to sign in goes when signed in, an error when it is over', () => {
    const waiting = after({ State: 2 }, { BrowseToURL: 'http://x/1', ErrMessage: 'no' })
    expect(waiting).toMatchObject({ browseToUrl: 'http://x/1', error: 'no' })
    expect(reduceNotify(waiting, wholeNotify('1', { State: 6 }))).toMatchObject({ browseToUrl: '', error: '' })
  })
})
