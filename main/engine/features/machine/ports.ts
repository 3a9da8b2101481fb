/**
 * What the whole-computer mode needs of the parts below it, in its own words. engine/os and the data plane fit these shapes without
 * importing them; the engine's entry hands them in.
 *
 * Order of putting on: guard and firewall, device, addresses, rules and routes, names. Of taking off: the reverse. Whatever fails in between
 * is taken back, unless an exit node is chosen: then what keeps traffic in stays.
 */
import type { MachineDns, MachineRoutes } from '../../core/plan/machine.ts'

/** A tunnel device of the data plane; made by it and gone with this process. */
export interface TunPort {
  /** Rejects with EngineError('access-denied' | 'not-supported' | 'already-running' | 'io'). The mark goes on every socket of the data plane. */
  open(want: { readonly name: string; readonly mtu: number; readonly mark: number }): Promise<{ readonly name: string; readonly index: number }>
  close(): Promise<void>
  /** Who passes packets of peers on to other machines. */
  setForwarding(by: 'system' | 'engine'): void
  /** Programs of the computer may send from these prefixes too (what they forward without source NAT). */
  onGone(call: (why: string) => void): void
}

/** What became of a wish; `problems` are codes with sentences for people. */
export interface SystemOutcome {
  readonly problems: readonly { readonly code: string; readonly text: string }[]
}

export interface RouterOutcome extends SystemOutcome {
  readonly firewall: 'nftables' | 'iptables' | 'pf' | 'off' | 'none'
  /** Who really passes packets on: 'engine' where the system would not. */
  readonly forwarding: 'none' | 'system' | 'engine'
}

/** Addresses, routes, rules and firewall of this system. One call at a time; each takes the whole wanted value. */
export interface SystemRouter {
  /** Rejects with EngineError when it could not be done; what was done of this call is taken back, never what keeps traffic in. */
  set(want: MachineRoutes): Promise<RouterOutcome>
  /** Takes everything away. `hold`: leaves what keeps traffic in (a chosen exit node whose tunnel is away). */
  close(hold: boolean): Promise<void>
  /** Somebody else changed what is ours (flushed tables, deleted rules, took the device down); `set` again repairs. */
  onDisturbed(call: (what: { readonly code: string; readonly text: string }) => void): void
  /** Removes what an engine that died left here; true when there was something. `hold` as above: read from what is there. */
  cleanUp(): Promise<boolean>
  /** Why the computer cannot be taken now (no rights, another engine, another client); undefined = it can. */
  obstacle(): Promise<{ readonly code: string; readonly text: string } | undefined>
}

export interface DnsOutcome extends SystemOutcome {
  readonly through: 'none' | 'systemd-resolved' | 'network-manager' | 'resolvconf' | 'openresolv' | 'file' | 'system'
}

/** Names of this system. */
export interface SystemDns {
  /** undefined = as before us. Rejects with EngineError when it could not be done. */
  set(want: MachineDns | undefined): Promise<DnsOutcome>
  close(): Promise<void>
  /** The computer's own resolvers ("ip" or "ip:port") and search domains, without us among them, also while `set` is in force. */
  own(): { readonly servers: readonly string[]; readonly search: readonly string[] }
  onDisturbed(call: (what: { readonly code: string; readonly text: string }) => void): void
  /** Own resolvers changed (DHCP, another network). */
  onOwnChanged(call: () => void): void
  cleanUp(): Promise<boolean>
}

/** One engine alone may have the computer. */
export interface MachineLock {
  /** Why not, or undefined when it is ours now. */
  take(): Promise<{ readonly code: string; readonly text: string } | undefined>
  release(): void
}
