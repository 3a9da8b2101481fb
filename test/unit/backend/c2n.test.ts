import { describe, expect, test } from 'vitest'
import type { C2nAnswer } from '../../../main/engine/control/c2n-http.ts'
import { makeRig, recorded, type Rig } from './rig.ts'

function joined(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  return rig
}

const ask = (rig: Rig, method: string, path: string, body = ''): C2nAnswer => rig.backend.facts.control.asked.answerC2n({ method, path, query: new URLSearchParams(), body: Buffer.from(body) })
const jsonOf = (answer: C2nAnswer): Record<string, unknown> => JSON.parse(answer.body as string) as Record<string, unknown>

describe('requests of control to this node', () => {
  test('show the map, without the fields that it does not want', () => {
    const { current } = jsonOf(ask(joined(), 'POST', '/debug/netmap', JSON.stringify({ omitFields: ['Peers', 'DERPMap'] }))) as { current: object }
    expect(Object.keys(current)).toContain('SelfNode')
    expect(Object.keys(current)).not.toContain('Peers')
  })

  test("show what a map of control's would become here, or why not", () => {
    const rig = joined()
    const candidate = jsonOf(ask(rig, 'POST', '/debug/netmap', JSON.stringify({ candidate: recorded('01-initial-no-peers.json') })))['candidate']
    expect(candidate).toMatchObject({ Peers: [], Domain: '127.0.0.1' })
    expect(ask(rig, 'POST', '/debug/netmap', JSON.stringify({ candidate: { Peers: [] } }))).toMatchObject({ status: 400, body: expect.stringContaining('lacks the own node') as string })
    expect(ask(rig, 'POST', '/debug/netmap', '{')).toMatchObject({ status: 400 })
    expect(ask(rig, 'DELETE', '/debug/netmap')).toMatchObject({ status: 405 })
    expect(rig.backend.views.netMap()!.Peers).toHaveLength(1)
  })

  test('are answered before there is a map', () => {
    const rig = makeRig()
    rig.backend.start()
    expect(jsonOf(ask(rig, 'GET', '/debug/netmap'))).toEqual({ current: null })
    expect(jsonOf(ask(rig, 'GET', '/debug/health'))).toHaveProperty('Warnings')
  })

  test.each([['GET', '/nonsense', 400], ['GET', '/constructor', 400], ['GET', '/sockstats', 405], ['POST', '/sockstats', 500], ['GET', '/debug/goroutines', 501], ['POST', '/netfilter-kind', 501], ['GET', '/remoteapi/localapi/v0/prefs', 403],
    ['GET', '/update', 200], ['GET', '/posture/identity', 200], ['GET', '/tls-cert-status', 200], ['GET', '/vip-services', 200], ['GET', '/appconnector/routes', 200]] as const)('%s %s → %i', (method, path, status) => {
    expect(ask(joined(), method, path).status).toBe(status)
  })

  test('change nothing, whatever they are', () => {
    const rig = joined()
    const state = (): string => JSON.stringify([rig.backend.views.prefs(), rig.backend.views.status(true), rig.control.logins.length])
    const before = state()
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const path of ['/update', '/netfilter-kind', '/wol', '/logtail/flush', '/debug/component-logging', '/debug/prefs', '/remoteapi/localapi/v0/logout']) ask(rig, method, path, '{"WantRunning":false}')
    }
    expect(state()).toBe(before)
  })
})

test('a ping of the PeerAPI kind is timed to its first answer', async () => {
  const rig = joined()
  const message = recorded('02-initial-one-peer.json')
  const peer = message.Peers![0]!
  rig.map({ PeersChanged: [{ ...peer, Hostinfo: { ...peer.Hostinfo, Services: [{ Proto: 'peerapi4', Port: 46590 }] } }] })
  expect(await rig.backend.ping('100.64.0.2', 'peerapi', 0)).toMatchObject({ Err: '', PeerAPIURL: 'http://100.64.0.2:46590' })
  rig.map({ PeersChanged: [{ ...peer, Hostinfo: { ...peer.Hostinfo, Services: [] } }] })
  expect((await rig.backend.ping('100.64.0.2', 'peerapi', 0)).Err).toContain('no PeerAPI')
})
