/**
 * Policies as administrators write them, and as nobody should.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOT_FOLLOWED, POLICY_KEYS } from '../../../../main/engine/core/policy/keys.ts'
import { durationMs, mergedPolicy, readPolicy } from '../../../../main/engine/core/policy/read-policy.ts'

describe('a policy', () => {
  it('is followed key by key', () => {
    const { values, faults } = readPolicy({ LoginURL: 'https://hs.example', 'AlwaysOn.Enabled': true, UseTailscaleSubnets: 'Always', ExitNodeIP: '100.64.0.7', RunExitNode: 'hide', KeyExpirationNotice: '36h' })
    expect(faults).toEqual([])
    expect(values).toEqual({ LoginURL: 'https://hs.example', 'AlwaysOn.Enabled': true, UseTailscaleSubnets: 'always', ExitNodeIP: '100.64.0.7', RunExitNode: 'hide', KeyExpirationNotice: '36h' })
  })

  it.each([
    ['LoginURL', 'javascript:alert(1)'], ['LoginURL', 'https://user:pass@hs.example'], ['LoginURL', 'https://hs.example\\@evil'], ['LoginURL', 'https://hs\0.example'], ['ManagedByOrganizationName', 'a\u001b[2J'], ['AlwaysOn.Enabled', 'true'],
    ['UseTailscaleSubnets', 'yes'], ['UseTailscaleSubnets', 1], ['ExitNodeIP', 'nonsense'], ['Hostname', 'a b'], ['Hostname', ''], ['KeyExpirationNotice', '-1h'],
    ['KeyExpirationNotice', '9999999h'], ['RunExitNode', null], ['ManagedByOrganizationName', 'x'.repeat(501)], ['Tailnet', 'example.com'], ['nonesuch', true],
  ] as const)('tells that %s cannot be %j, and follows the rest', (key, value) => {
    const { values, faults } = readPolicy({ ExitNodesPicker: 'show', [key]: value })
    expect(faults.map((fault) => fault.key)).toEqual([key])
    expect(values).toEqual({ ExitNodesPicker: 'show' })
  })

  it.each([null, 1, 'x', [], true])('cannot be %j', (raw) => {
    expect(readPolicy(raw).faults).toHaveLength(1)
  })

  it('says of a key of Tailscale\'s that it is not followed', () => {
    expect(readPolicy({ AdminConsole: 'hide' }).faults).toEqual([{ key: 'AdminConsole', why: 'Bowline does not follow this key' }])
    expect(Object.keys(POLICY_KEYS).filter((key) => NOT_FOLLOWED.has(key))).toEqual([])
  })

  it('never fails on JSON, and follows no key of a name that it does not know', () => {
    const odd = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(...Object.keys(POLICY_KEYS), '__proto__', 'constructor')), fc.jsonValue())
    fc.assert(fc.property(fc.oneof(fc.jsonValue(), odd), (raw) => {
      const { values, faults } = readPolicy(raw)
      for (const [key, value] of Object.entries(values)) {
        expect(Object.hasOwn(POLICY_KEYS, key)).toBe(true)
        expect(['string', 'boolean']).toContain(typeof value)
      }
      for (const fault of faults) expect(fault.why.length).toBeLessThan(200)
    }))
  })

  it('of the computer goes before one that was named at start', () => {
    const [machine, named] = [readPolicy({ UseTailscaleSubnets: 'never', Tailnet: 1 }), readPolicy({ UseTailscaleSubnets: 'always', UseTailscaleDNSSettings: 'never' })]
    expect(mergedPolicy([machine, named])).toEqual({ values: { UseTailscaleSubnets: 'never', UseTailscaleDNSSettings: 'never' }, faults: machine.faults })
  })
})

describe('durations in Go\'s form', () => {
  it.each([['0', 0], ['24h', 86_400_000], ['1h30m', 5_400_000], ['1.5s', 1500], ['250ms', 250]] as const)('%s', (text, ms) => {
    expect(durationMs(text)).toBe(ms)
  })
  it.each(['', '5', 'h', '1d', '1h 2m', '99999999999h', '1e3s'])('%j is none', (text) => {
    expect(durationMs(text)).toBeUndefined()
  })
})
