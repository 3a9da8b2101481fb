/**
 * What the Linux parts need from outside, in their own words, and what they tell.
 */
import type { MachineRoutes } from '../../core/plan/machine.ts'
import type { Clock } from '../../base/env.ts'
import type { Log } from '../../base/log.ts'

export type LinuxProgram = 'ip' | 'nft' | 'iptables-restore' | 'ip6tables-restore' | 'iptables-save' | 'ip6tables-save'

/** How a program ended; `code` is undefined after a signal. */
export interface Ended {
  readonly code: number | undefined
  readonly out: string
  readonly err: string
}

/** Runs a program of the system to its end. Rejects with EngineError('not-found' | 'timeout' | 'access-denied' | 'io'). */
export type RunProgram = (program: LinuxProgram, words: readonly string[], options?: { readonly input?: string; readonly timeoutMs?: number }) => Promise<Ended>

/** What the kernel told: links or addresses, rules, routes of our table, tables of the firewall. */
export interface KernelNews {
  readonly links: boolean
  readonly rules: boolean
  readonly routes: boolean
  readonly firewall: boolean
}

/** The kernel's own events; answers how to stop. Undefined where they cannot be had. */
export type WatchKernel = ((table: number, tell: (news: KernelNews) => void) => () => void) | undefined

export interface Problem {
  readonly code: string
  readonly text: string
}

export interface RouterResult {
  readonly problems: readonly Problem[]
  readonly firewall: 'nftables' | 'iptables' | 'off' | 'none'
  readonly forwarding: 'none' | 'system' | 'engine'
}

export interface RouterDeps {
  readonly run: RunProgram
  readonly clock: Clock
  readonly log: Log
  readonly watchKernel?: WatchKernel
  /** Folder of what must be known after a death: /run/bowline. */
  readonly runtimeDir?: string
  /** Where the kernel's settings are: /proc/sys. */
  readonly sysctlDir?: string
}

export type { MachineRoutes }
