import { describe, expect, test } from 'vitest'
import { findMethod, METHODS } from '../../../main/localapi/methods.ts'
import { checkWatchMask, parseWatchMask, WATCH } from '../../../main/localapi/watch-mask.ts'

describe('the method table', () => {
  test('no two rows answer the same request', () => {
    const seen = Object.values(METHODS).flatMap(({ path, methods }) => methods.map((method) => `${method} ${path}`))
    expect(new Set(seen).size).toBe(seen.length)
  })

  test.each([
    ['/localapi/v0/status', 'GET', { kind: 'found', name: 'status', rest: '' }],
    ['/localapi/v0/prefs', 'PATCH', { kind: 'found', name: 'editPrefs', rest: '' }],
    ['/localapi/v0/profiles/13f5', 'DELETE', { kind: 'found', name: 'profiles', rest: '13f5' }],
    ['/localapi/v0/status', 'POST', { kind: 'found', name: 'status', rest: '' }],
    ['/localapi/v0/logout', 'GET', { kind: 'wrong-method', name: 'logout' }],
    ['/localapi/v0/prefs', 'POST', { kind: 'wrong-method', name: 'prefs' }],
    ['/localapi/v0/update/check', 'GET', { kind: 'found', name: 'updateCheck', rest: '' }],
    ['/localapi/v0/update/install', 'POST', { kind: 'found', name: 'update', rest: 'install' }],
    ['/localapi/v0/files', 'GET', { kind: 'unknown' }],
    ['/localapi/v0/status/', 'GET', { kind: 'unknown' }],
    ['/localapi/v0/', 'GET', { kind: 'unknown' }],
    ['/localapi/v1/status', 'GET', { kind: 'unknown' }],
    ['/localapi/v0/constructor', 'GET', { kind: 'unknown' }],
  ])('%s by %s', (path, method, found) => {
    expect(findMethod(path, method)).toEqual(found)
  })
})

test.each<[string, number | undefined]>([
  ['', 0],
  ['4238', 4238],
  ['4294967298', 2],
  ['18446744073709551615', 0x7fff_ffff],
  ['18446744073709551616', undefined],
  ['-1', undefined],
  ['0x2', undefined],
  ['1e3', undefined],
  ['NaN', undefined],
])('the mask text %j is %s', (text, mask) => {
  expect(parseWatchMask(text)).toBe(mask)
})

test.each<[number, string | undefined]>([
  [0, undefined],
  [4238, undefined],
  [WATCH.rateLimit | WATCH.initialState, undefined],
  [WATCH.rateLimit | WATCH.peerChanges, 'NotifyRateLimit is incompatible with new-style IPN bus subscription bits ipn.NotifyPeerChanges'],
  [WATCH.rateLimit | WATCH.noNetMap | WATCH.peerPatches, 'NotifyRateLimit is incompatible with new-style IPN bus subscription bits (ipn.NotifyNoNetMap | ipn.NotifyPeerPatches)'],
  [WATCH.inProcess, 'NotifyInProcessNoDisconnect is only valid for in-process IPN bus subscribers'],
])('a watch mask of %d is answered with %s', (mask, reason) => {
  expect(checkWatchMask(mask)).toBe(reason)
})
