import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OpenConnection, PreviewFacts } from '../../../../main/engine/core/preview/facts.ts'
import { isRisky, lossesOf } from '../../../../main/engine/features/trial/losses.ts'
import type { PreviewSide } from '../../../../main/engine/features/trial/losses.ts'
import { NO_ROADS } from '../../../../main/engine/core/preview/ways.ts'

const RANGES = ['100.64.0.0/10', 'fd7a:115c:a1e0::/48']
const DEFAULTS = ['0.0.0.0/0', '::/0']
const LAN = '192.168.1.0/24'
const NAMES = { page: { Through: 'none', All: false, Domains: [], Search: [], Own: [] }, rest: 'system' } as const
const APPS: PreviewSide = { mode: 'apps', roads: NO_ROADS, internet: 'direct', exit: { id: '', name: '', trouble: '' }, names: NAMES }
const WHOLE: PreviewSide = { ...APPS, mode: 'whole', roads: { routes: RANGES, bypass: [LAN], exitId: '' } }
const EXIT: PreviewSide = { ...WHOLE, internet: 'exit', exit: { id: 'n1', name: 'exit-nyc', trouble: '' }, roads: { routes: [...RANGES, ...DEFAULTS], bypass: [], exitId: 'n1' } }
const EXIT_LAN: PreviewSide = { ...EXIT, roads: { ...EXIT.roads, bypass: [LAN] } }

const HOME: PreviewFacts = {
  system: { interfaces: [{ name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }], defaultRoutes: [{ interface: 'wlan0', gateway: '192.168.1.1' }] },
  connections: [], neighbours: [], printers: [], nets: [], names: { servers: ['192.168.1.1'], search: [] },
}

function inbound(remoteIp: string, port: number, more: Partial<OpenConnection> = {}): OpenConnection {
  return { local: { ip: '192.168.1.5', port }, remote: { ip: remoteIp, port: 50_000 }, isInbound: true, isOurs: false, ...more }
}

function outbound(remoteIp: string, program: string, port = 443): OpenConnection {
  return { local: { ip: '192.168.1.5', port: 40_000 }, remote: { ip: remoteIp, port }, isInbound: false, isOurs: false, program }
}

function losses(before: PreviewSide, after: PreviewSide, facts: Partial<PreviewFacts> = {}, proxyPorts: readonly number[] = []): string[] {
  return lossesOf({ before, after, facts: { ...HOME, ...facts }, selfAddresses: ['100.64.0.7'], proxyPorts }).map(({ Kind, What, Why, IsWayIn }) => `${Kind}: ${What} [${Why.Code}]${IsWayIn ? ' way in' : ''}`)
}

