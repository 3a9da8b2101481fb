import { expect, test } from 'vitest'
import type { SystemDns, SystemRouter } from '../../../main/engine/features/machine/ports.ts'
import { MacRouter } from '../../../main/engine/os/darwin/routes.ts'
import { otherSystem, type OtherSystemDeps } from '../../../main/engine/os/system.ts'
import { WindowsDns } from '../../../main/engine/os/windows/dns.ts'
import { HandClock } from '../../sim/clock.ts'
import { EXIT, FakeSystem } from './plan-text.ts'

function deps(system: FakeSystem): OtherSystemDeps {
  return {
    run: system.run, clock: new HandClock(), indexOf: () => 12, resolvers: () => [], group: '_bowline',
    network: () => ({
      interfaces: [{ name: 'en0', ip: '192.168.1.7', prefix: 24, internal: false }, { name: 'lo0', ip: '127.0.0.1', prefix: 8, internal: true }, { name: 'utun4', ip: '100.64.0.1', prefix: 32, internal: false }],
      defaultRoute4: { interface: 'en0', gateway: '192.168.1.1' },
      defaultRoute6: { interface: 'en0' },
    }),
  }
}

test('a system has its own executors, which know its networks', async () => {
  const mac = new FakeSystem()
  // What the mode asks of a system they give.
  const { router }: { readonly router: SystemRouter; readonly dns: SystemDns } = otherSystem('darwin', deps(mac))
  expect(router).toBeInstanceOf(MacRouter)
  await router.set(EXIT)
  expect(mac.started).toEqual(expect.arrayContaining(['route -q -n add -inet default 192.168.1.1 -ifscope en0', 'route -q -n add -inet 192.168.1.128/25 -interface utun4']))
  expect(mac.started.filter((line) => line.includes('-ifscope'))).toHaveLength(1)
  expect(otherSystem('win32', deps(new FakeSystem())).dns).toBeInstanceOf(WindowsDns)
})

test.each(['linux', 'freebsd', 'android'] as const)('%s is refused', (platform) => {
  expect(() => otherSystem(platform, deps(new FakeSystem()))).toThrow(expect.objectContaining({ code: 'not-supported' }) as Error)
})
