/**
 * What keeps traffic in on macOS while an exit node is chosen: rules of pf in an anchor of ours. Never run here: golden-tested alone.
 *
 * The anchor lies below "com.apple", which the system's own pf.conf evaluates, so no file of the system is changed. It outlives the
 * engine, as it must. pf is switched on by a reference of ours (-E), which is given back (-X): others may hold theirs.
 *
 * pf knows no marks. Our own packets are known by the group that the engine runs under; without such a group by the user root alone,
 * and then what other programs of root send passes too, which is said.
 *
 * Sources: pf.conf(5), pfctl(8) of macOS.
 */
import type { MachineRoutes } from '../../core/plan/machine.ts'
import type { Command } from '../commands.ts'
import { familyOf } from '../prefixes.ts'

export const ANCHOR = 'com.apple/bowline'
const LOAD: Omit<Command, 'input'> = { program: 'pfctl', words: ['-q', '-a', ANCHOR, '-f', '-'] }

/** Rules while traffic is kept in, in the order in which the first that fits decides; undefined: none are wanted. */
export function macGuard(want: MachineRoutes, group: string | undefined): string | undefined {
  if (want.internet === 'direct') return undefined
  const ours = group === undefined ? 'user root' : `group ${group}`
  const lines = [
    'pass quick on lo0 all flags any',
    ...(want.device === '' ? [] : [`pass quick on ${want.device} all flags any`]),
    `pass out quick proto { tcp, udp } all ${ours} flags any keep state`,
    'pass out quick inet proto udp from any port 68 to any port 67',
    'pass in quick inet proto udp from any port 67 to any port 68',
    'pass out quick inet6 proto udp from any port 546 to any port 547',
    'pass in quick inet6 proto udp from any port 547 to any port 546',
    'pass quick inet6 proto ipv6-icmp all icmp6-type { 133, 134, 135, 136 }',
    ...(want.guardNames ? ['block drop out quick proto { tcp, udp } from any to any port { 53, 853 }'] : []),
    ...want.bypass.flatMap((prefix) => {
      const family = familyOf(prefix) === 4 ? 'inet' : 'inet6'
      return [`pass out quick ${family} from any to ${prefix} flags any keep state`, `pass in quick ${family} from ${prefix} to any flags any keep state`]
    }),
    'block drop out quick all',
  ]
  return `${lines.join('\n')}\n`
}

/**
 * Rules before → after. `isOn`: pf runs by a reference of ours already. States that others made are dropped when the guard goes up, or what
 * was open would go on beside the tunnel.
 */
export function planMacGuard(before: string | undefined, after: string | undefined): readonly Command[] {
  if (before === after) return []
  if (after === undefined) return [{ program: 'pfctl', words: ['-q', '-a', ANCHOR, '-F', 'rules'], mayFail: true }]
  return [{ ...LOAD, input: after }, ...(before === undefined ? [{ program: 'pfctl', words: ['-q', '-F', 'states'], mayFail: true } as const] : [])]
}

/** The reference that `pfctl -E` gave. */
export function pfToken(said: string): string | undefined {
  return /Token\s*:\s*(\d{1,20})\b/.exec(said)?.[1]
}