describe('choosing an exit node for the whole computer', () => {
  test('takes the printer, the devices and the remote desktop of the local network', () => {
    const facts = {
      connections: [inbound('192.168.1.44', 3389)],
      neighbours: [{ ip: '192.168.1.1', interface: 'wlan0' }, { ip: '192.168.1.20', interface: 'wlan0' }, { ip: '192.168.1.30', interface: 'wlan0' }, { ip: '192.168.1.31', interface: 'wlan0' }],
      printers: [{ name: 'HP-2', host: '192.168.1.20' }],
    }
    expect(losses(WHOLE, EXIT, facts)).toEqual([
      'remote-session: remote desktop from 192.168.1.44 [lan-not-kept] way in',
      'printer: HP-2 (192.168.1.20) [lan-not-kept]',
      'local-device: 2 devices on 192.168.1.0/24 [lan-not-kept]',
      'gateway: the page of your router at 192.168.1.1 [lan-not-kept]',
    ])
    expect(losses(WHOLE, EXIT_LAN, facts)).toEqual([])
  })

  test('takes a session from the internet also where the local network is kept', () => {
    const facts = { connections: [inbound('203.0.113.9', 22), inbound('203.0.113.9', 22), inbound('100.64.0.9', 22), inbound('203.0.113.8', 8080)] }
    expect(losses(WHOLE, EXIT_LAN, facts)).toEqual(['remote-session: SSH session from 203.0.113.9 [through-exit] way in', 'connection: 1 connection with 203.0.113.8 [through-exit]'])
  })

  test('breaks connections, counted by program, and names devices of the local network that are in use', () => {
    const facts = { connections: [outbound('198.51.100.1', 'firefox'), outbound('198.51.100.2', 'firefox'), outbound('192.168.1.9', 'smbclient', 445), outbound('100.64.0.3', 'ssh', 22), { ...outbound('198.51.100.3', 'node'), isOurs: true }] }
    expect(losses(WHOLE, EXIT, facts)).toEqual(['local-device: 192.168.1.9, in use by smbclient [lan-not-kept]', 'connection: 2 connections of firefox [through-exit]', 'gateway: the page of your router at 192.168.1.1 [lan-not-kept]'])
  })

  test('is said to keep everything in while the exit node cannot be used', () => {
    const dead = { ...EXIT_LAN, exit: { ...EXIT_LAN.exit, trouble: 'does not answer' } }
    const [loss, ...others] = lossesOf({ before: WHOLE, after: dead, facts: HOME, selfAddresses: [], proxyPorts: [] })
    expect(loss).toMatchObject({ Kind: 'internet', Why: { Code: 'exit-unusable', Text: 'exit-nyc cannot be used: does not answer.' } })
    expect(others).toEqual([])
  })

  test('changes what leaves, so another exit node breaks connections as well', () => {
    const other = { ...EXIT, exit: { ...EXIT.exit, id: 'n2', name: 'exit-ams' }, roads: { ...EXIT.roads, exitId: 'n2' } }
    expect(losses(EXIT, other, { connections: [outbound('198.51.100.1', 'firefox')] })).toEqual(['connection: 1 connection of firefox [through-exit]'])
  })

  test('takes networks of other VPNs', () => {
    const system = { ...HOME.system, interfaces: [...HOME.system.interfaces, { name: 'wg0', ip: '10.8.0.2', prefix: 24, internal: false }] }
    expect(losses(WHOLE, EXIT, { system, nets: [{ prefix: '10.9.0.0/16', interface: 'wg0' }] })[0]).toBe('other-vpn: 2 networks of WireGuard (wg0) [lan-not-kept]')
  })
})

describe('programs that come in by proxies', () => {
  test('lose nothing of the computer, only what the proxies carry', () => {
    const facts = { connections: [inbound('192.168.1.44', 22), outbound('198.51.100.1', 'firefox'), outbound('127.0.0.1', 'curl', 1055)], printers: [{ name: 'HP', host: '' }] }
    const through = { ...APPS, internet: 'exit' as const, exit: EXIT.exit }
    expect(losses(APPS, through, facts, [1055])).toEqual(['connection: 1 connection of curl [proxy-flows]'])
    expect(losses(APPS, APPS, facts, [1055])).toEqual([])
  })

  test('that become the whole computer break what came in through Bowline', () => {
    const session = { ...inbound('127.0.0.1', 22), isOurs: true }
    expect(losses(APPS, WHOLE, { connections: [session] })).toEqual(['remote-session: SSH session through Bowline [through-bowline] way in'])
  })
})

describe('networks behind devices', () => {
  const accepted: PreviewSide = { ...WHOLE, roads: { ...WHOLE.roads, routes: [...RANGES, '10.20.0.0/16'] } }

  test('take what this computer reached by a router of its own', () => {
    const facts = { connections: [inbound('10.20.0.4', 5901), outbound('10.20.0.5', 'ssh', 22)], printers: [{ name: 'Office', host: '10.20.3.3' }], nets: [{ prefix: '10.20.0.0/16', interface: 'wlan0' }] }
    expect(losses(WHOLE, accepted, facts)).toEqual([
      'remote-session: remote desktop (VNC) from 10.20.0.4 [into-network] way in', 'printer: Office (10.20.3.3) [into-network]',
      'connection: 1 connection of ssh [into-network]',
    ])
  })

  test('take a network of this computer also where nothing was seen in it', () => {
    expect(losses(WHOLE, accepted, { nets: [{ prefix: '10.20.0.0/16', interface: 'wlan0' }] })).toEqual(['local-network: 10.20.0.0/16 (wlan0) [into-network]'])
  })

  test('that are given up break the connections into them', () => {
    expect(losses(accepted, WHOLE, { connections: [outbound('10.20.0.5', 'ssh', 22)] })).toEqual(['connection: 1 connection of ssh [out-of-network]'])
  })
})

