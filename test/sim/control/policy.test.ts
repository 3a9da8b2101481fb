/**
 * The small policy: what rules a node gets, whom it sees, what is refused.
 */
import { expect, test } from 'vitest'
import { ALLOW_ALL, checkPolicy, rulesFor, seesEachOther } from './policy.ts'
import type { PolicyNode } from './policy.ts'

const ada: PolicyNode = { name: 'ada-laptop', login: 'ada', tags: [], ips: ['100.64.0.1', 'fd7a:115c:a1e0::1'], routes: [] }
const mia: PolicyNode = { name: 'mia-phone', login: 'mia', tags: [], ips: ['100.64.0.2', 'fd7a:115c:a1e0::2'], routes: [] }
const web: PolicyNode = {
  name: 'web',
  login: undefined,
  tags: ['tag:web'],
  ips: ['100.64.0.3', 'fd7a:115c:a1e0::3'],
  routes: ['10.0.0.0/24'],
}
const nodes = [ada, mia, web]

test('a node gets the rules for its own addresses, with ports as ranges', () => {
  const policy = { groups: { 'group:dev': ['ada'] }, rules: [{ from: ['group:dev'], to: ['tag:web:80,8000-8001'] }] }
  const ports = (IP: string): unknown[] => [
    { IP, Ports: { First: 80, Last: 80 } },
    { IP, Ports: { First: 8000, Last: 8001 } },
  ]
  expect(rulesFor(policy, nodes, web)).toEqual([{ SrcIPs: ada.ips, DstPorts: [...ports('100.64.0.3'), ...ports('fd7a:115c:a1e0::3')] }])
  expect(rulesFor(policy, nodes, mia)).toEqual([])
})

test('a router gets rules for the routes it was approved for', () => {
  const policy = { rules: [{ from: ['mia'], to: ['10.0.0.0/24:443'], protocols: [6] }] }
  expect(rulesFor(policy, nodes, web)).toEqual([
    { SrcIPs: mia.ips, DstPorts: [{ IP: '10.0.0.0/24', Ports: { First: 443, Last: 443 } }], IPProto: [6] },
  ])
  expect(rulesFor(policy, nodes, ada)).toEqual([])
})

test('an exit node gets the rule for the internet, which opens nothing of its own network', () => {
  const policy = { rules: [{ from: ['mia'], to: ['autogroup:internet:*'] }] }
  const [rule] = rulesFor(policy, nodes, { ...web, routes: ['0.0.0.0/0', '::/0'] })
  const ips = rule?.DstPorts?.map((dst) => dst.IP) ?? []
  expect(ips).toContain('11.0.0.0-100.63.255.255')
  expect(ips.some((ip) => ip === '*' || ip.startsWith('0.0.0.0') || ip.startsWith('100.64.'))).toBe(false)
  expect(rulesFor(policy, nodes, web)).toEqual([])
})

test('two nodes see each other when a rule joins them in either direction', () => {
  const policy = { rules: [{ from: ['ada'], to: ['web:80'] }] }
  expect(seesEachOther(policy, ada, web)).toBe(true)
  expect(seesEachOther(policy, web, ada)).toBe(true)
  expect(seesEachOther(policy, ada, mia)).toBe(false)
  expect(seesEachOther(ALLOW_ALL, ada, mia)).toBe(true)
})

test('a policy that means nothing is refused', () => {
  expect(() => checkPolicy({ rules: [{ from: ['group:none'], to: ['web:80'] }] })).toThrow('no such group')
  expect(() => checkPolicy({ rules: [{ from: ['ada'], to: ['web'] }] })).toThrow('wants target:ports')
  expect(() => checkPolicy({ rules: [{ from: ['ada'], to: ['10.0.0.0/99:80'] }] })).toThrow('no such prefix')
})
