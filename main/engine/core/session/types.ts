/**
 * The words of a control session: what is wanted, what is to be done next, what came of it, and what a person is told.
 */
import type { ErrorCode } from '../../base/errors.ts'
import type { PrivateKey } from '../../base/keys.ts'
import type { RegisterResponse, UserProfile } from '../tailcfg/types.ts'

/** What the session is to reach. Node key alone: start-up with a saved key. */
export interface Login {
  readonly controlUrl: string
  readonly nodeKey: PrivateKey | undefined
  readonly authKey?: string
  /** Ask for a link and wait for a person; with an auth key: a new node key whatever the old one is worth. */
  readonly interactive: boolean
  readonly ephemeral?: boolean
}

export type LoginStep = 'fetch-server-key' | 'connect' | 'register' | 'wait-for-approval' | 'authorised' | 'wait-for-map'

/** What a person should know although the session goes on. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
}

export type ControlState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working'; readonly step: LoginStep; readonly sinceMs: number; readonly why: string }
  /** No usable key; nothing is under way. */
  | { readonly kind: 'needs-login'; readonly why: string; readonly code?: ErrorCode }
  /** `why`: why there is this link, and what became of the one before; `problem`: that one was perhaps refused. */
  | { readonly kind: 'waiting'; readonly authUrl: string; readonly sinceMs: number; readonly why?: string; readonly problem?: Problem }
  /** The map stream is open and its first map has come. `problem`: another login beside it has failed. */
  | { readonly kind: 'running'; readonly sinceMs: number; readonly problem?: Problem }
  /** Will be tried again by itself; tunnels stay. */
  | { readonly kind: 'lost'; readonly code: ErrorCode; readonly message: string; readonly retryInMs: number }
  /** Will not be tried again: bad auth key, unsupported version. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/** Why an action failed. `status` is HTTP's when there was an answer. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly status?: number
  readonly retryAfterMs?: number
}

export interface RegisterAction {
  readonly kind: 'register'
  readonly id: number
  readonly nodeKey: PrivateKey
  readonly oldNodeKey: PrivateKey | undefined
  readonly authKey: string | undefined
  /** "" or the link to wait for: then the server answers only when something happened. */
  readonly followup: string
  readonly ephemeral: boolean
}

/** What to do next. Every action but `cancel` and `disconnect` is answered by one outcome with its id, unless cancelled. */
export type SessionAction =
  | { readonly kind: 'fetch-server-key'; readonly id: number }
  | { readonly kind: 'connect'; readonly id: number }
  | RegisterAction
  | { readonly kind: 'open-stream'; readonly id: number; readonly nodeKey: PrivateKey }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'disconnect'; readonly why: string }

export type Outcome =
  /** `changed`: the server showed another key before. */
  | { readonly kind: 'server-key'; readonly changed?: boolean }
  | { readonly kind: 'connected' }
  | { readonly kind: 'registered'; readonly response: RegisterResponse }
  /** The stream ended after it was opened; clean end of file or a broken connection. */
  | { readonly kind: 'stream-ended'; readonly why: string }
  | { readonly kind: 'failed'; readonly failure: Failure }

export type SessionEvent =
  | { readonly kind: 'state'; readonly state: ControlState }
  | { readonly kind: 'logged-in'; readonly nodeKey: PrivateKey; readonly user: UserProfile; readonly expired: boolean }
