/**
 * Who may be behind it when rules, routes or firewall rules of ours vanish again and again: programs that are known to do that and run
 * here, with what stops them. A guess, and told as one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Suspect {
  /** As the kernel has the name: 15 characters. */
  readonly comm: string
  readonly codes: readonly string[]
  readonly advice: string
}

const SUSPECTS: readonly Suspect[] = [
  { comm: 'systemd-network', codes: ['rules-gone', 'routes-gone'], advice: 'systemd-networkd removes rules and routes of others unless networkd.conf says ManageForeignRoutingPolicyRules=no and ManageForeignRoutes=no' },
  { comm: 'tailscaled', codes: ['rules-gone', 'routes-gone', 'firewall-flushed'], advice: 'tailscaled uses the same rules and the same table; stop it' },
  { comm: 'NetworkManager', codes: ['routes-gone'], advice: 'NetworkManager may have the tunnel device among its own; make it unmanaged' },
  { comm: 'firewalld', codes: ['firewall-flushed'], advice: 'firewalld may flush tables of others when it is loaded anew' },
  { comm: 'dockerd', codes: ['forwarding-off'], advice: 'Docker changes the forwarding of packets' },
]
/** Processes that are looked at. */
const MOST = 10_000

/** A sentence without its full stop, or "" when nobody known runs. `proc`: where processes are listed. */
export function suspectOf(code: string, proc = '/proc'): string {
  const wanted = SUSPECTS.filter(({ codes }) => codes.includes(code))
  if (wanted.length === 0) return ''
  const running = new Set(processNames(proc))
  return wanted.filter(({ comm }) => running.has(comm)).map(({ advice }) => advice).join('; ')
}

function processNames(proc: string): string[] {
  const pids = readable(() => readdirSync(proc))?.filter((name) => /^\d+$/.test(name)).slice(0, MOST) ?? []
  return pids.map((pid) => readable(() => readFileSync(join(proc, pid, 'comm'), 'utf8').trim()) ?? '')
}

/** A process may be gone by now. */
function readable<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}
