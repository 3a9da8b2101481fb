/**
 * How much of this computer is on the network, as every client of the engine sees it: bowline/machine, and `Machine` on the bus.
 *
 *   apps    programs reach devices through proxies and forwards; nothing of the computer is changed
 *   whole   a tunnel device with routes, names and firewall rules: every program is on the network
 *
 *   off → starting → on → stopping → off       any → failed (Why says it; what was changed is taken back)
 *   on → holding: the tunnel is away while an exit node is chosen, so nothing goes out until it is back
 *
 * Also here: what a change would take away, and changes on trial (bowline/preview, bowline/trial, `Trial` on the bus).
 * Names as on the wire.
 */
import type { MaskedPrefs } from './types.ts'

export type MachineMode = 'apps' | 'whole'

/** Something to know: a code that windows have words for, and the sentence in English. */
export interface MachineWhy {
  readonly Code: string
  readonly Text: string
  /** What the sentence names, for those who say it in other words. */
  readonly Args?: Readonly<Record<string, string>>
}

export interface MachinePage {
  /** What is wanted. */
  readonly Mode: MachineMode
  readonly State: 'off' | 'starting' | 'on' | 'holding' | 'stopping' | 'failed'
  /** Absent: this engine can take the whole computer. Else what is missing (rights, a device, another engine or VPN that has it). */
  readonly Cannot?: MachineWhy
  /** With `failed` and `holding`. */
  readonly Why?: MachineWhy
  /** This engine runs as a service of the computer, not as a person's program. */
  readonly IsService: boolean
  /** "" while there is none. */
  readonly Device: string
  readonly Mtu: number
  readonly Addresses: readonly string[]
  /** Prefixes that go into the tunnel, and those that stay out of it although a larger one goes in. */
  readonly Routes: readonly string[]
  readonly Bypass: readonly string[]
  /** Traffic to the internet: as always, through an exit node, or kept in. */
  readonly Internet: 'direct' | 'exit' | 'blocked'
  readonly Firewall: 'nftables' | 'iptables' | 'pf' | 'off' | 'none'
  readonly Names: MachineNames
  readonly Forwarding: MachineForwarding
  /** What is not as it should be now, each repaired or not. */
  readonly Problems: readonly MachineWhy[]
}

export interface MachineNames {
  /** Who was asked to send names to us. `none`: names of the computer are untouched. */
  readonly Through: 'none' | 'systemd-resolved' | 'network-manager' | 'resolvconf' | 'openresolv' | 'file' | 'system'
  /** Every name is asked of us, or those below `Domains` alone. */
  readonly All: boolean
  readonly Domains: readonly string[]
  readonly Search: readonly string[]
  /** The computer's own resolvers, from before. */
  readonly Own: readonly string[]
}

export interface MachineForwarding {
  /** Who passes packets on for others: nobody, the system, or our own network stack. */
  readonly By: 'none' | 'system' | 'engine'
  readonly SourceNat: boolean
}

export interface MachineAction {
  readonly Mode: MachineMode
}

// --- what a change would do, and changes on trial -------------------------------------------------------------------

/** A change as a client asks for it: fields of the prefs, or the mode, or which networks are left out. */
export interface WantedChange {
  readonly Prefs?: MaskedPrefs
  readonly Mode?: MachineMode
  readonly SkippedRoutes?: readonly string[]
}

export type LossKind = 'remote-session' | 'local-device' | 'printer' | 'local-network' | 'gateway' | 'names' | 'connection' | 'internet' | 'other-vpn'

/** Something that a person has now and would not have then. */
export interface Loss {
  readonly Kind: LossKind
  /** "HP LaserJet (192.168.1.20)", "remote desktop from 192.168.1.7". */
  readonly What: string
  /** The parts of `What`. Of a remote session the name is ssh, rdp, vnc or the program's; "" where there is none. */
  readonly Name: string
  /** An address, a prefix, or a domain of names. */
  readonly Address: string
  /** So many of them; 1 for a single thing. */
  readonly Count: number
  readonly Why: MachineWhy
  /** This very session could be the way in which the person works here. */
  readonly IsWayIn: boolean
}

export interface PreviewPage {
  readonly Losses: readonly Loss[]
  /** Prefixes that would go into the tunnel, or no more. */
  readonly RoutesAdded: readonly string[]
  readonly RoutesRemoved: readonly string[]
  readonly Internet: { readonly Before: MachinePage['Internet']; readonly After: MachinePage['Internet'] }
  readonly Names: { readonly Before: MachineNames; readonly After: MachineNames }
  /** A trial is wise: something is lost. */
  readonly IsRisky: boolean
  /** The change cannot be made at all. */
  readonly Refused?: MachineWhy
}

export interface TrialRequest {
  readonly Change: WantedChange
  /** 5 to 120; 20 when absent. */
  readonly Seconds?: number
}

export type TrialAnswer = { readonly ID: string; readonly Answer: 'keep' | 'undo' }

/** A change that is taken back by itself at `Until` unless somebody keeps it. */
export interface Trial {
  readonly ID: string
  /** RFC 3339, wall time. */
  readonly Until: string
  readonly LeftMs: number
  readonly Change: WantedChange
  /** What it goes back to: the fields that the change really changed, as they were. */
  readonly Back: WantedChange
  readonly Losses: readonly Loss[]
}

/**
 * `kept` by a person; `undone` by a person; `ran-out`: nobody kept it; `restarted`: the engine ended meanwhile, and undid it at its start;
 * `left`: another profile was chosen, and it was undone before; `replaced`: all of it was changed to something else meanwhile.
 */
export type TrialEnd = 'kept' | 'undone' | 'ran-out' | 'restarted' | 'left' | 'replaced'

export interface TrialPage {
  /** Absent: nothing is on trial. */
  readonly Trial?: Trial
  /** How the last one ended. */
  readonly Last?: { readonly ID: string; readonly End: TrialEnd; readonly At: string; readonly Why: string }
}
