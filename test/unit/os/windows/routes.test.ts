/**
 * Windows: what would be started, as text, and the executor on a fake system.
 */
import { describe, expect, test } from 'vitest'
import { layWindows, planWindowsRoutes } from '../../../../main/engine/os/windows/routes-plan.ts'
import { WindowsRouter } from '../../../../main/engine/os/windows/routes.ts'
import { DIRECT, EXIT, FakeSystem, planText } from '../plan-text.ts'

const WANT = { ...DIRECT, device: 'bowline0' }
const OUT = { ...EXIT, device: 'bowline0' }
const direct = layWindows(WANT, 12, [])
const exit = layWindows(OUT, 12, ['192.168.1.0/24'])

describe('routes', () => {
  test('go on behind the interface and its addresses', () => {
    expect(planText(planWindowsRoutes(undefined, direct))).toEqual([
      'netsh interface ipv4 set interface interface=12 metric=5 mtu=1280 store=active',
      'netsh interface ipv6 set interface interface=12 metric=5 mtu=1280 store=active',
      'netsh interface ipv4 add address interface=12 address=100.64.0.1 mask=255.255.255.255 store=active',
      'netsh interface ipv6 add address interface=12 address=fd7a:115c:a1e0::1/128 store=active',
      'netsh interface ipv4 add route prefix=100.100.100.100/32 interface=12 metric=0 store=active',
      'netsh interface ipv4 add route prefix=100.64.0.2/32 interface=12 metric=0 store=active',
      'netsh interface ipv6 add route prefix=fd7a:115c:a1e0::/48 interface=12 metric=0 store=active',
      'netsh interface ipv4 add route prefix=10.20.0.0/16 interface=12 metric=0 store=active',
      '? netsh advfirewall firewall delete rule name=Bowline-In',
      '? netsh advfirewall firewall delete rule name=Bowline-UDP',
      'netsh advfirewall firewall add rule name=Bowline-In dir=in action=allow profile=any enable=yes localip=100.64.0.1,fd7a:115c:a1e0::1',
      'netsh advfirewall firewall add rule name=Bowline-UDP dir=in action=allow profile=any enable=yes protocol=UDP localport=41641',
    ])
  })

  test('to an exit node are halves, and go the way they came', () => {
    const halves = ['ipv4 P prefix=192.168.1.0/25', 'ipv4 P prefix=192.168.1.128/25', 'ipv4 P prefix=0.0.0.0/1', 'ipv4 P prefix=128.0.0.0/1', 'ipv6 P prefix=::/1', 'ipv6 P prefix=8000::/1']
    expect(planText(planWindowsRoutes(direct, exit))).toEqual(halves.map((line) => `netsh interface ${line.replace('P', 'add route')} interface=12 metric=0 store=active`))
    expect(planText(planWindowsRoutes(exit, direct))).toEqual(halves.map((line) => `? netsh interface ${line.replace('P', 'delete route')} interface=12 store=active`))
    expect(planWindowsRoutes(exit, exit)).toEqual([])
  })

  test('of very many devices are one', () => {
    const many = Array.from({ length: 101 }, (_, i) => `100.64.1.${i}/32`)
    expect(layWindows({ ...WANT, routes: [...many, '10.0.0.0/8'] }, 12, []).routes).toEqual(['100.64.0.0/10', '10.0.0.0/8'])
    expect(layWindows({ ...WANT, routes: many.slice(1) }, 12, []).routes).toHaveLength(100)
  })

  test('leave the firewall alone when that is asked, and take its rules away at the end', () => {
    const off = layWindows({ ...WANT, netfilter: 'off' }, 12, [])
    expect(planText(planWindowsRoutes(undefined, off)).some((line) => line.includes('advfirewall'))).toBe(false)
    expect(planText(planWindowsRoutes(direct, undefined)).slice(-2)).toEqual(['? netsh advfirewall firewall delete rule name=Bowline-In', '? netsh advfirewall firewall delete rule name=Bowline-UDP'])
  })
})

describe('the executor', () => {
  const make = (): { system: FakeSystem; router: WindowsRouter } => {
    const system = new FakeSystem()
    return { system, router: new WindowsRouter({ run: system.run, indexOf: (name) => (name === 'bowline0' ? 12 : undefined), attached: () => [] }) }
  }

  test('says that nothing keeps traffic in', async () => {
    const { router } = make()
    expect(await router.set(WANT)).toEqual({ problems: [], firewall: 'none', forwarding: 'none' })
    expect((await router.set(OUT)).problems.map(({ code }) => code)).toEqual(['guard-missing'])
  })

  test('takes back what was done of a wish that fails', async () => {
    const { system, router } = make()
    system.answer = (line) => (line.includes('prefix=10.20.0.0/16') ? { code: 1, out: 'The requested operation requires elevation (Run as administrator).\r\n' } : undefined)
    await expect(router.set(WANT)).rejects.toMatchObject({ code: 'access-denied' })
    expect(system.take()).toEqual(expect.arrayContaining(['netsh interface ipv4 delete route prefix=100.64.0.2/32 interface=12 store=active', 'netsh interface ipv4 delete address interface=12 address=100.64.0.1 store=active']))
  })

  test.each([['no device', { ...OUT, device: '', internet: 'blocked' as const }, 'not-supported'], ['an unknown device', { ...WANT, device: 'x' }, 'not-found'], ['a route that is none', { ...WANT, routes: ['0/0 & calc'] }, 'bad-argument']])('starts nothing for %s', async (_what, want, code) => {
    const { system, router } = make()
    await expect(router.set(want)).rejects.toMatchObject({ code })
    expect(system.take()).toEqual([])
  })

  test('takes the rules away at the end, and those of an engine that died', async () => {
    const { system, router } = make()
    await router.set(WANT)
    system.take()
    await router.close(true)
    expect(system.take()).toContain('netsh advfirewall firewall delete rule name=Bowline-In')
    expect(await router.cleanUp()).toBe(true)
    system.answer = () => ({ code: 1, out: 'No rules match the specified criteria.' })
    expect(await router.cleanUp()).toBe(false)
  })
})