describe('names', () => {
  const own = { servers: ['10.0.0.53'], search: ['corp.example'] }
  const all = { ...WHOLE, names: { page: { ...NAMES.page, Through: 'systemd-resolved' as const, All: true, Domains: ['tail.example'] }, rest: 'network' as const } }

  test('of the own network would not be asked where they were', () => {
    expect(losses(WHOLE, all, { names: own })).toEqual(['names: names below corp.example [names-by-network]'])
    expect(losses(WHOLE, all)).toEqual([])
  })

  test('of the devices would not be known any more', () => {
    expect(losses(all, WHOLE)).toEqual(['names: names below tail.example [names-not-asked]'])
  })
})

test('a trial is wise for what people notice too late, not for connections that open themselves again', () => {
  const of = (before: PreviewSide, after: PreviewSide, facts: Partial<PreviewFacts>): boolean => isRisky(lossesOf({ before, after, facts: { ...HOME, ...facts }, selfAddresses: [], proxyPorts: [] }))
  expect(of(WHOLE, EXIT, { connections: [outbound('198.51.100.1', 'firefox')] })).toBe(false)
  expect(of(WHOLE, EXIT, { printers: [{ name: 'HP', host: '' }] })).toBe(true)
})

test('names of strangers come out as one line without control characters, and lists are bounded', () => {
  const printers = Array.from({ length: 50 }, (_, i) => ({ name: `\u001b[31mHP\u202e\n${i}`, host: `192.168.1.${i + 50}` }))
  const found = lossesOf({ before: WHOLE, after: EXIT, facts: { ...HOME, printers }, selfAddresses: [], proxyPorts: [] }).filter(({ Kind }) => Kind === 'printer')
  expect(found).toHaveLength(5)
  expect(found[0]!.Name).toBe('[31mHP')
  expect(found[4]).toMatchObject({ Count: 46, What: '46 more printers' })
})

const ip = fc.oneof(fc.ipV4(), fc.constantFrom('192.168.1.7', '10.20.0.4', '100.64.0.3', '127.0.0.1', '::1'))
const connection = fc.record({
  local: fc.record({ ip, port: fc.constantFrom(22, 3389, 5901, 40_000) }), remote: fc.record({ ip, port: fc.integer({ min: 1, max: 65_535 }) }),
  isInbound: fc.boolean(), isOurs: fc.boolean(), program: fc.string(),
})
const facts = fc.record({
  connections: fc.array(connection), neighbours: fc.array(fc.record({ ip, interface: fc.string() })), printers: fc.array(fc.record({ name: fc.string(), host: fc.oneof(ip, fc.string()) })),
  nets: fc.array(fc.record({ prefix: fc.constantFrom('10.20.0.0/16', '172.17.0.0/16', '192.168.1.0/24'), interface: fc.string() })),
})
const side = fc.constantFrom(APPS, WHOLE, EXIT, EXIT_LAN)

test('what stays as it is takes nothing, whatever is open here', () => {
  fc.assert(fc.property(side, facts, (same, seen) => losses(same, same, seen, [1055]).length === 0))
})

test('whatever is open here, losses are few, and none of them names a stranger’s control characters', () => {
  fc.assert(fc.property(side, side, facts, (before, after, seen) => {
    const found = lossesOf({ before, after, facts: { ...HOME, ...seen }, selfAddresses: [], proxyPorts: [1055] })
    // eslint-disable-next-line no-control-regex
    return found.length <= 40 && found.every(({ What, Count }) => Count >= 1 && !/[\u0000-\u001f]/.test(What))
  }))
})
