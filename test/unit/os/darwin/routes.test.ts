/**
 * macOS: what would be started, as text, and the order in which the executor starts it on a fake system.
 */
import { describe, expect, test } from 'vitest'
import { macGuard, pfToken, planMacGuard } from '../../../../main/engine/os/darwin/pf-plan.ts'
import { layMac, planMacRoutes } from '../../../../main/engine/os/darwin/routes-plan.ts'
import { MacRouter } from '../../../../main/engine/os/darwin/routes.ts'
import { DIRECT, EXIT, FakeSystem, planText } from '../plan-text.ts'

const FACTS = { gateways: [{ ip: '192.168.1.1', interface: 'en0' }, { ip: 'fe80::1', interface: 'en0' }], attached: ['192.168.1.0/24'] }
const direct = layMac(DIRECT, FACTS)
const exit = layMac(EXIT, FACTS)

describe('routes', () => {
  test('go on behind the addresses of the device', () => {
    expect(planText(planMacRoutes(undefined, direct))).toEqual([
      'ifconfig utun4 inet 100.64.0.1/32 100.64.0.1 alias',
      'ifconfig utun4 inet6 fd7a:115c:a1e0::1/128 alias',
      'ifconfig utun4 mtu 1280 up',
      'route -q -n add -inet 100.100.100.100/32 -interface utun4',
      'route -q -n add -inet 100.64.0.2/32 -interface utun4',
      'route -q -n add -inet6 fd7a:115c:a1e0::/48 -interface utun4',
      'route -q -n add -inet 10.20.0.0/16 -interface utun4',
    ])
  })

  test('to an exit node are the halves of the defaults and of our own network, and own sockets keep a way of their own', () => {
    expect(planText(planMacRoutes(direct, exit))).toEqual([
      'route -q -n add -inet default 192.168.1.1 -ifscope en0',
      'route -q -n add -inet6 default fe80::1%en0 -ifscope en0',
      'route -q -n add -inet 192.168.1.0/25 -interface utun4',
      'route -q -n add -inet 192.168.1.128/25 -interface utun4',
      'route -q -n add -inet 0.0.0.0/1 -interface utun4',
      'route -q -n add -inet 128.0.0.0/1 -interface utun4',
      'route -q -n add -inet6 ::/1 -interface utun4',
      'route -q -n add -inet6 8000::/1 -interface utun4',
    ])
  })

  test('go the way they came', () => {
    expect(planText(planMacRoutes(exit, direct))).toEqual([
      '? route -q -n delete -inet default 192.168.1.1 -ifscope en0',
      '? route -q -n delete -inet6 default fe80::1%en0 -ifscope en0',
      '? route -q -n delete -inet 192.168.1.0/25 -interface utun4',
      '? route -q -n delete -inet 192.168.1.128/25 -interface utun4',
      '? route -q -n delete -inet 0.0.0.0/1 -interface utun4',
      '? route -q -n delete -inet 128.0.0.0/1 -interface utun4',
      '? route -q -n delete -inet6 ::/1 -interface utun4',
      '? route -q -n delete -inet6 8000::/1 -interface utun4',
    ])
    expect(planText(planMacRoutes(layMac({ ...DIRECT, routes: ['100.64.0.2/32'] }, FACTS), undefined))).toEqual([
      '? route -q -n delete -inet 100.64.0.2/32 -interface utun4',
      '? ifconfig utun4 inet 100.64.0.1 -alias',
      '? ifconfig utun4 inet6 fd7a:115c:a1e0::1 -alias',
    ])
  })

  test('of the same wish are nothing to do, those of another device all', () => {
    expect(planMacRoutes(exit, layMac(EXIT, FACTS))).toEqual([])
    const moved = planText(planMacRoutes(direct, layMac({ ...DIRECT, device: 'utun5' }, FACTS)))
    expect(moved.filter((line) => line.includes('utun4')).every((line) => line.startsWith('? '))).toBe(true)
    expect(moved.filter((line) => line.includes('add ') || line.includes(' alias'))).toHaveLength(DIRECT.routes.length + DIRECT.addresses.length)
  })
})

