import { describe, expect, test } from 'vitest'
import { makeRig, recorded, type Rig } from './rig.ts'

function joined(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  rig.backend.facts.magicsock.onHome(999)
  return rig
}

const codes = (rig: Rig): string[] => Object.keys(rig.backend.views.health().Warnings ?? {})
const lost = { kind: 'lost', code: 'control-unreachable', message: 'connection refused', retryInMs: 500 } as const

describe('warnings of a connected engine', () => {
  test('there are none', () => {
    const rig = joined()
    rig.clock.advance(60_000)
    expect(codes(rig)).toEqual([])
  })

  test('a home relay that is not connected is told after a while, and no relay at all in its place', () => {
    const rig = joined()
    rig.derp.regions.set(999, 'connecting')
    rig.backend.facts.onRelayChange()
    rig.clock.advance(9_999)
    expect(codes(rig)).toEqual([])
    rig.clock.advance(1)
    expect(rig.backend.views.health().Warnings!['no-derp-connection']).toMatchObject({ Args: { 'derp-region-id': '999', 'derp-region-name': 'lab' }, ImpactsConnectivity: true })
    rig.backend.facts.magicsock.onHome(0)
    rig.clock.advance(10_000)
    expect(codes(rig)).toEqual(['no-derp-home'])
    rig.derp.regions.set(999, 'connected')
    rig.backend.facts.magicsock.onHome(999)
    expect(codes(rig)).toEqual([])
  })

  test('what a relay says is wrong is told in its words', () => {
    const rig = joined()
    rig.derp.troubles.set(999, 'duplicate connection')
    rig.backend.facts.onRelayChange()
    expect(rig.backend.views.status(true).Health).toEqual(['The relay lab reports: duplicate connection'])
  })

  test('without any network that is the cause, and the server out of reach but its consequence', () => {
    const rig = joined()
    rig.hasNetwork = false
    rig.backend.facts.control.onState(lost)
    rig.clock.advance(5_000)
    expect(codes(rig)).toEqual(['network-status'])
    rig.hasNetwork = true
    rig.backend.facts.control.onState(lost)
    expect(codes(rig)).toEqual(['not-in-map-poll'])
  })

  test('a sign-in that ends within a week is told, and that it has ended in its place', () => {
    const rig = joined()
    const message = recorded('02-initial-one-peer.json')
    const ends = (inMs: number): void => rig.map({ Node: { ...message.Node!, KeyExpiry: new Date(rig.clock.wallMs() + inMs).toISOString() } })
    ends(8 * 86_400_000)
    expect(codes(rig)).toEqual([])
    ends(6 * 86_400_000)
    expect(codes(rig)).toEqual(['key-expires-soon'])
    ends(-3_600_000)
    expect(codes(rig)).toEqual(['key-expired'])
  })

  test('a clock that is hours wrong is told in words, until it is set', () => {
    const rig = joined()
    rig.map({ ControlTime: new Date(rig.clock.wallMs() + 3 * 3_600_000).toISOString() })
    expect(rig.backend.views.health().Warnings!['clock-wrong']!.Text).toContain('by 3 hours')
    rig.map({ ControlTime: new Date(rig.clock.wallMs()).toISOString() })
    expect(codes(rig)).toEqual([])
  })

  test("the server's messages come and go, older ones count while there are no others", () => {
    const rig = joined()
    rig.map({ Health: ['the tailnet is ill'] })
    expect(rig.backend.views.status(true).Health).toEqual(['Message from the server: the tailnet is ill'])
    rig.map({ DisplayMessages: { m: { Title: 'T', Text: 'New.', Severity: 'low' } } })
    expect(codes(rig)).toEqual(['control-health.m'])
    rig.map({ DisplayMessages: { '*': null }, Health: [] })
    expect(codes(rig)).toEqual([])
  })
})
