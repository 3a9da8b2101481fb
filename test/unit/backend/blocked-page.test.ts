import { expect, test } from 'vitest'
import { nodeKey } from '../../../main/engine/base/keys.ts'
import type { FlowReject } from '../../../main/engine/backend/ports.ts'
import { blockedPage } from '../../../main/cli/verbs/blocked.ts'
import { makeRig } from './rig.ts'
import type { Rig } from './rig.ts'

function running(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', WantRunning: true }, AuthKey: 'k' })
  rig.signIn()
  return rig
}

const peerOf = (rig: Rig): FlowReject['peer'] => rig.dataplane.config!.peers[0]!.key

function reject(rig: Rig, over: Partial<FlowReject> = {}): void {
  rig.backend.facts.dataplane.onRejected({
    direction: 'outbound', peer: peerOf(rig), proto: 6, from: { ip: '100.64.0.1', port: 40_001 }, to: { ip: '100.64.0.2', port: 5432 }, reason: 'acl', count: 1, ...over,
  })
}

const rows = (rig: Rig): unknown[] => rig.backend.blocked.page().Rows.map(({ Direction, Reason, Count, Why }) => [Direction, Reason, Count, Why])

test('a refusal of a peer is a row with who, what and why, and its repetitions are its count', () => {
  const rig = running()
  reject(rig)
  reject(rig, { from: { ip: '100.64.0.1', port: 40_002 }, count: 7 })
  reject(rig, { to: { ip: '10.55.0.9', port: 80 }, reason: 'host-firewall' })
  expect(rows(rig)).toEqual([
    ['out', 'host-firewall', 1, '10.55.0.9:80 behind n2 refused this: a firewall on that machine is in the way (host-firewall)'],
    ['out', 'acl', 8, 'n2:5432 refused this: its rules do not let you in (acl)'],
  ])
  expect(rig.backend.blocked.page().Rows[1]).toMatchObject({ Proto: 'tcp', Peer: 'n2', From: '100.64.0.1:40002', To: '100.64.0.2:5432' })
})

test('the journal has the first of a kind at once and its repetitions once a minute', () => {
  const rig = running()
  const told = (): unknown[] => rig.journal.filter(({ part, kind }) => part === 'filter' && kind === 'rejected').map(({ count }) => count)
  for (let i = 0; i < 5; i++) reject(rig)
  expect(told()).toEqual([1])
  rig.clock.advance(61_000)
  reject(rig)
  expect(told()).toEqual([1, 6])
  expect(rig.journal.at(-1)).toMatchObject({ direction: 'out', proto: 'tcp', to: '100.64.0.2:5432', peer: 'n2', reason: 'acl', why: expect.stringContaining('n2:5432') })
})

test.each([
  [{ reason: 'acl' }, 'n2 was not let in to tcp port 22 here: the network\'s rules do not allow it (acl)'],
  [{ reason: 'shields-up' }, 'n2 was not let in to tcp port 22 here: incoming connections are blocked on this device (shields-up)'],
  [{ reason: 'not-ours', to: { ip: '10.9.0.1', port: 22 } }, 'n2 sent tcp packets for 10.9.0.1, which this device takes nothing for (not-ours)'],
  [{ reason: 'foreign-source', from: { ip: '100.64.0.77', port: 1 } }, 'n2 sent packets in the name of 100.64.0.77, which is not its own; they are dropped (foreign-source)'],
  [{ reason: 'acl', proto: 1, to: { ip: '100.64.0.1', port: 0 } }, 'n2 was not let in to icmp here: the network\'s rules do not allow it (acl)'],
] as const)('what others try here is said in words: %j', (over, why) => {
  const rig = running()
  reject(rig, { direction: 'inbound', from: { ip: '100.64.0.2', port: 40_001 }, to: { ip: '100.64.0.1', port: 22 }, ...over })
  expect(rig.backend.blocked.page().Rows[0]).toMatchObject({ Direction: 'in', Why: why })
})

test('a connection without an answer says what is known of the peer', () => {
  const rig = running()
  rig.backend.facts.dataplane.onUnanswered({ ip: '100.64.0.2', port: 80 })
  expect(rows(rig)).toEqual([['out', 'no-answer', 1, expect.stringContaining('n2:80 did not answer within 5 seconds')]])
  rig.backend.facts.dataplane.onUnanswered({ ip: '192.0.2.1', port: 80 })
  expect(rows(rig)).toHaveLength(1)
})

test('a flood of different ones keeps the latest 200', () => {
  const rig = running()
  for (let port = 1; port <= 1_000; port++) reject(rig, { to: { ip: '100.64.0.2', port } })
  const { Rows } = rig.backend.blocked.page()
  expect([Rows.length, Rows[0]?.To, Rows.at(-1)?.To]).toEqual([200, '100.64.0.2:1000', '100.64.0.2:801'])
})

test('a peer that is gone from the network is told by what is known', () => {
  const rig = running()
  reject(rig, { peer: nodeKey(new Uint8Array(32).fill(9)), direction: 'inbound', from: { ip: '100.64.0.9', port: 5 } })
  expect(rig.backend.blocked.page().Rows[0]).toMatchObject({ Peer: '', Why: expect.stringContaining('100.64.0.9 was not let in') })
})

test('the command shows both directions, the latest first, and says when there is nothing', () => {
  const rig = running()
  expect(blockedPage(rig.backend.blocked.page(), rig.clock.wallMs() + 5_000)).toBe('Nothing was blocked since the engine started (5 s).\n')
  reject(rig)
  reject(rig, { direction: 'inbound', from: { ip: '100.64.0.2', port: 1 }, to: { ip: '100.64.0.1', port: 22 }, count: 3 })
  const text = blockedPage(rig.backend.blocked.page(), rig.clock.wallMs() + 65_000)
  expect(text).toContain('1 min    n2:5432 refused this')
  expect(text).toContain('1 min  3×  n2 was not let in to tcp port 22 here')
  expect(text.indexOf('From here')).toBeLessThan(text.indexOf('To this device'))
})
