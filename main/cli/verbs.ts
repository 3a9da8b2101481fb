/**
 * The table of verbs: what runs, what help shows and what a shell completes is read from here.
 */
import type { Verb } from './verb.ts'
import { blocked } from './verbs/blocked.ts'
import { completeWords, completion } from './verbs/completion.ts'
import { daemon } from './verbs/daemon.ts'
import { debug } from './verbs/debug.ts'
import { dns } from './verbs/dns.ts'
import { down, logout } from './verbs/down.ts'
import { exitNode } from './verbs/exit-node.ts'
import { file } from './verbs/file.ts'
import { forward } from './verbs/forward.ts'
import { get } from './verbs/get.ts'
import { ip } from './verbs/ip.ts'
import { machine } from './verbs/machine.ts'
import { bugreport, metrics } from './verbs/metrics.ts'
import { join } from './verbs/join.ts'
import { netcheck } from './verbs/netcheck.ts'
import { ping } from './verbs/ping.ts'
import { preflight } from './verbs/preflight.ts'
import { preview, trial } from './verbs/preview.ts'
import { proxy } from './verbs/proxy.ts'
import { reach } from './verbs/reach.ts'
import { REFUSED } from './verbs/refused.ts'
import { routes } from './verbs/routes.ts'
import { service } from './verbs/service.ts'
import { set } from './verbs/set.ts'
import { status } from './verbs/status.ts'
import { switchTo } from './verbs/switch.ts'
import { trust } from './verbs/trust.ts'
import { login, up } from './verbs/up.ts'
import { version } from './verbs/version.ts'
import { wait } from './verbs/wait.ts'
import { web } from './verbs/web.ts'
import { whoami, whois } from './verbs/whois.ts'

/** In the order of help. */
export const VERBS: readonly Verb[] = [
  up, down, set, get, login, join, logout, switchTo, trust, wait,
  status, ip, whois, whoami, blocked, web,
  exitNode, routes, forward, proxy, machine, preview, trial, file,
  ping, reach, netcheck, preflight, dns, bugreport, metrics, debug,
  daemon, service, completion, version,
  ...REFUSED,
  completeWords(() => VERBS),
]

export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name)
}
