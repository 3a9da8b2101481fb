import { describe, expect, it } from 'vitest'
import type { BlockedRow, ForwardRow, PeerStatus, RouteRow, RouteVia } from '../../preload/contract.ts'
import type { Device } from '../../renderer/state/devices.ts'
import { blockedWith, commandFor, forwardsTo, forwardTarget, offeredWords, routesBehind } from '../../renderer/state/networks.ts'

const via = (id: string): RouteVia => ({ ID: id, Name: `gw-${id}`, Online: true })
const row = (over: Partial<RouteRow>): RouteRow => ({ Prefix: '10.0.3.0/24', State: 'used', Why: 'through gw-1', Via: via('1'), Standby: [], ...over })
const behind = (...Routes: readonly RouteRow[]): ReturnType<typeof routesBehind> => routesBehind({ Accept: true, Routes, Offered: [] }, '1')

describe('networks behind a device', () => {
  it('are those that it carries or would carry, and no others', () => {
    const lines = behind(row({}), row({ Prefix: '10.1.0.0/16', Why: 'Through gw-2; gw-1 stands by.', Via: via('2'), Standby: [via('1')] }), row({ Prefix: '10.2.0.0/16', Via: via('2') }))
    expect(lines.map((line) => [line.prefix, line.words, line.why])).toEqual([
      ['10.0.3.0/24', 'Used', 'Through gw-1.'],
      ['10.1.0.0/16', 'Used through another device', 'Through gw-2; gw-1 stands by.'],
    ])
  })

  it('have a switch only where it changes something, and say why they are not used', () => {
    const Standby = [via('1'), via('2')]
    const states = ['used', 'skipped', 'not-accepted', 'overlaps', 'refused', 'no-router'] as const
    expect(states.map((State) => behind(row({ State, Standby }))[0]!.use)).toEqual([true, false, false, undefined, undefined, undefined])
    expect(behind(row({ State: 'overlaps', Why: 'this computer is on 10.0.3.0/24 itself (eth0)', Standby }))[0]!.why).toBe('This computer is on 10.0.3.0/24 itself (eth0). Also offered by gw-2.')
  })

  it('of one’s own say whether they are approved and used', () => {
    const words = (Approved: boolean, Primary: boolean, Flows: number): string => offeredWords({ Prefix: '10.0.0.0/8', Approved, Primary, Flows })
    expect([words(false, false, 0), words(true, false, 0), words(true, true, 0), words(true, true, 1)]).toEqual([
      'Not approved yet by an admin', 'Approved; another device carries it, this one would take over', 'Approved, nobody uses it now', 'Approved, 1 connection now',
    ])
  })
})

it('what was blocked with a device is told once each, with how often and when', () => {
  const nowMs = Date.parse('2026-05-01T12:00:00Z')
  const blocked = (PeerKey: string, Why: string, Count: number): BlockedRow => ({
    Direction: 'out', Proto: 'tcp', Peer: 'web', PeerKey, From: '100.64.0.5', To: '100.64.0.1:22', Reason: 'acl', Why, Count, First: '', Last: '2026-05-01T11:59:48Z',
  })
  const page = { Since: '', Rows: [blocked('a', 'web:22 refused this: its rules do not let you in (acl)', 3), blocked('b', 'other', 1), blocked('a', 'web:22 did not answer: web is offline (offline)', 1), blocked('a', 'third', 1)], Dropped: {} }
  expect(blockedWith(page, 'a', nowMs, 2)).toEqual([{ why: 'web:22 refused this: its rules do not let you in.', when: '3 times, last 12 s ago' }, { why: 'web:22 did not answer: web is offline.', when: '12 s ago' }])
  expect(blockedWith(undefined, 'a', nowMs, 2)).toEqual([])
})

describe('forwards', () => {
  const forward = (ID: string, To: string): ForwardRow => ({ ID, Proto: 'tcp', Listen: '127.0.0.1:5432', To, Created: '', State: 'listening', Open: 0, Total: 0 })
  const device = (DNSName: string, addresses: readonly string[]): Device => ({ address: addresses[0]!, peer: { DNSName, TailscaleIPs: addresses } as unknown as PeerStatus }) as Device

  it('belong to the device that they name or whose address they have', () => {
    const page = { Forwards: [forward('a', 'db:5432'), forward('b', 'DB.lab.internal:22'), forward('c', '[fd7a::2]:53'), forward('d', '100.64.0.2:1'), forward('e', 'db2:5432'), forward('f', '10.0.3.7:445')] }
    expect(forwardsTo(page, device('db.lab.internal.', ['100.64.0.2', 'fd7a::2'])).map((one) => one.ID)).toEqual(['a', 'b', 'c', 'd'])
    expect(forwardsTo(page, undefined)).toHaveLength(6)
  })

  it('lead to the whole name, or to the address of a device without one', () => {
    expect(forwardTarget(device('db.lab.internal.', ['100.64.0.2']), 5432)).toBe('db.lab.internal:5432')
    expect(forwardTarget(device('', ['fd7a::2']), 53)).toBe('[fd7a::2]:53')
  })

  it('come with the command that uses them where there is a usual one', () => {
    expect(commandFor(22, '127.0.0.1:40123')).toBe('ssh -p 40123 127.0.0.1')
    expect(commandFor(5432, '127.0.0.1:40123')).toBe('')
  })
})
