import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { carries, INITIAL, next } from '../../../main/engine/backend/state.ts'
import type { Lifecycle, LifecycleEvent } from '../../../main/engine/backend/state.ts'

const run = (...events: LifecycleEvent[]): Lifecycle => events.reduce(next, INITIAL)
const KEY: LifecycleEvent = { kind: 'node-key', has: true }
const LOADED: LifecycleEvent = { kind: 'loaded' }
const ON: LifecycleEvent = { kind: 'prefs', wantRunning: true, loggedOut: false }
const OFF: LifecycleEvent = { kind: 'prefs', wantRunning: false, loggedOut: false }
const MAP: LifecycleEvent = { kind: 'map', from: 'control', keyExpired: false, machineAuthorized: true }
const APPLIED: LifecycleEvent = { kind: 'applied', on: true }
const control = (state: Lifecycle['control']): LifecycleEvent => ({ kind: 'control', state })

describe('the state name', () => {
  test('is NoState until the saved state was read', () => {
    expect(run(KEY, ON, MAP).name).toBe('NoState')
  })

  test.each<[string, LifecycleEvent[]]>([
    ['NeedsLogin', [{ kind: 'prefs', wantRunning: false, loggedOut: true }, LOADED]],
    ['NeedsLogin', [ON, LOADED, control('needs-login')]],
    ['NeedsLogin', [KEY, ON, LOADED, control('waiting')]],
    ['NeedsLogin', [KEY, ON, LOADED, MAP, APPLIED, { kind: 'key-expired' }]],
    ['NeedsMachineAuth', [KEY, ON, LOADED, { ...MAP, machineAuthorized: false }]],
    ['Stopped', [KEY, OFF, LOADED]],
    ['Stopped', [KEY, ON, LOADED, MAP, APPLIED, OFF]],
    ['Starting', [KEY, ON, LOADED]],
    ['Starting', [KEY, ON, LOADED, control('lost')]],
    ['Starting', [KEY, ON, LOADED, MAP]],
    ['Running', [KEY, ON, LOADED, MAP, APPLIED]],
    ['Running', [KEY, ON, LOADED, MAP, APPLIED, control('lost')]],
    ['Running', [KEY, ON, LOADED, { ...MAP, from: 'saved' }, APPLIED, control('working')]],
  ])('is %s after what leads there', (name, events) => {
    expect(run(...events).name).toBe(name)
  })

  test('tunnels go on while a sign-in is renewed', () => {
    expect(carries(run(KEY, ON, LOADED, MAP, APPLIED, control('waiting')))).toBe(true)
  })

  test('nothing flows for a stopped, signed-out, expired or unapproved device', () => {
    const event = fc.constantFrom<LifecycleEvent>(KEY, LOADED, ON, OFF, MAP, APPLIED, { kind: 'no-map' }, { kind: 'key-expired' }, { kind: 'node-key', has: false }, control('lost'), control('running'))
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const life = run(...events)
        if (carries(life)) expect([life.wantRunning, life.hasNodeKey, life.map !== 'none', !life.keyExpired]).toEqual([true, true, true, true])
        if (life.name === 'Running') expect(carries(life)).toBe(true)
      }),
    )
  })
})
