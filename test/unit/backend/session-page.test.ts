import { describe, expect, test } from 'vitest'
import { MAX_WAIT_MS } from '../../../main/engine/backend/page-readers.ts'
import { ZERO_TIME } from '../../../main/engine/core/tailcfg/types.ts'
import type { ControlState } from '../../../main/engine/backend/ports.ts'
import type { SessionPage } from '../../../main/localapi/types.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const SERVER = 'http://127.0.0.1:18080'
const WAITING: ControlState = { kind: 'waiting', authUrl: `${SERVER}/register/x`, sinceMs: 0, why: 'the server gave a link' }

function signingIn(authKey?: string): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: SERVER, WantRunning: true }, ...(authKey === undefined ? {} : { AuthKey: authKey }) })
  if (authKey === undefined) rig.backend.loginInteractive()
  return rig
}

const control = (rig: Rig, ...states: ControlState[]): void => states.forEach((state) => rig.backend.facts.control.onState(state))
const page = (rig: Rig): SessionPage => rig.backend.session.page()
const steps = (rig: Rig): string[] => page(rig).Steps.map(({ Step, State }) => `${Step} ${State}`)

describe('the page of the session', () => {
  test('says server, steps and link while a person is waited for', () => {
    const rig = signingIn()
    control(rig, { kind: 'working', step: 'fetch-server-key', sinceMs: 0, why: 'login by link' }, { kind: 'working', step: 'register', sinceMs: 0, why: 'x' }, WAITING)
    expect(page(rig)).toMatchObject({ Kind: 'waiting', Server: SERVER, AuthURL: `${SERVER}/register/x` })
    expect(page(rig).Problem).toBeUndefined()
    expect(steps(rig).slice(0, 4)).toEqual(['server-key done', 'registration-sent done', 'link-shown done', 'waiting-for-approval running'])
  })

  test('every step is one event of the journal with its reason', () => {
    const rig = signingIn('k')
    control(rig, { kind: 'working', step: 'fetch-server-key', sinceMs: 0, why: 'login with an auth key' }, { kind: 'working', step: 'connect', sinceMs: 0, why: 'test' })
    rig.signIn()
    const told = rig.journal.filter(({ kind }) => kind === 'login-step').map(({ step, state, why }) => [step, state, why !== ''])
    expect(told).toEqual([
      ['server-key', 'running', true],
      ['server-key', 'done', true],
      ['registration-sent', 'running', true],
      ['registration-sent', 'done', true],
      ['authorised', 'done', true],
      ['map-received', 'done', true],
    ])
  })

  test('a failure is one sentence with one action', () => {
    const rig = signingIn('k')
    control(rig, { kind: 'failed', code: 'auth-key-invalid', message: 'authkey expired' })
    expect(page(rig)).toMatchObject({ Kind: 'failed', Problem: { Code: 'auth-key-invalid', Text: expect.stringMatching(/^The server refused the auth key \(authkey expired\)\. Its time is over/), Action: { Kind: 'new-auth-key' } } })
  })

  test('a lost server says when it is tried again, and does not flicker meanwhile', () => {
    const rig = signingIn('k')
    control(rig, { kind: 'lost', code: 'control-unreachable', message: 'no way', retryInMs: 5000 })
    const at = new Date(rig.clock.wallMs() + 5000).toISOString()
    expect(page(rig)).toMatchObject({ Kind: 'lost', Problem: { Action: { Kind: 'wait' }, RetryAt: at } })
    rig.clock.advance(5000)
    control(rig, { kind: 'working', step: 'connect', sinceMs: 0, why: 'x' })
    expect(page(rig).Kind).toBe('lost')
    rig.signIn()
    expect(page(rig)).toMatchObject({ Kind: 'running' })
    expect(page(rig).Problem).toBeUndefined()
  })

  test('an end of the sign-in is shown while it is coming and when it is there', () => {
    const rig = signingIn('k')
    const { ControlTime: _, ...message } = recorded('02-initial-one-peer.json')
    const ends = new Date(rig.clock.wallMs() + 60_000).toISOString()
    rig.signIn({ ...message, Node: { ...message.Node!, KeyExpiry: ends } })
    expect(page(rig)).toMatchObject({ Kind: 'running', KeyExpiry: ends })
    rig.clock.advance(61_000)
    expect(page(rig)).toMatchObject({ KeyExpired: true, Problem: { Code: 'key-expired', Action: { Kind: 'sign-in-again' } } })
    rig.map({ Node: { ...message.Node!, KeyExpiry: ZERO_TIME } })
    expect(page(rig)).not.toHaveProperty('KeyExpired')
    expect(page(rig)).not.toHaveProperty('KeyExpiry')
  })

  test('signing out leaves no step behind', async () => {
    const rig = signingIn('k')
    rig.signIn()
    await rig.backend.logout()
    expect(page(rig)).toMatchObject({ Steps: [] })
    expect(page(rig).Problem).toBeUndefined()
  })
})

describe('waiting for another version', () => {
  test('an unknown version is answered at once, the same one when something changes', async () => {
    const rig = signingIn()
    const { Version } = page(rig)
    expect((await rig.backend.session.next(undefined).page).Version).toBe(Version)
    expect((await rig.backend.session.next(Version - 1).page).Version).toBe(Version)
    const { page: next } = rig.backend.session.next(Version)
    control(rig, WAITING)
    expect(await next).toMatchObject({ Kind: 'waiting' })
    expect((await next).Version).toBeGreaterThan(Version)
  })

  test('without a change the answer comes after 30 s, with the same version', async () => {
    const rig = signingIn()
    const { Version } = page(rig)
    const { page: next } = rig.backend.session.next(Version)
    rig.clock.advance(MAX_WAIT_MS)
    expect((await next).Version).toBe(Version)
  })

  test('too many readers let the oldest go, and a stop lets all go', async () => {
    const rig = signingIn()
    const { Version } = page(rig)
    const readers = Array.from({ length: 65 }, () => rig.backend.session.next(Version).page)
    expect((await readers[0]!).Version).toBe(Version)
    rig.backend.stop()
    expect(await Promise.all(readers)).toHaveLength(65)
  })

  test('a reader that goes away leaves no timer behind', () => {
    const rig = signingIn()
    const before = rig.clock.waiting
    rig.backend.session.next(page(rig).Version).cancel()
    expect(rig.clock.waiting).toBe(before)
  })
})
