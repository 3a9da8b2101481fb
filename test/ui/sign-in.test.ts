import { describe, expect, it } from 'vitest'
import type { SessionPage, SessionProblem, Status } from '../../preload/contract.ts'
import { serverUrl } from '../../renderer/state/server-url.ts'
import { needsSignIn, problemOf, reportFor, signInView } from '../../renderer/state/sign-in.ts'
import { openerFor } from '../../main/web/open-browser.ts'

const status = (over: object): Status => ({ BackendState: 'NeedsLogin', AuthURL: '', Self: { ID: '' }, ...over }) as Status
const session = (over: Partial<SessionPage>): SessionPage => ({ Version: 1, Kind: 'idle', Since: '2026-11-23T10:00:00Z', Server: 'https://hs.example', Steps: [], ...over })
const problem = (Code: string, Text: string, Kind: SessionProblem['Action']['Kind'] = 'check-server'): SessionProblem => ({ Code, Text, Action: { Kind, Label: '' } })
const AT = Date.parse('2026-11-23T10:00:00Z')

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
    const lost = session({ Kind: 'lost', Problem: problem('timeout', 'Cannot reach it.', 'wait') })
    expect(signInView(status({}), lost, AT)).toMatchObject({ kind: 'form', busyMs: undefined, problem: { what: 'Cannot reach it.', action: 'wait' } })
    expect(signInView(status({}), session({ Kind: 'working' }), AT + 8000)).toEqual({ kind: 'form', busyMs: 8000, problem: undefined })
    for (const page of [session({}), undefined]) expect(signInView(status({}), page, AT)).toEqual({ kind: 'form', busyMs: undefined, problem: undefined })
  })

  it('goes on to the browser with the link, and to the wait for an admin', () => {
    expect(signInView(status({}), session({ Kind: 'waiting', AuthURL: 'https://x/register/1' }), AT)).toEqual({ kind: 'browser', url: 'https://x/register/1' })
    expect(signInView(status({ BackendState: 'NeedsMachineAuth' }), undefined, AT)).toEqual({ kind: 'approval' })
  })
})

describe('what is wrong with a server', () => {
  const told = (...words: Parameters<typeof problem>): ReturnType<typeof problemOf> => problemOf(session({ Problem: problem(...words) }))

  it('is one sentence without the system code, and one next step', () => {
    expect(told('cert-unknown-issuer', 'The certificate of hs.example was issued by "Lab", an authority that this computer does not know. If it is your server\'s own, add it: bowline trust add FILE.')).toMatchObject({
      what: 'The certificate of hs.example was issued by "Lab", an authority that this computer does not know.', next: "If it is your server's own, add it: bowline trust add FILE.",
    })
    expect(told('connection-refused', 'Cannot reach the control server hs.example: nothing listens there (ECONNREFUSED).')?.what).toBe('Cannot reach hs.example: nothing listens there.')
    expect(told('auth-key-invalid', 'The key is spent.')?.next).toMatch(/new auth key/)
    expect(told('login-refused', 'The sign-in was refused.')?.next).toBe('')
    expect(problemOf(session({}))).toBeUndefined()
  })

  it('is handed on without secrets or anything that turns the reading direction', () => {
    const report = reportFor(told('x\u202ey', 'It is \u202ewrong.')!, 'https://hs.example', 'lap\u0007top', AT)
    expect(report).toContain('Server: https://hs.example')
    expect(report).toContain('2026-11-23T10:00:00.000Z')
    // oxlint-disable-next-line no-control-regex
    expect(report).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
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
