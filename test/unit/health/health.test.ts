import { describe, expect, test } from 'vitest'
import { Health } from '../../../main/engine/health/health.ts'
import { WARNABLES } from '../../../main/engine/health/warnables.ts'
import type { Warnable, WarnableCode } from '../../../main/engine/health/warnables.ts'
import { HandClock } from '../../sim/clock.ts'

function rig(): { clock: HandClock; health: Health; told: () => number } {
  const clock = new HandClock()
  const health = new Health({ clock })
  let told = 0
  health.onChange(() => told++)
  return { clock, health, told: () => told }
}

const codes = (health: Health): string[] => Object.keys(health.state().Warnings ?? {})

describe('health', () => {
  test('a warning keeps its beginning while it stays, and is told only when it changes', () => {
    const { clock, health, told } = rig()
    health.set('state-not-saved', { error: 'disk full.' })
    const since = health.state().Warnings!['state-not-saved']!.BrokenSince
    clock.advance(5000)
    health.set('state-not-saved', { error: 'disk full.' })
    expect(told()).toBe(1)
    health.set('state-not-saved', { error: 'disk gone.' })
    expect(told()).toBe(2)
    expect(health.state().Warnings!['state-not-saved']).toMatchObject({ BrokenSince: since, Args: { error: 'disk gone.' }, Severity: 'high' })
    expect(health.texts()[0]).toContain('disk gone.')
    health.clear('state-not-saved')
    health.clear('state-not-saved')
    expect([told(), health.state()]).toEqual([3, { Warnings: null }])
  })

  test('an owner sets its codes whole and disturbs no other, and the gravest is said first', () => {
    const { health, told } = rig()
    health.setGroup('a', { 'wantrunning-false': {}, 'clock-wrong': { skew: '3 hours behind' } })
    health.set('packet-thread', { error: 'x' })
    expect(codes(health)).toEqual(['packet-thread', 'clock-wrong', 'wantrunning-false'])
    expect(told()).toBe(2)
    health.setGroup('a', {})
    expect(codes(health)).toEqual(['packet-thread'])
  })

  test('a consequence is hidden while its cause is wrong, and told when only it is left', () => {
    const { health } = rig()
    health.set('not-in-map-poll', { error: 'refused' })
    health.set('wantrunning-false')
    expect(codes(health)).toEqual(['wantrunning-false'])
    health.clear('wantrunning-false')
    expect(codes(health)).toEqual(['not-in-map-poll'])
  })

  test('a cause that is itself hidden hides nothing more than its own cause does', () => {
    const { clock, health } = rig()
    health.set('no-derp-connection', { 'derp-region-id': '9' })
    health.set('no-derp-home')
    clock.advance(10_000)
    expect(codes(health)).toEqual(['no-derp-home'])
    health.set('wantrunning-false')
    expect(codes(health)).toEqual(['wantrunning-false'])
  })

  test('what may pass by itself is told only when it has lasted', () => {
    const { clock, health, told } = rig()
    health.set('network-status')
    clock.advance(4_999)
    expect([told(), codes(health)]).toEqual([0, []])
    clock.advance(1)
    expect([told(), codes(health)]).toEqual([1, ['network-status']])
    health.clear('network-status')
    health.set('network-status')
    health.clear('network-status')
    clock.advance(10_000)
    expect([told(), clock.waiting]).toEqual([2, 0])
  })

  test("the server's messages stand in the same list, with their action in the text", () => {
    const { health, told } = rig()
    const action = { URL: 'https://example.com/a', Label: 'Look' }
    health.setMessages(new Map([['b', { Title: 'B', Severity: 'odd' }], ['a', { Title: 'A', Text: 'Text.', Severity: 'high', ImpactsConnectivity: true, PrimaryAction: action }]]))
    health.set('wantrunning-false')
    expect(health.state().Warnings).toMatchObject({
      'control-health.a': { Severity: 'high', Title: 'A', Text: 'Text.', ImpactsConnectivity: true, PrimaryAction: action },
      'control-health.b': { Severity: 'medium', Title: 'B', Text: '' },
    })
    expect(health.texts().slice(1)).toEqual(['A: Text. Look: https://example.com/a', 'B.'])
    health.setMessages(new Map([['b', { Title: 'B', Severity: 'odd' }], ['a', { Title: 'A', Text: 'Text.', Severity: 'high', ImpactsConnectivity: true, PrimaryAction: action }]]))
    expect(told()).toBe(2)
    health.setMessages(new Map())
    expect(codes(health)).toEqual(['wantrunning-false'])
  })

  test('equal warnings have equal tags and different ones do not', () => {
    const tag = (error: string): string | undefined => {
      const { health } = rig()
      health.set('login-state', { error })
      return health.state().Warnings!['login-state']!.ETag
    }
    expect(tag('a')).toBe(tag('a'))
    expect(tag('a')).not.toBe(tag('b'))
  })
})

describe('the table of warnables', () => {
  const rows = Object.entries(WARNABLES) as [WarnableCode, Warnable][]

  test('names only its own codes as causes, and no circle of them', () => {
    const reach = (code: string, path: readonly string[]): void => {
      expect(path).not.toContain(code)
      expect(Object.keys(WARNABLES)).toContain(code)
      for (const cause of (WARNABLES[code as WarnableCode] as Warnable).dependsOn ?? []) reach(cause, [...path, code])
    }
    for (const [code] of rows) reach(code, [])
  })

  test.each(rows)('%s says a whole sentence without its arguments and shows them when it has them', (_code, row) => {
    expect(row.text({})).toMatch(/^[A-Z].+/)
    expect(row.text({})).not.toContain('undefined')
    expect(row.title).not.toBe('')
  })
})
