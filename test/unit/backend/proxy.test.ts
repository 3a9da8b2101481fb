import { describe, expect, test } from 'vitest'
import { settle } from '../../sim/clock.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }

function running(resolve?: (host: string) => Promise<readonly string[]>): Rig {
  const rig = makeRig(resolve ? { resolve } : {})
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.signIn()
  return rig
}
async function ask(rig: Rig, host: string): Promise<unknown> {
  rig.backend.facts.dataplane.onProxyRequest({ id: 7, via: 'socks5', host, port: 80 })
  await settle()
  return rig.dataplane.answers.at(-1)?.answer
}

describe('a proxy request', () => {
  test.each(['n2', 'N2', 'n2.lab.internal', 'n2.lab.internal.', '100.64.0.2'])('for %s goes into the tunnel', async (host) => {
    expect(await ask(running(), host)).toMatchObject({ kind: 'tunnel', port: 80, addresses: expect.arrayContaining(['100.64.0.2']) })
  })

  test.each(['fd7a:115c:a1e0::2', '[fd7a:115c:a1e0::2]'])('for the IPv6 address %s goes into the tunnel', async (host) => {
    expect(await ask(running(), host)).toEqual({ kind: 'tunnel', addresses: ['fd7a:115c:a1e0::2'], port: 80 })
  })

  test.each(['n1', '100.64.0.1', 'fd7a:115c:a1e0::1'])('for ourselves (%s) stays on this machine', async (host) => {
    const answer = (await ask(running(), host)) as { kind: string; addresses: string[] }
    expect(answer.kind).toBe('system')
    expect(answer.addresses.every((ip) => ip === '127.0.0.1' || ip === '::1')).toBe(true)
  })

  test('for an unknown name of the network is refused and never asked of the system', async () => {
    const rig = running(() => Promise.reject(new Error('must not be asked')))
    expect(await ask(rig, 'nobody.lab.internal')).toMatchObject({ kind: 'refuse', code: 'no-such-host' })
  })

  test('for an address of the network that nobody has is refused', async () => {
    expect(await ask(running(), '100.64.0.77')).toMatchObject({ kind: 'refuse', code: 'unreachable' })
  })

  test('for another name goes out by the system, unless a peer has its address', async () => {
    const rig = running((host) => Promise.resolve(host === 'inside.example' ? ['10.55.0.9'] : ['192.0.2.9']))
    expect(await ask(rig, 'outside.example')).toEqual({ kind: 'system', addresses: ['192.0.2.9'], port: 80 })
    expect(await ask(rig, 'inside.example')).toMatchObject({ kind: 'system' })
    rig.map(recorded('12-peer-routes-approved.json'))
    rig.backend.editPrefs({ RouteAll: true, RouteAllSet: true })
    expect(await ask(rig, 'inside.example')).toEqual({ kind: 'tunnel', addresses: ['10.55.0.9'], port: 80 })
  })

  test('for a name that the system does not know is refused', async () => {
    expect(await ask(running(), 'nowhere.example')).toMatchObject({ kind: 'refuse', code: 'no-such-host' })
  })

  test.each(['', 'a b', '-x', 'x'.repeat(300), 'a\u0000b', '../x'])('for the impossible name %j is refused at once', async (host) => {
    expect(await ask(running(() => Promise.resolve(['192.0.2.1'])), host)).toMatchObject({ kind: 'refuse', code: 'no-such-host' })
  })

  test('for a peer while we are down is refused with the reason', async () => {
    const rig = running()
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect(await ask(rig, 'n2')).toMatchObject({ kind: 'refuse', message: 'the tunnel is down' })
  })

  test('is refused when too many names are being looked up already', async () => {
    const rig = running(() => new Promise(() => {}))
    for (let i = 0; i < 300; i++) rig.backend.facts.dataplane.onProxyRequest({ id: i, via: 'http', host: `h${i}.example`, port: 80 })
    await settle()
    expect(rig.dataplane.answers).toHaveLength(44)
  })
})
