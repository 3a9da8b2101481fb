import { describe, expect, test } from 'vitest'
import { findMethod, METHODS } from '../../../main/localapi/methods.ts'
import { checkWatchMask, WATCH } from '../../../main/localapi/watch-mask.ts'

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

test.each([
  [0, true],
  [4238, true],
  [WATCH.rateLimit | WATCH.initialState, true],
  [WATCH.rateLimit | WATCH.peerChanges, false],
  [WATCH.inProcess, false],
  [-1, false],
  [Number.NaN, false],
])('a watch mask of %d is good: %s', (mask, good) => {
  expect(checkWatchMask(mask) === undefined).toBe(good)
})
