import { describe, expect, it } from 'vitest'
import type { Notify, Status } from '../../preload/contract.ts'
import { serverUrl } from '../../renderer/state/server-url.ts'
import { needsSignIn, problemIn, serverProblem, signInView } from '../../renderer/state/sign-in.ts'
import { openerFor } from '../../main/web/open-browser.ts'

const status = (over: object): Status => ({ BackendState: 'NeedsLogin', AuthURL: '', Self: { ID: '' }, ...over }) as Status
const notify = (over: object): Notify => ({ ErrMessage: null, ...over }) as Notify

describe('the sign-in page', () => {
  it('is shown to who was never in, whatever the engine is doing about it, and to nobody else', () => {
    for (const BackendState of ['NeedsLogin', 'Starting', 'Stopped']) expect(needsSignIn(status({ BackendState })), BackendState).toBe(true)
    expect(needsSignIn(status({ BackendState: 'NeedsMachineAuth', HaveNodeKey: true, Self: { ID: 'n1' } }))).toBe(true)
    expect(needsSignIn(status({ HaveNodeKey: true, Self: { ID: 'n1' } }))).toBe(false)
    expect(needsSignIn(status({ BackendState: 'Starting', HaveNodeKey: true }))).toBe(false)
    expect(needsSignIn(status({ BackendState: 'NoState' }))).toBe(false)
    expect(needsSignIn(undefined)).toBe(false)
  })

  it('stays on the form with what was wrong while the engine tries again and again', () => {
    const problem = { what: 'Cannot reach it.', next: 'Check the address.' }
    for (const BackendState of ['Starting', 'NeedsLogin']) {
      expect(signInView(status({ BackendState }), { sinceMs: 0 }, problem, 9000)).toEqual({ kind: 'form', busyMs: undefined, problem })
    }
    expect(signInView(status({ BackendState: 'Starting' }), { sinceMs: 1000 }, undefined, 9000)).toEqual({ kind: 'form', busyMs: 8000, problem: undefined })
    expect(signInView(status({}), undefined, undefined, 9000)).toEqual({ kind: 'form', busyMs: undefined, problem: undefined })
  })

  it('goes on to the browser with the link, and to the wait for an admin', () => {
    expect(signInView(status({ AuthURL: 'https://x/register/1' }), { sinceMs: 0 }, undefined, 1)).toEqual({ kind: 'browser', url: 'https://x/register/1' })
    expect(signInView(status({ BackendState: 'NeedsMachineAuth' }), undefined, undefined, 1)).toEqual({ kind: 'approval' })
  })
})

describe('what is wrong with a server', () => {
  it('is one sentence without the system code, and one next step', () => {
    expect(serverProblem('cert-unknown-issuer', 'the certificate of hs.example was issued by "Lab", an authority that this computer does not know. If it is your server\'s own, add it: bowline trust add FILE')).toEqual({
      what: 'The certificate of hs.example was issued by "Lab", an authority that this computer does not know.', next: "If it is your server's own, add it: bowline trust add FILE.",
    })
    expect(serverProblem('control-unreachable', 'cannot reach the control server hs.example: nothing listens there (connection refused)').what).toBe('Cannot reach hs.example: nothing listens there (connection refused).')
    expect(serverProblem('auth-key-invalid', 'the key is spent').next).toMatch(/new auth key/)
  })

  it('is taken from warnings that carry it and from errors, and from nothing else', () => {
    const Args = { code: 'timeout', error: 'the control server x did not answer in time' }
    expect(problemIn(notify({ Health: { Warnings: { 'not-in-map-poll': { Args } } } }))?.what).toBe('X did not answer in time.')
    expect(problemIn(notify({ Health: { Warnings: { 'login-state': { Text: 'You are signed out' } } } }))).toBeUndefined()
    expect(problemIn(notify({ Health: { Warnings: null } }))).toBeUndefined()
    expect(problemIn(notify({ ErrMessage: 'no such key' }))?.what).toBe('No such key.')
  })
})

describe('a server address', () => {
  it.each([
    ['headscale.example.com', 'https://headscale.example.com'], [' https://hs.example:8443/path?x ', 'https://hs.example:8443'], ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['localhost:80', 'http://localhost'], ['[::1]:8080', 'http://[::1]:8080'], ['http://hs', 'http://hs'],
  ])('%s is read as %s', (typed, url) => expect(serverUrl(typed)).toBe(url))
  it.each(['', 'not a server', 'ftp://x', 'javascript:alert(1)', 'https://', 'https://a b'])('%j is refused', (typed) => expect(serverUrl(typed)).toBeUndefined())
})

describe('the opener of web pages', () => {
  it('is the system’s own, and none where there is no screen', () => {
    expect(openerFor('http://127.0.0.1/', { platform: 'linux', env: { WAYLAND_DISPLAY: 'wayland-0' } })).toEqual(['xdg-open', 'http://127.0.0.1/'])
    expect(openerFor('http://127.0.0.1/', { platform: 'linux', env: {} })).toBeUndefined()
    expect(openerFor('http://127.0.0.1/', { platform: 'darwin', env: {} })?.[0]).toBe('open')
    expect(openerFor('http://127.0.0.1/', { platform: 'win32', env: {} })?.[0]).toBe('rundll32.exe')
  })
})
