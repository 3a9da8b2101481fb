/**
 * What the names of Linux need of the rest, in their own words, and what every way of setting them offers.
 */
import type { Env } from '../../base/env.ts'
import type { MachineDns } from '../../core/plan/machine.ts'

/** Starts one of the system's programs; rejects with EngineError when it did not end by itself. */
export type RunResolvconf = (program: 'resolvconf', words: readonly string[], options?: { readonly input?: string }) => Promise<{ readonly code: number | undefined; readonly out: string; readonly err: string }>

export interface Problem {
  readonly code: string
  readonly text: string
}

/** The computer's own resolvers, without us among them. */
export interface OwnNames {
  readonly servers: readonly string[]
  readonly search: readonly string[]
}

export interface NamesDeps {
  readonly env: Env
  readonly run: RunResolvconf
  /** Of the system bus; the usual place when absent. */
  readonly busAddress?: string
  /** In front of every path of the system; tests alone have one. */
  readonly root?: string
  /** Whether the program resolvconf is there, and where. */
  readonly findResolvconf: () => string | undefined
}

/** What a way tells while it is in force. */
export interface NamesFacts {
  /** Somebody else changed what is ours. */
  onDisturbed(what: Problem): void
  /** The computer's own resolvers may be others now; `own` says. */
  onOwn(): void
}

/** One way in which a Linux system has its names set. */
export interface NamesWay {
  /** Sets them, or sets them again; answers what is not as it should be. Rejects with EngineError. */
  put(want: MachineDns): Promise<readonly Problem[]>
  /** As before us. */
  takeBack(): Promise<void>
  /** As last seen. */
  own(): OwnNames
}
