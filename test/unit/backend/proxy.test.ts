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

  test.each<[string, object]>([
    ['100.64.0.2', { kind: 'tunnel', addresses: ['100.64.0.2'] }],
    ['100.64.0.77', { kind: 'refuse', code: 'unreachable' }],
    ['100.64.0.1', { kind: 'system', addresses: ['127.0.0.1'] }],
    ['198.51.100.7', { kind: 'system', addresses: ['198.51.100.7'] }],
  ])('for %s in an IPv6 coat is decided as without it', async (ip, answer) => {
    expect(await ask(running(), `::ffff:${ip}`)).toMatchObject(answer)
    expect(await ask(running(() => Promise.resolve([`::ffff:${ip}`])), 'coat.example')).toMatchObject(answer)
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

const ETH = { name: 'eth0', ip: '192.168.1.5', prefix: 24, internal: false }

/** One that may use n2 as exit node, with a local network. */
function withExit(prefs: Record<string, unknown> = { ExitNodeID: '2', ExitNodeIDSet: true }): Rig {
  const rig = running(() => Promise.reject(new Error('the system must not be asked')))
  rig.backend.facts.onSystem({ interfaces: [ETH] })
  rig.map(recorded('12-peer-routes-approved.json'))
  rig.backend.editPrefs(prefs)
  return rig
}

describe('a proxy request while an exit node is chosen', () => {
  test.each(['198.51.100.7', '2001:db8::7'])('for %s goes into the tunnel', async (host) => {
    expect(await ask(withExit(), host)).toEqual({ kind: 'tunnel', addresses: [host], port: 80 })
  })

  test('for a device, its address and ourselves goes where it went', async () => {
    const rig = withExit()
    expect(await ask(rig, 'renamed')).toMatchObject({ kind: 'tunnel', addresses: ['100.64.0.2'] })
    expect(await ask(rig, 'n1')).toMatchObject({ kind: 'system', addresses: ['127.0.0.1'] })
    expect(await ask(rig, '100.64.0.77')).toMatchObject({ kind: 'refuse', code: 'unreachable' })
  })

  test.each(['localhost', 'db.localhost', '127.0.0.1', '::1', '192.168.1.5'])('for this machine itself (%s) stays here', async (host) => {
    expect(await ask(withExit(), host)).toMatchObject({ kind: 'system' })
  })

  test.each(['192.168.1.9', '169.254.1.1', 'fe80::1', '224.0.0.251'])('for the local network (%s) is refused with the way to open it, and goes there once it is open', async (host) => {
    const rig = withExit()
    expect(await ask(rig, host)).toMatchObject({ kind: 'refuse', code: 'not-allowed', message: expect.stringContaining('--exit-node-allow-lan-access') as unknown })
    rig.backend.editPrefs({ ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true })
    expect(await ask(rig, host)).toEqual({ kind: 'system', addresses: [host], port: 80 })
  })

  test('for a name never asks the system', async () => {
    const rig = withExit()
    await ask(rig, 'outside.example')
    // An exit node that does not answer is asked again a few times.
    for (let i = 0; i < 100 && rig.dataplane.answers.length === 0; i++) {
      rig.clock.advance(200)
      await settle()
    }
    expect(rig.dataplane.answers.at(-1)?.answer).toMatchObject({ kind: 'refuse', code: 'no-such-host' })
  })

  test.each(['198.51.100.7', '2001:db8::7', 'outside.example'])('that cannot be used is refused at once with the reason (%s)', async (host) => {
    const rig = withExit({ ExitNodeID: '99', ExitNodeIDSet: true })
    expect(await ask(rig, host)).toEqual({ kind: 'refuse', code: 'not-allowed', message: 'blocked because the chosen exit node is not in this network any more' })
  })

  test.each(['100.100.100.100', 'fd7a:115c:a1e0::53'])('for the service address %s goes to no device', async (host) => {
    expect(await ask(withExit(), host)).toMatchObject({ kind: 'refuse', message: expect.stringContaining('service address') as unknown })
  })

  test.each(['100.100.100.100', 'fd7a:115c:a1e0::53'])('for the resolver at %s stays with the engine', async (host) => {
    const rig = withExit()
    rig.backend.facts.dataplane.onProxyRequest({ id: 8, via: 'socks5', host, port: 53 })
    await settle()
    expect(rig.dataplane.answers.at(-1)?.answer).toEqual({ kind: 'engine', to: { ip: host, port: 53 } })
  })

  test('of a family that we have no address of is refused, never sent past it', async () => {
    const rig = withExit()
    const self = recorded('02-initial-one-peer.json').Node!
    rig.map({ Node: { ...self, Addresses: ['100.64.0.1/32'], AllowedIPs: ['100.64.0.1/32'] } })
    expect(await ask(rig, '2001:db8::7')).toMatchObject({ kind: 'refuse', code: 'unreachable', message: expect.stringContaining('2001:db8::7 is IPv6') as unknown })
    expect(await ask(rig, '198.51.100.7')).toMatchObject({ kind: 'tunnel' })
  })

  test('goes the system’s way only once a person has disconnected or taken the choice back', async () => {
    const rig = withExit()
    rig.backend.facts.control.onState({ kind: 'needs-login', why: 'a test' })
    expect(await ask(rig, '198.51.100.7')).not.toMatchObject({ kind: 'system' })
    rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect(await ask(rig, '198.51.100.7')).toMatchObject({ kind: 'system' })
    rig.backend.editPrefs({ WantRunning: true, WantRunningSet: true })
    rig.backend.editPrefs({ ExitNodeID: '', ExitNodeIDSet: true })
    expect(await ask(rig, '198.51.100.7')).toMatchObject({ kind: 'system' })
  })

  test('is refused before anything is known, and while the sign-in has ended', async () => {
    const rig = makeRig()
    expect(await ask(rig, '198.51.100.7')).toMatchObject({ kind: 'refuse', message: expect.stringContaining('until it is known') as unknown })
    const expired = withExit()
    expired.map(recorded('22-self-expired.json'))
    expect(await ask(expired, '198.51.100.7')).toMatchObject({ kind: 'refuse', message: expect.stringContaining('your sign-in has ended') as unknown })
  })
})
