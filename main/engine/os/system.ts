/**
 * Which executors a system has for routes and names, beside Linux, which has its own deps. None of these was ever run: what they would
 * start is golden-tested, and the data plane opens no tunnel device on these systems yet, so that the mode is refused there before.
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { isIp4, networkOf } from '../base/ip.ts'
import type { RunCommand } from './commands.ts'
import { MacDns } from './darwin/dns.ts'
import { resolverFolder } from './darwin/resolver-folder.ts'
import { MacRouter } from './darwin/routes.ts'
import { WindowsDns } from './windows/dns.ts'
import { WindowsRouter } from './windows/routes.ts'

export interface OtherSystemDeps {
  readonly run: RunCommand
  readonly clock: Clock
  /** Addresses of interfaces, loopback marked, and the way to the world of each family. */
  readonly network: () => {
    readonly interfaces: readonly { readonly name: string; readonly ip: string; readonly prefix?: number; readonly internal: boolean }[]
    readonly defaultRoute4?: { readonly interface: string; readonly gateway?: string } | undefined
    readonly defaultRoute6?: { readonly interface: string; readonly gateway?: string } | undefined
  }
  /** Number of an interface. */
  readonly indexOf: (device: string) => number | undefined
  /** The system's resolvers of this moment. */
  readonly resolvers: () => readonly string[]
  readonly group: string | undefined
}

/** Throws EngineError('not-supported') for every system but macOS and Windows. */
export function otherSystem(platform: NodeJS.Platform, deps: OtherSystemDeps): { readonly router: MacRouter | WindowsRouter; readonly dns: MacDns | WindowsDns } {
  const { run, clock, network, indexOf, resolvers, group } = deps
  const attached = (): readonly string[] => network().interfaces.flatMap(({ ip, prefix, internal }) => (internal || prefix === undefined || prefix === (isIp4(ip) ? 32 : 128) ? [] : (networkOf(ip, prefix) ?? [])))
  if (platform === 'darwin') {
    const gateways = (): { ip: string; interface: string }[] => [network().defaultRoute4, network().defaultRoute6].flatMap((route) => (route?.gateway === undefined ? [] : [{ ip: route.gateway, interface: route.interface }]))
    return {
      router: new MacRouter({ run, group, uid: () => process.getuid?.(), facts: () => ({ gateways: gateways(), attached: attached() }) }),
      dns: new MacDns({ run, clock, folder: resolverFolder() }),
    }
  }
  if (platform === 'win32') return { router: new WindowsRouter({ run, indexOf, attached }), dns: new WindowsDns({ run, indexOf, resolvers }) }
  throw new EngineError('not-supported', 'Routes and names of this system are not known here.')
}
