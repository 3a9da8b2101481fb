/**
 * Wishes for a Linux computer that several tests start from.
 */
import type { MachineRoutes } from '../../../../main/engine/core/plan/machine.ts'

export const PLAIN: MachineRoutes = {
  device: 'bowline0', mtu: 1280, addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'], routes: ['100.100.100.100/32', '100.64.0.2/32', 'fd7a:115c:a1e0::/48'], bypass: [],
  internet: 'direct', allowLan: false, guardNames: false, forward: undefined, netfilter: 'on', udpPort: 41641, guardRange: true,
}
export const EXIT: MachineRoutes = { ...PLAIN, routes: ['0.0.0.0/0', ...PLAIN.routes, '::/0'], bypass: ['192.168.1.0/24', '2001:db8:1::/64'], internet: 'exit', allowLan: true }
export const FORWARD = { subnets: ['10.9.0.0/24'], isExitNode: true, sourceNat: true, isStateful: true }
