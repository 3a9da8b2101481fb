import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nearest } from '../../../main/cli/nearest.ts'
import { nextAction } from '../../../main/cli/next-action.ts'
import type { Problem } from '../../../main/cli/next-action.ts'
import { findVerb, VERBS } from '../../../main/cli/verbs.ts'
import { statusText } from '../../../main/cli/verbs/status.ts'
import type { Look } from '../../../main/cli/verbs/status.ts'
import { widthOf } from '../../../main/cli/text.ts'
import { age } from '../../../main/cli/words.ts'

const NAMES = VERBS.filter((verb) => verb.group).map((verb) => verb.name)

describe('the nearest word', () => {
  test('of a verb with two letters swapped is a verb at least as near', () => {
    fc.assert(fc.property(fc.constantFrom(...NAMES.filter((name) => name.length > 3)), fc.nat(), (name, at) => {
      const i = at % (name.length - 1)
      const typed = name.slice(0, i) + name[i + 1]! + name[i]! + name.slice(i + 2)
      expect(nearest(typed, NAMES)).toBeDefined()
    }))
  })

  test.each([['statsu', 'status'], ['exitnode', 'exit-node'], ['pu', 'up'], ['compl', 'completion'], ['frobnicate', undefined], ['', undefined]])('of %j is %j', (typed, found) => expect(nearest(typed, NAMES)).toBe(found))
})

describe('the next action', () => {
  const kinds = ['sign-in-again', 'new-auth-key', 'check-server', 'ask-admin', 'wait', 'fix-clock', 'trust-certificate'] as const
  test.each(kinds)('%s is one sentence, and its command exists', (kind) => {
    const told = nextAction({ Code: 'x', Text: 'T.', Action: { Kind: kind, Label: 'L' } } as Problem, 0)
    expect(told).toMatch(/^[A-Z]/)
    const verb = /bowline (\S+)/.exec(told)?.[1]
    if (verb !== undefined) expect(findVerb(verb)).toBeDefined()
  })

  test('to wait says how long; an action that this command does not know is its label', () => {
    expect(nextAction({ Code: 'x', Text: 'T.', Action: { Kind: 'wait', Label: '' }, RetryAt: '1970-01-01T00:00:05Z' } as Problem, 1_000)).toBe('It is tried again by itself in 4 s.')
    expect(nextAction({ Code: 'x', Text: 'T.', Action: { Kind: 'later', Label: 'Do that' } } as unknown as Problem, 0)).toBe('Do that.')
  })
})

describe('status', () => {
  const peer = (name: string, more: object = {}): object => ({ DNSName: `${name}.lab.internal.`, HostName: name, TailscaleIPs: ['100.64.0.9'], OS: 'linux', UserID: 1, CurAddr: '', Active: false, Relay: '', Online: true, ExitNode: false, ExitNodeOption: false, PublicKey: name, ...more })
  const look = (more: object = {}, session?: object): Look => ({
    current: { BackendState: 'Running', Self: peer('me'), TailscaleIPs: ['100.64.0.1'], MagicDNSSuffix: 'lab.internal', CurrentTailnet: null, Peer: { a: peer('a-device-with-a-long-name') }, User: { 1: { LoginName: 'somebody@example.com' } }, Health: [], AuthURL: '', ...more },
    paths: { paths: [] }, session, warnings: {}, nowMs: Date.parse('2026-11-23T00:00:00Z'),
  }) as unknown as Look
  const shown = { activeOnly: false, self: true, header: false, columns: undefined }

  test.each([30, 50, 70])('has no device line wider than %i columns', (columns) => {
    const lines = statusText(look(), { ...shown, columns }).split('\n').slice(2)
    expect(lines.join('\n')).toContain('a-device-with-a-long-name')
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(Math.max(columns, 40))
  })

  test('tells the session\'s problem once, with what to do, and other troubles beside it', () => {
    const problem = { Code: 'key-expired', Text: 'The sign-in has ended.', Action: { Kind: 'sign-in-again', Label: '' } }
    const page = { ...look({ Health: ['Your sign-in has ended.', 'No relay can be reached.'] }, { Problem: problem, KeyExpired: true }), warnings: { 'key-expired': { WarnableCode: 'key-expired', Text: 'Your sign-in has ended.' } } } as unknown as Look
    const text = statusText(page, shown)
    expect(text.match(/has ended/g)).toHaveLength(1)
    expect(text).toContain('bowline login')
    expect(text).toContain('No relay can be reached.')
  })

  test('tells an end of the sign-in that comes near, and none that is far', () => {
    expect(statusText(look({}, { KeyExpiry: '2026-11-24T06:00:00Z' }), shown)).toContain('The sign-in ends in 30 h. Renew it')
    expect(statusText(look({}, { KeyExpiry: '2027-11-24T06:00:00Z' }), shown)).not.toContain('ends in')
  })
})

test.each([[300, 'now'], [4_200, '4 s'], [720_000, '12 min'], [10_900_000, '3 h'], [9 * 86_400_000, '9 days'], [-4_200, '4 s']])('%i ms are %s', (ms, words) => expect(age(ms)).toBe(words))
