import { describe, expect, test } from 'vitest'
import { LoginSteps } from '../../../../main/engine/core/session/login-steps.ts'
import type { LoginKind } from '../../../../main/engine/core/session/login-steps.ts'
import type { ControlState } from '../../../../main/engine/core/session/types.ts'

const working = (step: Extract<ControlState, { kind: 'working' }>['step']): ControlState => ({ kind: 'working', step, sinceMs: 0, why: `why ${step}` })
const running: ControlState = { kind: 'running', sinceMs: 0 }
const waiting = (n: number): ControlState => ({ kind: 'waiting', authUrl: `https://c/${n}`, sinceMs: 0, why: `link ${n}` })
const lost: ControlState = { kind: 'lost', code: 'control-unreachable', message: 'no way', retryInMs: 1 }

/** Takes states a second apart and answers the steps in short. */
function told(kind: LoginKind, states: readonly ControlState[], steps = new LoginSteps()): string[] {
  steps.handleBegin(kind)
  for (const [i, state] of states.entries()) steps.handleState((i + 1) * 1000, state)
  return steps.steps.map(({ step, state, atMs, tookMs }) => `${step} ${state}${atMs === undefined ? '' : ` ${atMs}`}${tookMs === undefined ? '' : `+${tookMs}`}`)
}

const TO_REGISTER = [working('fetch-server-key'), working('connect'), working('register')] as const

describe('the steps of a login', () => {
  test('with a link they are six, each with its time', () => {
    expect(told('link', [...TO_REGISTER, waiting(1), working('authorised'), working('wait-for-map'), running])).toEqual([
      'server-key done 1000+1000',
      'registration-sent done 2000+2000',
      'link-shown done 4000+0',
      'waiting-for-approval done 4000+1000',
      'authorised done 5000+0',
      'map-received done 6000+1000',
    ])
  })

  test('with an auth key nobody is waited for, unless the server gives a link all the same', () => {
    expect(told('auth-key', [...TO_REGISTER, working('authorised'), working('wait-for-map'), running])).toHaveLength(4)
    expect(told('auth-key', [...TO_REGISTER, waiting(1)])).toHaveLength(6)
  })

  test('with a saved key they are two', () => {
    expect(told('saved-key', [working('fetch-server-key'), working('connect'), working('wait-for-map'), running])).toEqual(['server-key done 1000+1000', 'map-received done 2000+2000'])
  })

  test('a server that does not know the saved key any more begins another login', () => {
    const states = [working('fetch-server-key'), working('connect'), working('wait-for-map'), running, lost, working('connect'), working('register')]
    expect(told('saved-key', states)).toEqual(['server-key done 7000+0', 'registration-sent running 7000', 'authorised pending', 'map-received pending'])
  })

  test('a step that is tried again stays under way and says why, and one that is given up has failed', () => {
    const steps = new LoginSteps()
    told('auth-key', [working('fetch-server-key'), lost], steps)
    expect(steps.steps[0]).toMatchObject({ state: 'running', atMs: 1000, why: 'no way' })
    steps.handleState(9000, { kind: 'failed', code: 'control-version', message: 'too old' })
    expect(steps.steps[0]).toMatchObject({ state: 'failed', why: 'too old' })
  })

  test('a login that is done stays done while the connection is lost and found again', () => {
    const before = told('saved-key', [working('fetch-server-key'), working('connect'), working('wait-for-map'), running])
    expect(told('saved-key', [working('fetch-server-key'), working('connect'), working('wait-for-map'), running, lost, working('fetch-server-key'), working('connect'), working('wait-for-map')])).toEqual(before)
  })

  test('another link is told as one, with its reason', () => {
    const steps = new LoginSteps()
    told('link', [...TO_REGISTER, waiting(1)], steps)
    expect(steps.handleState(9000, waiting(2))).toMatchObject([{ step: 'link-shown', state: 'done', why: 'link 2', atMs: 9000 }])
  })

  test('a state that changes no step tells nothing', () => {
    const steps = new LoginSteps()
    told('link', [...TO_REGISTER], steps)
    expect(steps.handleState(5000, working('register'))).toEqual([])
    expect(new LoginSteps().handleState(0, running)).toEqual([])
  })
})
