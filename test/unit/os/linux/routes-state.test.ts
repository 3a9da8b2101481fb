import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { attachedNetworks, isInternalInterface, isMember } from '../../../../main/engine/os/linux/interfaces.ts'
import { readLinks, readRoutes, readRules } from '../../../../main/engine/os/linux/routes-state.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

const dir = makeTempDir('interfaces')
afterAll(() => removeTempDir(dir))

const LINKS = '[{"ifindex":2,"ifname":"bowline0","flags":["NO-CARRIER","POINTOPOINT","NOARP","UP"],"mtu":1280,"txqlen":500,"addr_info":[{"family":"inet","local":"100.64.0.1","prefixlen":32,"scope":"global"},{"family":"inet6","local":"fd7a:115c:a1e0::1","prefixlen":128,"scope":"global"},{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},{"ifindex":3,"ifname":"eth0","flags":["UP"],"mtu":1500,"txqlen":1000,"addr_info":[{"family":"inet","local":"192.168.1.7","prefixlen":24,"scope":"global"}]},{"ifindex":4,"ifname":"docker0","flags":[],"mtu":1500,"addr_info":[{"family":"inet","local":"172.17.0.1","prefixlen":16,"scope":"global"}]}]'

test('devices, rules and routes are read as ip 6.1 says them', () => {
  expect(readLinks(LINKS)[0]).toEqual({ name: 'bowline0', index: 2, isUp: true, mtu: 1280, queueLength: 500, addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'] })
  expect(readRules('[{"priority":5210,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","table":"254"},{"priority":5250,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","action":"7"},{"priority":5260,"src":"all","ipproto":"ipproto-17","sport":68,"dport":67,"table":"254"},{"priority":5270,"src":"all","table":"52"},{"priority":9,"src":"10.0.0.0","srclen":8,"table":"52"}]')).toEqual([
    { preference: 5210, mark: '0x80000/0xff0000', to: 'main', only: '' }, { preference: 5250, mark: '0x80000/0xff0000', to: 'unreachable', only: '' },
    { preference: 5260, mark: '', to: 'main', only: 'ipproto udp sport 68 dport 67' }, { preference: 5270, mark: '', to: '52', only: '' }, { preference: 9, mark: '', to: '52', only: 'from 10.0.0.0' },
  ])
  expect(readRoutes('[{"type":"unreachable","dst":"default","metric":4294967295,"flags":[]},{"type":"throw","dst":"10.0.0.0/8","flags":[]},{"dst":"100.64.0.2","dev":"bowline0","scope":"link","flags":["linkdown"]},{"dst":"default","gateway":"10.0.0.1","dev":"eth0","flags":[]}]', 4)).toEqual([
    { kind: 'unreachable', prefix: '0.0.0.0/0', metric: 4_294_967_295 }, { kind: 'throw', prefix: '10.0.0.0/8', metric: 0 },
    { kind: 'device', prefix: '100.64.0.2/32', metric: 0, device: 'bowline0' }, { kind: 'other', prefix: '0.0.0.0/0', metric: 0, device: 'eth0' },
  ])
  expect(readRoutes('[{"type":"unreachable","dst":"default","dev":"lo","metric":4294967295}]', 6)).toEqual([{ kind: 'unreachable', prefix: '::/0', metric: 4_294_967_295 }])
})

test('nonsense is nothing', () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
    readRules(text)
    readRoutes(text, 4)
    readLinks(text)
  }))
  for (const text of ['', '{}', '[1,null]', '[{"ifname":"a","addr_info":[null,7,{"local":5}]}]', '[{"dst":"x/y"}]']) expect([readRoutes(text, 6), readLinks(text).flatMap(({ addresses }) => addresses)]).toEqual([[], []])
})

test('bridges of containers lead to guests alone, one with a card in it does not', () => {
  for (const path of ['docker0', 'virbr0/brif/vnet0', 'br-lan/brif/eth1', 'eth1/device', 'eth0/device']) mkdirSync(join(dir, path), { recursive: true })
  expect(['lo', 'docker0', 'virbr0', 'br-lan', 'eth0', 'wg0'].map((name) => isInternalInterface(name, dir))).toEqual([true, true, true, false, false, false])
  mkdirSync(join(dir, 'veth1/master'), { recursive: true })
  expect(['veth1', 'docker0'].map((name) => isMember(name, dir))).toEqual([true, false])
  expect(attachedNetworks(readLinks(LINKS), 'bowline0', dir)).toEqual([{ interface: 'eth0', prefix: '192.168.1.0/24', isInternal: false }, { interface: 'docker0', prefix: '172.17.0.0/16', isInternal: true }])
})
