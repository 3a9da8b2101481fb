import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { carriesFrom, compareStates, networkState } from '../../../main/engine/netmon/network-state.ts'
import type { DefaultRoute, InterfaceAddress } from '../../../main/engine/netmon/ports.ts'

const at = (name: string, ip: string, up = true): InterfaceAddress => ({ name, ip, internal: name === 'lo', up })
const by = (name: string, gateway?: string): DefaultRoute => ({ interface: name, ...(gateway === undefined ? {} : { gateway }) })
const home = networkState([at('lo', '127.0.0.1'), at('eth0', '192.168.1.5'), at('eth0', 'fe80::5'), at('docker0', '172.17.0.1')], { defaultRoute4: by('eth0', '192.168.1.1') })

describe('the state of the network', () => {
  it('has a family only with an address beyond this machine and its link', () => {
    expect(home).toMatchObject({ hasV4: true, hasV6: false })
    expect(networkState([at('eth0', 'fe80::5'), at('lo', '::1')])).toMatchObject({ hasV4: false, hasV6: false })
    expect(networkState([at('eth0', '192.0.2.1', false)]).hasV4).toBe(false)
  })

  it('is the same when nothing that counts changed', () => {
    expect(compareStates(home, networkState([...home.interfaces, at('eth1', 'fe80::9'), at('lo', '127.0.0.2')], { defaultRoute4: by('eth0', '192.168.1.1') }))).toBeUndefined()
  })

  it('changed in a major way when an address in use is gone', () => {
    const after = networkState([at('eth0', '192.168.1.77'), at('docker0', '172.17.0.1')], { defaultRoute4: by('eth0', '192.168.1.1') })
    expect(compareStates(home, after)).toEqual({
      kinds: ['address-gone', 'address-added'], major: true, why: 'an address of IPv4 gone that was in use, an address of IPv4 new',
    })
  })

  it('changed in a major way when the same address has another gateway or interface', () => {
    expect(compareStates(home, networkState(home.interfaces, { defaultRoute4: by('eth0', '192.168.1.254') }))).toMatchObject({ kinds: ['default-route'], major: true })
    expect(compareStates(home, networkState(home.interfaces, { defaultRoute4: by('wlan0') }))).toMatchObject({ why: 'the default route of IPv4 is now by wlan0', major: true })
    expect(compareStates(home, networkState(home.interfaces))).toMatchObject({ why: 'the default route of IPv4 is gone', major: true })
  })

  it('changed in a minor way when a bridge of containers comes or goes', () => {
    const without = networkState(home.interfaces.filter((one) => one.name !== 'docker0'), { defaultRoute4: by('eth0', '192.168.1.1') })
    expect(compareStates(home, without)).toMatchObject({ kinds: ['address-gone'], major: false })
    expect(compareStates(without, home)).toMatchObject({ kinds: ['address-added'], major: false })
  })

  it('changed in a major way when a family came or went', () => {
    const both = networkState([...home.interfaces, at('eth0', '2001:db8::5')], { defaultRoute4: by('eth0', '192.168.1.1'), defaultRoute6: by('eth0', 'fe80::1') })
    expect(compareStates(home, both)).toMatchObject({ kinds: ['family-came', 'default-route', 'address-added'], major: true })
    expect(compareStates(both, home)).toMatchObject({ kinds: ['family-gone', 'default-route', 'address-gone'], major: true })
  })

  it('takes every address for one in use where no default route is known', () => {
    const before = networkState([at('eth0', '203.0.113.1'), at('eth1', '198.51.100.1')])
    expect(compareStates(before, networkState([at('eth0', '203.0.113.1')]))).toMatchObject({ major: true })
    expect(compareStates(networkState([at('eth0', '203.0.113.1')]), before)).toMatchObject({ kinds: ['address-added'], major: false })
  })

  it('lets a connection go on from an address on the way to the world alone', () => {
    const two = networkState([at('eth0', '192.168.1.5'), at('wlan0', '192.168.1.6'), at('wlan0', '2001:db8::6')], { defaultRoute4: by('wlan0', '192.168.1.1') })
    expect(['192.168.1.6', '::ffff:192.168.1.6', '2001:DB8::6', '127.0.0.1', '::1'].map((ip) => carriesFrom(two, ip))).toEqual([true, true, true, true, true])
    expect(['192.168.1.5', '10.0.0.1', '2001:db8::7'].map((ip) => carriesFrom(two, ip))).toEqual([false, false, false])
    expect(carriesFrom(networkState([at('eth0', '192.168.1.5')]), '192.168.1.5')).toBe(true)
  })

  it('is symmetric: what is a change one way is one the other way, and nothing differs from itself', () => {
    const address = fc.constantFrom(at('eth0', '192.0.2.1'), at('eth0', '192.0.2.2'), at('wlan0', '2001:db8::1'), at('lo', '127.0.0.1'), at('wlan0', '10.0.0.1', false))
    const route = fc.option(fc.constantFrom(by('eth0', '192.0.2.254'), by('wlan0')), { nil: undefined })
    const state = fc.record({ interfaces: fc.uniqueArray(address), defaultRoute4: route, defaultRoute6: route }).map(({ interfaces, ...routes }) => networkState(interfaces, routes))
    fc.assert(fc.property(state, state, (a, b) => {
      expect(compareStates(a, a)).toBeUndefined()
      expect(compareStates(a, b) === undefined).toBe(compareStates(b, a) === undefined)
    }))
  })
})
