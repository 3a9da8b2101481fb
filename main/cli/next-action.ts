/**
 * A problem of the session in words: what is wrong, and the one next thing to do, as a command where there is one.
 */
import type { SessionPage } from '../localapi/types.ts'
import { age } from './words.ts'

export type Problem = NonNullable<SessionPage['Problem']>

/** What to do about it, one sentence; "" when there is nothing to do. `nowMs` is wall time. */
export function nextAction(problem: Problem, nowMs: number): string {
  const { Action: action, RetryAt: retryAt } = problem
  switch (action.Kind) {
    case 'sign-in-again':
      return 'Sign in again: bowline login'
    case 'new-auth-key':
      return 'With another key: bowline up --auth-key KEY'
    case 'check-server':
      return 'With another address: bowline up --login-server URL'
    case 'ask-admin':
      return 'Ask whoever runs the server.'
    case 'wait': {
      const inMs = retryAt === undefined ? Number.NaN : Date.parse(retryAt) - nowMs
      return `It is tried again by itself${inMs >= 1_000 ? ` in ${age(inMs)}` : ''}.`
    }
    case 'fix-clock':
      return "Set this computer's clock."
    case 'trust-certificate':
      return 'If that certificate is meant to be there, trust its authority for this server: bowline trust add FILE'
    case 'none':
      return ''
    default:
      // An engine newer than this command may know more.
      return `${(action as { Label: string }).Label}.`
  }
}

/** What is wrong and what to do, as one text. */
export function problemText(problem: Problem, nowMs: number): string {
  return `${problem.Text} ${nextAction(problem, nowMs)}`.trim()
}