describe('the guard', () => {
  test('lets out loopback, the tunnel, ourselves and what the link needs, and no question for names beside us', () => {
    expect(macGuard({ ...EXIT, bypass: ['192.168.1.0/24', 'fe80::/10'] }, '_bowline')!.trimEnd().split('\n')).toEqual([
      'pass quick on lo0 all flags any',
      'pass quick on utun4 all flags any',
      'pass out quick proto { tcp, udp } all group _bowline flags any keep state',
      'pass out quick inet proto udp from any port 68 to any port 67',
      'pass in quick inet proto udp from any port 67 to any port 68',
      'pass out quick inet6 proto udp from any port 546 to any port 547',
      'pass in quick inet6 proto udp from any port 547 to any port 546',
      'pass quick inet6 proto ipv6-icmp all icmp6-type { 133, 134, 135, 136 }',
      'block drop out quick proto { tcp, udp } from any to any port { 53, 853 }',
      'pass out quick inet from any to 192.168.1.0/24 flags any keep state',
      'pass in quick inet from 192.168.1.0/24 to any flags any keep state',
      'pass out quick inet6 from any to fe80::/10 flags any keep state',
      'pass in quick inet6 from fe80::/10 to any flags any keep state',
      'block drop out quick all',
    ])
    expect(macGuard(DIRECT, undefined)).toBeUndefined()
    expect(macGuard({ ...EXIT, device: '', internet: 'blocked', guardNames: false }, undefined)).toContain('user root')
  })

  test('drops what was open when it goes up, and nothing when it changes', () => {
    expect(planText(planMacGuard(undefined, 'block drop out quick all\n'))).toEqual(['pfctl -q -a com.apple/bowline -f -', '< block drop out quick all', '? pfctl -q -F states'])
    expect(planText(planMacGuard('a\n', 'b\n'))).toEqual(['pfctl -q -a com.apple/bowline -f -', '< b'])
    expect(planText(planMacGuard('a\n', undefined))).toEqual(['? pfctl -q -a com.apple/bowline -F rules'])
    expect(planMacGuard('a\n', 'a\n')).toEqual([])
  })

  test('knows the reference that pf gave', () => {
    expect(pfToken('No ALTQ support in kernel\npf enabled\nToken : 13237485931054158837\n')).toBe('13237485931054158837')
    expect(pfToken('pf already enabled')).toBeUndefined()
    expect(pfToken('Token : -x')).toBeUndefined()
  })
})

describe('the executor', () => {
  const make = (): { system: FakeSystem; router: MacRouter } => {
    const system = new FakeSystem()
    system.answer = (line) => (line === 'pfctl -E' ? { err: 'Token : 77\n' } : undefined)
    return { system, router: new MacRouter({ run: system.run, facts: () => FACTS, group: '_bowline', uid: () => 0 }) }
  }

  test('keeps traffic in before it changes a route, and lets go after', async () => {
    const { system, router } = make()
    await router.set(DIRECT)
    system.take()
    expect(await router.set(EXIT)).toEqual({ problems: [], firewall: 'pf', forwarding: 'none' })
    const up = system.take().filter((line) => !line.startsWith('< '))
    expect(up.slice(0, 3)).toEqual(['pfctl -q -a com.apple/bowline -f -', 'pfctl -q -F states', 'pfctl -E'])
    expect(up[3]).toContain('route -q -n add')
    await router.set(DIRECT)
    expect(system.take().slice(-2)).toEqual(['pfctl -q -a com.apple/bowline -F rules', 'pfctl -X 77'])
  })

  test('takes back what was done of a wish that fails, and the guard stays', async () => {
    const { system, router } = make()
    await router.set(DIRECT)
    system.take()
    const well = system.answer
    system.answer = (line) => (line.includes('add -inet 128.0.0.0/1') ? { code: 1, err: 'route: writing to routing socket: Operation not permitted' } : well(line))
    await expect(router.set(EXIT)).rejects.toMatchObject({ code: 'access-denied' })
    const lines = system.take()
    expect(lines).toContain('route -q -n delete -inet 0.0.0.0/1 -interface utun4')
    expect(lines.some((line) => line.includes('-F rules'))).toBe(false)
  })

  test('holds, or takes all away, at the end', async () => {
    const { system, router } = make()
    await router.set(EXIT)
    system.take()
    await router.close(true)
    expect(system.take().some((line) => line.startsWith('pfctl'))).toBe(false)
    await router.close(false)
    expect(system.take()).toEqual(['pfctl -q -a com.apple/bowline -F rules', 'pfctl -X 77'])
  })

  test('without a device puts on the guard alone', async () => {
    const { system, router } = make()
    await router.set({ ...EXIT, device: '', internet: 'blocked' })
    expect(system.take().filter((line) => !line.startsWith('< ') && !line.startsWith('pfctl'))).toEqual([])
  })

  test('cleans up after an engine that died', async () => {
    const { system, router } = make()
    expect(await router.cleanUp()).toBe(false)
    system.answer = (line) => (line.endsWith('-s rules') ? { out: 'block drop out quick all\n' } : undefined)
    system.take()
    expect(await router.cleanUp()).toBe(true)
    expect(system.take()).toContain('pfctl -q -a com.apple/bowline -F rules')
  })

  test.each([['a device of another name', { ...DIRECT, device: 'utun4; id' }], ['a route that is none', { ...DIRECT, routes: ['-x'] }], ['no device and nothing to keep in', { ...DIRECT, device: '' }]])('starts nothing for %s', async (_what, want) => {
    const { system, router } = make()
    await expect(router.set(want)).rejects.toMatchObject({ code: 'bad-argument' })
    expect(system.take()).toEqual([])
  })

  test('is not for those who may not', async () => {
    const { run } = new FakeSystem()
    expect(await new MacRouter({ run, facts: () => FACTS, group: undefined, uid: () => 501 }).obstacle()).toMatchObject({ code: 'no-rights' })
    const weak = new MacRouter({ run, facts: () => FACTS, group: undefined, uid: () => 0 })
    expect(await weak.obstacle()).toBeUndefined()
    expect((await weak.set({ ...EXIT, forward: { subnets: [], isExitNode: true, sourceNat: true, isStateful: false } })).problems.map(({ code }) => code)).toEqual(['guard-weak', 'forwarding-by-engine'])
  })
})
