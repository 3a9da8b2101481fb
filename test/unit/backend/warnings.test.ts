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

  test('a network that lets no UDP out is told after a while, unless no relay could have answered or there is no relay', () => {
    const rig = joined()
    const { magicsock } = rig.backend.facts
    magicsock.onNetInfo({ WorkingUDP: false })
    rig.clock.advance(9_999)
    expect(codes(rig)).toEqual([])
    rig.clock.advance(1)
    expect(rig.backend.views.health().Warnings!['udp-blocked']).toMatchObject({ Severity: 'low', Args: { 'derp-region-name': 'lab' } })
    rig.derp.regions.set(999, 'connecting')
    rig.backend.facts.onRelayChange()
    rig.clock.advance(10_000)
    expect(codes(rig)).toEqual(['no-derp-connection'])
    rig.derp.regions.set(999, 'connected')
    magicsock.onNetInfo({ WorkingUDP: true })
    rig.backend.facts.onRelayChange()
    expect(codes(rig)).toEqual([])
  })

  test('what a relay says is wrong is told in its words', () => {
    const rig = joined()
    rig.derp.troubles.set(999, 'duplicate connection')
    rig.backend.facts.onRelayChange()
    expect(rig.backend.views.status(true).Health).toEqual(['The relay lab reports: duplicate connection. If it lasts, tell whoever runs it.'])
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

  test.each([
    ['90 days', 90 * 86_400_000, 7 * 86_400_000], ['30 days', 30 * 86_400_000, 3 * 86_400_000], ['an hour', 3_600_000, 600_000], ['ten minutes', 600_000, 300_000],
  ])('a sign-in for %s is said to end soon in its last tenth, by itself, and that it has ended in its place', (_words, wholeMs, noticeMs) => {
    const rig = joined()
    const message = recorded('02-initial-one-peer.json')
    rig.map({ Node: { ...message.Node!, KeyExpiry: new Date(rig.clock.wallMs() + wholeMs).toISOString() }, ControlTime: new Date(rig.clock.wallMs()).toISOString() })
    const toldOfEnd = (): string[] => codes(rig).filter((code) => code.startsWith('key-'))
    rig.clock.advance(wholeMs - noticeMs - 1000)
    expect(toldOfEnd()).toEqual([])
    rig.clock.advance(2000)
    expect(toldOfEnd()).toEqual(['key-expires-soon'])
    rig.clock.advance(noticeMs)
    expect(toldOfEnd()).toEqual(['key-expired'])
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
