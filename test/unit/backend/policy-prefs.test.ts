/**
 * What a device policy makes of prefs, and which changes it refuses.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policyRefusal, policySnapshot, settlePolicy } from '../../../main/engine/backend/policy-prefs.ts'
import { defaultPrefs } from '../../../main/engine/backend/prefs.ts'
import { readPolicy, type PolicyReading } from '../../../main/engine/core/policy/read-policy.ts'
import { isHidden, MANAGED_PREFS, policyKeyOf } from '../../../main/localapi/policy.ts'
import type { Prefs } from '../../../main/localapi/types.ts'

const defaults = defaultPrefs('linux')
const reading = (raw: unknown): PolicyReading => ({ policy: readPolicy(raw), refused: [], from: [] })
const settled = (raw: unknown, prefs: Partial<Prefs> = {}, signedInAt?: string): Prefs => settlePolicy({ ...defaults, ...prefs }, readPolicy(raw), signedInAt)

const choice = fc.constantFrom('always', 'never', 'user-decides')
const policies = fc.record({
  LoginURL: fc.constantFrom('https://a.example', 'https://b.example/'), 'AlwaysOn.Enabled': fc.boolean(), ExitNodeID: fc.constantFrom('auto:any', 'n1'), ExitNodeIP: fc.constant('100.64.0.9'),
  ExitNodeAllowLANAccess: choice, AllowIncomingConnections: choice, UseTailscaleDNSSettings: choice, UseTailscaleSubnets: choice, AdvertiseExitNode: choice, CheckUpdates: choice, Hostname: fc.constant('box'),
}, { requiredKeys: [] })
const anyPrefs = fc.record({
  ControlURL: fc.constantFrom('', 'https://a.example', 'https://c.example'), WantRunning: fc.boolean(), LoggedOut: fc.boolean(), RouteAll: fc.boolean(), CorpDNS: fc.boolean(), ShieldsUp: fc.boolean(),
  ExitNodeID: fc.constantFrom('', 'n2', 'auto:any'), ExitNodeIP: fc.constantFrom('', '100.64.0.3'), ExitNodeAllowLANAccess: fc.boolean(), Hostname: fc.constantFrom('', 'mine'),
  AdvertiseRoutes: fc.constantFrom(null, ['10.0.0.0/24'], ['0.0.0.0/0', '::/0'], ['10.0.0.0/24', '::/0', '0.0.0.0/0']),
}).map((some): Prefs => ({ ...defaults, ...some }))

describe('prefs under a policy', () => {
  it('are as it wants them after one look, and the same object when nothing is to be done', () => {
    fc.assert(fc.property(policies, anyPrefs, fc.constantFrom(undefined, 'https://a.example', 'https://c.example'), (raw, prefs, signedInAt) => {
      const policy = readPolicy(raw)
      const once = settlePolicy(prefs, policy, signedInAt)
      expect(settlePolicy(once, policy, signedInAt)).toBe(once)
    }))
  })

  it('stay as they are without one', () => {
    fc.assert(fc.property(anyPrefs, (prefs) => {
      expect(settlePolicy(prefs, readPolicy({}), undefined)).toBe(prefs)
      expect(settlePolicy(prefs, readPolicy({ UseTailscaleSubnets: 'user-decides', RunExitNode: 'hide' }), undefined)).toBe(prefs)
    }))
  })

  it('take server, choices and name from it', () => {
    const raw = { LoginURL: 'https://hs.example/', AllowIncomingConnections: 'never', UseTailscaleSubnets: 'always', UseTailscaleDNSSettings: 'never', Hostname: 'kiosk', CheckUpdates: 'never' }
    expect(settled(raw)).toMatchObject({ ControlURL: 'https://hs.example', ShieldsUp: true, RouteAll: true, CorpDNS: false, Hostname: 'kiosk', AutoUpdate: { Check: false } })
  })

  it('keep a sign-in at another server, which is told', () => {
    expect(settled({ LoginURL: 'https://hs.example' }, { ControlURL: 'https://old.example' }, 'https://old.example').ControlURL).toBe('https://old.example')
  })

  it('want to be connected while somebody is signed in', () => {
    expect(settled({ 'AlwaysOn.Enabled': true }, { LoggedOut: false }).WantRunning).toBe(true)
    expect(settled({ 'AlwaysOn.Enabled': true }, { LoggedOut: true }).WantRunning).toBe(false)
  })

  it('choose the exit node, and are none themselves then', () => {
    const both = { ExitNodeID: 'auto:any', AdvertiseExitNode: 'always' }
    expect(settled(both, { AdvertiseRoutes: ['10.0.0.0/24', '0.0.0.0/0', '::/0'] })).toMatchObject({ AutoExitNode: 'any', ExitNodeID: 'auto:any', AdvertiseRoutes: ['10.0.0.0/24'] })
    expect(settled(both, { AutoExitNode: 'any', ExitNodeID: 'n5' }).ExitNodeID).toBe('n5')
    expect(settled({ ExitNodeIP: '100.64.0.9' }, { AutoExitNode: 'any', ExitNodeID: 'n5' })).toMatchObject({ ExitNodeID: '', ExitNodeIP: '100.64.0.9' })
    expect(settled({ AdvertiseExitNode: 'always' }, { AdvertiseRoutes: ['10.0.0.0/24'] }).AdvertiseRoutes).toEqual(['10.0.0.0/24', '0.0.0.0/0', '::/0'])
    expect(settled({ AdvertiseExitNode: 'never' }, { AdvertiseRoutes: ['0.0.0.0/0', '::/0'] }).AdvertiseRoutes).toBeNull()
  })
})

describe('a change that the policy holds otherwise', () => {
  const held = reading({ UseTailscaleSubnets: 'always', ManagedByOrganizationName: 'Fjord Labs' })
  const before = settlePolicy(defaults, held.policy, undefined)

  it('is refused with who set it and by which key', () => {
    expect(policyRefusal({ ...before, RouteAll: false }, before, held, undefined)).toBe('use of networks behind devices (accept routes) cannot be changed: it is set by Fjord Labs (device policy UseTailscaleSubnets)')
  })

  it('is no reason to refuse another one', () => {
    expect(policyRefusal({ ...before, CorpDNS: false }, before, held, undefined)).toBeUndefined()
  })

  it('is not asked for by whole prefs that hold a default', () => {
    expect(policyRefusal(defaults, before, held, undefined, { defaults })).toBeUndefined()
    const never = reading({ UseTailscaleSubnets: 'never' })
    expect(policyRefusal({ ...defaults, RouteAll: true }, defaults, never, undefined, { defaults })).toMatch(/administrator of this computer/)
  })

  it('in words of the stock daemon: disconnecting and exit nodes', () => {
    const on = reading({ 'AlwaysOn.Enabled': true, ExitNodeID: 'n1' })
    const now = settlePolicy({ ...defaults, LoggedOut: false }, on.policy, undefined)
    expect(policyRefusal({ ...now, WantRunning: false }, now, on, undefined)).toMatch(/^disconnect not allowed: always-on mode is enabled/)
    expect(policyRefusal({ ...now, ExitNodeID: '' }, now, on, undefined)).toMatch(/^exit node cannot be changed/)
  })

  it('is known to the window by the same key', () => {
    fc.assert(fc.property(policies, anyPrefs, (raw, prefs) => {
      const one = reading(raw)
      const now = settlePolicy(prefs, one.policy, undefined)
      const { Settings } = policySnapshot(one)
      for (const pref of MANAGED_PREFS) {
        if (pref === 'AdvertiseRoutes' || pref === 'AutoUpdate' || pref === 'ExitNodeID' || pref === 'ControlURL' || pref === 'WantRunning' || pref === 'Hostname') continue
        const refusal = policyRefusal({ ...now, [pref]: !now[pref] }, now, one, undefined)
        expect(refusal !== undefined).toBe(policyKeyOf(Settings, pref) !== undefined)
      }
    }))
  })
})

describe('how a policy is told', () => {
  it('with its origin, faults as errors, and nothing when there is nothing', () => {
    expect(policySnapshot(reading({}))).toEqual({ Summary: { Scope: 'Device' } })
    const { Settings } = policySnapshot(reading({ RunExitNode: 'hide', Hostname: 7 }))
    expect(Settings).toMatchObject({ RunExitNode: { Value: 'hide', Origin: { Name: 'JSONFile', Scope: 'Device' } }, Hostname: { Error: expect.stringContaining('must be') } })
    expect(isHidden(Settings, 'RunExitNode')).toBe(true)
    expect(policyKeyOf(Settings, 'Hostname')).toBeUndefined()
  })
})
