import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPrefs } from '../../../main/engine/backend/check-prefs.ts'
import { applyMask, changedFields, defaultPrefs, parsePrefs } from '../../../main/engine/backend/prefs.ts'
import type { Prefs } from '../../../main/localapi/types.ts'

const vector = (file: string): Prefs => JSON.parse(readFileSync(new URL(`../../vectors/localapi/${file}`, import.meta.url), 'utf8')) as Prefs
const BASE = defaultPrefs('linux')
const masked = (mask: object, prefs = BASE): Prefs => {
  const after = applyMask(prefs, mask)
  if (typeof after === 'string') throw new Error(after)
  return after
}

describe('prefs', () => {
  test('of a real daemon come through unchanged, key by key and in order', () => {
    const real = vector('prefs.json')
    const parsed = parsePrefs(real, { ...BASE, Config: real.Config }, true)
    expect(JSON.stringify(parsed)).toBe(JSON.stringify(real))
  })

  test('a mask changes the marked fields alone', () => {
    const after = masked({ ShieldsUp: true, ShieldsUpSet: true, Hostname: 'ignored', RouteAll: true, RouteAllSet: false })
    expect(changedFields(BASE, after)).toEqual(['ShieldsUp'])
  })

  test('a marked field that is absent becomes empty', () => {
    expect(masked({ CorpDNSSet: true, HostnameSet: true }, { ...BASE, Hostname: 'x' })).toMatchObject({ CorpDNS: false, Hostname: '' })
  })

  test('auto-update is masked field by field', () => {
    expect(masked({ AutoUpdate: { Check: false, Apply: true }, AutoUpdateSet: { ApplySet: true } }).AutoUpdate).toEqual({ Check: true, Apply: true })
    expect(masked({ AutoUpdate: { Check: false } }).AutoUpdate).toEqual(BASE.AutoUpdate)
  })

  test('an empty list is null, an empty optional field is left out', () => {
    const after = masked({ AdvertiseRoutes: [], AdvertiseRoutesSet: true, OperatorUser: '', OperatorUserSet: true })
    expect(after.AdvertiseRoutes).toBeNull()
    expect(after).not.toHaveProperty('OperatorUser')
  })

  test('naming an exit node one way takes the other way back', () => {
    expect(masked({ ExitNodeIP: '100.64.0.2', ExitNodeIPSet: true }, { ...BASE, ExitNodeID: '7' })).toMatchObject({ ExitNodeID: '', ExitNodeIP: '100.64.0.2' })
  })

  test('keys of another are never taken in', () => {
    expect(masked({ Config: { PrivateNodeKey: 'privkey:00' }, ConfigSet: true }).Config).toBeNull()
  })

  test.each([
    [{ ShieldsUp: 'yes', ShieldsUpSet: true }],
    [{ AdvertiseRoutes: 'x', AdvertiseRoutesSet: true }],
    [{ AdvertiseTags: [1], AdvertiseTagsSet: true }],
    [{ NetfilterMode: '2', NetfilterModeSet: true }],
    ['prefs'],
    [null],
  ])('ill-typed %j is refused with a reason', (mask) => {
    expect(typeof applyMask(BASE, mask)).toBe('string')
  })

  test('any JSON either becomes prefs or a reason, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const out of [parsePrefs(value, BASE, true), applyMask(BASE, value)]) if (typeof out !== 'string') expect(typeof out.WantRunning).toBe('boolean')
      }),
    )
  })

  test('what the stock daemon refuses is refused in its words', () => {
    const request = vector('check-prefs-refused.request.json')
    const prefs = parsePrefs(request, BASE, true) as Prefs
    expect({ Error: checkPrefs(prefs) }).toEqual(vector('check-prefs-refused.json'))
    expect(checkPrefs(parsePrefs(vector('check-prefs-ok.request.json'), BASE, true) as Prefs)).toBeUndefined()
  })

  test.each([
    [{ AdvertiseRoutes: ['10.0.0.1/24'] }, '10.0.0.0/24'],
    [{ AdvertiseRoutes: ['nonsense'] }, 'nonsense'],
    [{ ControlURL: 'ftp://x' }, 'http'],
    [{ Hostname: 'a/b' }, 'host name'],
    [{ Hostname: 'a'.repeat(64) }, '63'],
    [{ RunSSH: true }, 'SSH'],
    [{ ExitNodeIP: 'x' }, 'not an IP'],
    [{ Hostname: 'my laptop' }, '"my laptop"'],
    [{ AdvertiseTags: ['server'] }, 'tag:server'],
    [{ AdvertiseTags: ['tag:'] }, '"tag:"'],
    [{ AdvertiseTags: ['tag:ok', 'tag:ö'] }, '"tag:ö"'],
    [{ NetfilterMode: 3 }, 'NetfilterMode 3'],
    [{ NetfilterKind: 'pf' }, '"pf"'],
    [{ RelayServerPort: 70_000 }, 'port'],
    [{ AutoExitNode: 'some' }, '"some"'],
    [{ AdvertiseRoutes: ['10.0.0.0'] }, '10.0.0.0/24'],
    [{ AdvertiseRoutes: ['x'.repeat(4000)] }, '…'],
    [{ OperatorUser: 'x'.repeat(5000) }, 'OperatorUser'],
    [{ ControlURL: 'https://[' }, 'headscale.example.com'],
    [{ ControlURL: 'https://a b' }, 'headscale.example.com'],
    [{ ControlURL: 'https://good.example\n' }, 'headscale.example.com'],
    [{ ControlURL: `https://${'x'.repeat(3000)}` }, '…'],
  ])('%j is refused and the reason names it', (change, word) => {
    expect(checkPrefs({ ...BASE, ...change })).toContain(word)
  })

  test('a server address with a password in it is refused, and the password is not repeated', () => {
    const reason = checkPrefs({ ...BASE, ControlURL: 'https://ada:secret@good.example' })
    expect(reason).toContain('password')
    expect(reason).not.toContain('secret')
  })

  test.each([{ ExitNodeIP: '100.64.0.1' }, { ExitNodeIP: 'fd7a:115c:a1e0::1' }, { ExitNodeID: 'n1' }])('this device is no exit node for itself: %j', (change) => {
    const self = { ID: 1, StableID: 'n1', Key: `nodekey:${'1'.repeat(64)}`, Name: 'a', User: 1, Addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'] }
    expect(checkPrefs({ ...BASE, ...change }, { self })).toContain('own exit node')
    expect(checkPrefs({ ...BASE, ...change }, { self: { ...self, StableID: 'n2', Addresses: ['100.64.0.9/32'] } })).toBeUndefined()
  })

  test('an operator must be a user of this computer, where that can be told', () => {
    const prefs = { ...BASE, OperatorUser: 'ada' }
    expect(checkPrefs(prefs, { knowsUser: () => false })).toContain('no user "ada"')
    expect(checkPrefs(prefs, { knowsUser: (name) => name === 'ada' })).toBeUndefined()
    expect(checkPrefs(prefs)).toBeUndefined()
  })

  test('a fault that was there before stands in the way of no other change, and hides no new one', () => {
    const before = { ...BASE, OperatorUser: 'gone', NetfilterMode: 9 }
    const context = { knowsUser: () => false }
    expect(checkPrefs({ ...before, ShieldsUp: true }, context, before)).toBeUndefined()
    expect(checkPrefs({ ...before, ControlURL: 'ftp://x' }, context, before)).toContain('ftp')
    expect(checkPrefs({ ...before, OperatorUser: 'other' }, context, before)).toContain('other')
  })

  test('JSON of unserved features is kept only while it is small', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(applyMask(BASE, { DriveShares: deep, DriveSharesSet: true })).toContain('DriveShares')
    expect(applyMask(BASE, { DriveShares: [{ name: 'x' }], DriveSharesSet: true })).toMatchObject({ DriveShares: [{ name: 'x' }] })
  })
})
