import { describe, expect, it } from 'vitest'
import type { LoginProfile, SessionPage, Warning } from '../../preload/contract.ts'
import { accountRows } from '../../renderer/state/accounts.ts'
import { expiryOf, leftWords } from '../../renderer/state/expiry.ts'
import { healthRows } from '../../renderer/state/health.ts'
import { adminLine, opensElsewhere, replacedLink, serverName, stepRows } from '../../renderer/state/steps.ts'

type Steps = SessionPage['Steps']
const NOW = Date.parse('2026-11-23T10:01:00Z')
const STEPS: Steps = [
  { Step: 'server-key', State: 'done', At: '2026-11-23T10:00:00Z', TookMs: 140, Why: 'the server answered with its key' },
  { Step: 'registration-sent', State: 'done', At: '2026-11-23T10:00:00.140Z', TookMs: 61_000, Why: '' },
  { Step: 'link-shown', State: 'done', At: '2026-11-23T10:00:10Z', TookMs: 0, Why: 'the server wants a person to approve this device' },
  { Step: 'waiting-for-approval', State: 'running', At: '2026-11-23T10:00:10Z', Why: 'somebody must sign in' },
  { Step: 'authorised', State: 'pending', Why: '' },
  { Step: 'map-received', State: 'pending', Why: '' },
]

describe('the steps of a sign-in', () => {
  it('have words for what was and what is to come, how long each took, and since when one runs', () => {
    const rows = stepRows(STEPS, NOW)
    expect(rows.map((row) => row.words)).toEqual(['Reached the server', 'Sent the key of this device', 'Got the sign-in page', 'Waiting for you to sign in', 'Let in by the network', 'Got the list of devices'])
    expect(rows.map((row) => row.time)).toEqual(['0.1 s', '1 min', expect.stringMatching(/^\d\d:\d\d:\d\d$/), '50 s', '', ''])
    expect(rows[3]!.why).toBe('Somebody must sign in.')
    expect(rows[5]!.at).toBe('')
  })

  it('say that a link took the place of another, and nothing when it did not', () => {
    expect(replacedLink(STEPS)).toBe('')
    const why = 'the server no longer knew the link before (was it restarted?) and made a new one'
    expect(replacedLink(STEPS.map((step) => (step.Step === 'link-shown' ? { ...step, Why: why } : step)))).toBe(`T${why.slice(1)}.`)
  })

  it('take hostile reasons as text alone', () => {
    const rows = stepRows([{ Step: 'server-key', State: 'failed', At: 'never', Why: '\u202e<b>'.repeat(400) }], NOW)
    expect(rows[0]!.why.length).toBeLessThanOrEqual(301)
    expect(rows[0]!.why).not.toContain('\u202e')
    expect(rows[0]!.time).toBe('')
  })

  it('know which links another device could open, and the command of an admin', () => {
    for (const url of ['http://127.0.0.1:8080/register/x', 'http://localhost/x', 'http://[::1]/x', 'no url']) expect(opensElsewhere(url), url).toBe(false)
    expect(opensElsewhere('https://hs.example/register/x')).toBe(true)
    expect(adminLine('https://hs.example/register/hskey-authreq-abcdefgh')).toBe('headscale auth register --user NAME --auth-id hskey-authreq-abcdefgh')
    expect(adminLine('https://hs.example/register/abcdefghijkl')).toBe('headscale nodes register --user NAME --key abcdefghijkl')
    for (const url of ['https://hs.example/register/$(reboot)abc', 'https://hs.example/login', '']) expect(adminLine(url), url).toBeUndefined()
    expect(serverName('https://hs.example:8443/')).toBe('hs.example:8443')
  })
})

const warning = (over: Partial<Warning>): Warning => ({ WarnableCode: '', Severity: 'medium', Title: 'Title', Text: 'Text', ...over })

describe('the list of what is wrong', () => {
  it('is gravest first, without what is told elsewhere, and a lost server only after five minutes', () => {
    const rows = healthRows({
      low: warning({ Severity: 'low' }), 'key-expired': warning({ Severity: 'high' }), 'not-in-map-poll': warning({ BrokenSince: '2026-11-23T10:00:00Z' }),
      medium: warning({ BrokenSince: '2026-11-23T10:00:30Z' }), high: warning({ Severity: 'high' }),
    }, NOW)
    expect(rows.map((row) => row.code)).toEqual(['high', 'medium', 'low'])
    expect(rows[1]!.sinceMs).toBe(NOW - 30_000)
    expect(healthRows({ 'not-in-map-poll': warning({ BrokenSince: '2026-11-23T09:50:00Z' }) }, NOW)).toHaveLength(1)
    expect(healthRows(null, NOW)).toEqual([])
  })

  it('offers a page of the server only when it is a web page', () => {
    const rowFor = (URL: string): unknown => healthRows({ x: warning({ PrimaryAction: { URL, Label: 'Go\u202e' } }) }, NOW)[0]!.page
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'nonsense']) expect(rowFor(url), url).toBeUndefined()
    expect(rowFor('https://hs.example/help')).toEqual({ url: 'https://hs.example/help', label: 'Go\ufffd' })
  })
})

describe('the end of a sign-in', () => {
  it('is told from what the engine says, and rounded so that nobody is late', () => {
    const soon = { 'key-expires-soon': warning({ Args: { expiry: '2026-11-25T10:00:59Z' } }) }
    expect(expiryOf(soon, NOW)?.leftMs).toBe(2 * 86_400_000 - 1000)
    expect(leftWords(2 * 86_400_000 - 1000)).toBe('Sign-in ends in 1 day.')
    expect(expiryOf(soon, Date.parse('2026-11-26T00:00:00Z'))).toBeUndefined()
    expect(expiryOf({ 'key-expires-soon': warning({ Args: { expiry: 'soon' } }) }, NOW)).toBeUndefined()
    expect([30_000, 60_000, 7_200_000, 5 * 86_400_000].map(leftWords)).toEqual(['Sign-in ends in less than a minute.', 'Sign-in ends in 1 minute.', 'Sign-in ends in 2 hours.', 'Sign-in ends in 5 days.'])
  })
})

describe('accounts', () => {
  const profile = (ID: string, Name: string, LoginName: string): LoginProfile =>
    ({ ID, Name, UserProfile: { ID: 1, LoginName, DisplayName: '' }, ControlURL: 'https://hs.example' }) as unknown as LoginProfile

  it('are listed with the present one first, and never twice the same word', () => {
    const all = [profile('a', 'anna@x', 'anna@x'), profile('b', 'Work', 'bob@x')]
    expect(accountRows({ all, current: all[1]! })).toEqual([
      { id: 'b', name: 'Work', where: 'bob@x, hs.example', current: true }, { id: 'a', name: 'anna@x', where: 'hs.example', current: false },
    ])
    expect(accountRows({ all, current: profile('', '', '') }).every((row) => !row.current)).toBe(true)
    expect(accountRows(undefined)).toEqual([])
  })
})
