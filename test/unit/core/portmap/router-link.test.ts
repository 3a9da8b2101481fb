/**
 * Which router is asked for ports, from what is known of the network.
 */
import { expect, it } from 'vitest'
import { routerLinkOf } from '../../../../main/engine/core/portmap/router-link.ts'

const LAN = { name: 'eth0', ip: '192.168.1.20', prefix: 24, internal: false }
const interfaces = [{ name: 'lo', ip: '127.0.0.1', internal: true }, { name: 'wlan0', ip: '10.0.0.3', prefix: 8, internal: false }, { name: 'eth0', ip: 'fe80::1', internal: false }, LAN]

it('is the private gateway of the default route, seen from the address beside it', () => {
  expect(routerLinkOf({ interfaces, defaultRoute4: { interface: 'eth0', gateway: '192.168.1.1' } })).toEqual({ gateway: '192.168.1.1', selfIp: '192.168.1.20' })
  const two = [{ ...LAN, ip: '10.1.1.1' }, LAN]
  expect(routerLinkOf({ interfaces: two, defaultRoute4: { interface: 'eth0', gateway: '192.168.1.1' } })?.selfIp).toBe('192.168.1.20')
  expect(routerLinkOf({ interfaces, defaultRoute4: { interface: 'eth0', gateway: '192.168.1.1', source: '192.168.1.99' } })?.selfIp).toBe('192.168.1.99')
})

it.each([
  ['there is no default route', { interfaces }],
  ['the world is on the link itself', { interfaces, defaultRoute4: { interface: 'ppp0' } }],
  ['the gateway is on the internet', { interfaces, defaultRoute4: { interface: 'eth0', gateway: '203.0.113.1' } }],
  ['the gateway is in a provider’s network', { interfaces, defaultRoute4: { interface: 'eth0', gateway: '100.64.0.1' } }],
  ['the gateway is of IPv6', { interfaces, defaultRoute4: { interface: 'eth0', gateway: 'fe80::1' } }],
  ['the interface has no address', { interfaces, defaultRoute4: { interface: 'eth1', gateway: '192.168.1.1' } }],
  ['the interface is down', { interfaces: [{ ...LAN, up: false }], defaultRoute4: { interface: 'eth0', gateway: '192.168.1.1' } }],
  ['the gateway is this machine', { interfaces, defaultRoute4: { interface: 'eth0', gateway: '192.168.1.20' } }],
])('is none when %s', (_, facts) => {
  expect(routerLinkOf(facts)).toBeUndefined()
})
