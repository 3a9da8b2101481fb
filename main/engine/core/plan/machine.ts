/**
 * What the whole computer should look like while it is on the network: one value for the tunnel device, routes, firewall and names of the
 * system. Pure; every list is in a stable order and in canonical text, so that equal wants are equal values.
 *
 * The executors in engine/os take the whole value, compare it with the last, and do the least.
 */

/** Traffic to the internet: `direct` stays as it is; `exit` goes into the tunnel; `blocked` goes nowhere but does not leave either. */
export type MachineInternet = 'direct' | 'exit' | 'blocked'

export interface MachineRoutes {
  /** The tunnel device; "" = there is none now: nothing but what keeps traffic in is to be put on, and `internet` is 'blocked'. */
  readonly device: string
  readonly mtu: number
  /** Own tunnel addresses with /32 or /128. */
  readonly addresses: readonly string[]
  /** Prefixes into the tunnel, the two default routes among them exactly when `internet` is not 'direct'. */
  readonly routes: readonly string[]
  /** Prefixes that stay outside although a larger one goes in, and that what keeps traffic in lets out: the LAN when it is allowed, networks inside this computer always. */
  readonly bypass: readonly string[]
  readonly internet: MachineInternet
  /** With an exit node: whether directly attached networks stay reachable. */
  readonly allowLan: boolean
  /** Names are asked of us alone: what keeps traffic in drops questions (port 53, 853) to `bypass` too, unless the engine asks. */
  readonly guardNames: boolean
  /** What this node passes on for others; undefined = nothing. */
  readonly forward: MachineForward | undefined
  readonly netfilter: 'on' | 'nodivert' | 'off'
  /** UDP port of the engine, which the firewall lets in. */
  readonly udpPort: number
  /** Drop packets from outside the tunnel that claim an address of it. */
  readonly guardRange: boolean
}

export interface MachineForward {
  readonly subnets: readonly string[]
  readonly isExitNode: boolean
  /** Packets of others leave with this computer's own address. */
  readonly sourceNat: boolean
  /** Only answers come back in. */
  readonly isStateful: boolean
}

/** What the system's names should be; undefined = as they were. */
export interface MachineDns {
  readonly device: string
  /** Whom the system asks: 100.100.100.100 and its twin. */
  readonly servers: readonly string[]
  /** Names below these are asked of us; with `all` every name is. */
  readonly matchDomains: readonly string[]
  readonly searchDomains: readonly string[]
  readonly all: boolean
  /** A chosen exit node answers (or nobody): nobody else of the system may be asked, whatever they offer. */
  readonly exclusive: boolean
}

export interface MachinePlan {
  readonly routes: MachineRoutes
  readonly dns: MachineDns | undefined
}
