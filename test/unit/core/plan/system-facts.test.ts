import { expect, test } from 'vitest'
import { localNetworks } from '../../../../main/engine/core/plan/system-facts.ts'

test("the machine's networks are those of its outward interfaces, once each", () => {
  const interfaces = [
    { name: 'lo', ip: '127.0.0.1', prefix: 8, internal: true },
    { name: 'eth0', ip: '192.168.1.20', prefix: 24, internal: false },
    { name: 'eth0', ip: '192.168.1.21', prefix: 24, internal: false },
    { name: 'eth0', ip: 'fe80::1', prefix: 64, internal: false },
    { name: 'eth0', ip: '2001:db8:0:1::20', prefix: 64, internal: false },
    { name: 'wg0', ip: '10.9.0.2', prefix: 32, internal: false },
    { name: 'odd', ip: '172.17.3.1', prefix: 12, internal: false },
    { name: 'unknown', ip: '10.1.2.3', internal: false },
  ]
  expect(localNetworks({ interfaces })).toEqual([
    { prefix: '192.168.1.0/24', interface: 'eth0' }, { prefix: '2001:db8:0:1::/64', interface: 'eth0' }, { prefix: '172.16.0.0/12', interface: 'odd' },
  ])
})
