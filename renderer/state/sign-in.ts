/**
 * Which page of the sign-in is shown, and what went wrong with the server in one sentence with one next step. Pure.
 *
 * The engine tries an unreachable server again and again, and its state goes up and down with each try. The person sees
 * one steady page: what was wrong last stays until they try anew, a link arrives, or they are in.
 */
import type { Notify, Status } from '../../preload/contract.ts'
import { safeText } from './format.ts'

export interface Problem {
  /** What happened. */
  readonly what: string
  /** What to do now. */
  readonly next: string
}

export type SignInView =
  /** `busyMs` = how long the server has been tried without any answer; undefined = nothing is under way. */
  | { readonly kind: 'form'; readonly busyMs: number | undefined; readonly problem: Problem | undefined }
  | { readonly kind: 'browser'; readonly url: string }
  | { readonly kind: 'approval' }

export interface Attempt {
  readonly sinceMs: number
}

/** Whether the window is all sign-in: nobody is signed in, and no list of devices is there to be shown. */
export function needsSignIn(status: Status | undefined): boolean {
  if (!status) return false
  if (status.BackendState === 'NeedsMachineAuth') return true
  return status.HaveNodeKey !== true && status.Self.ID === '' && status.BackendState !== 'NoState' && status.BackendState !== 'InUseOtherUser'
}

/** The page to show while `needsSignIn`. */
export function signInView(status: Status, attempt: Attempt | undefined, problem: Problem | undefined, nowMs: number): SignInView {
  if (status.BackendState === 'NeedsMachineAuth') return { kind: 'approval' }
  if (status.AuthURL !== '') return { kind: 'browser', url: status.AuthURL }
  const busy = problem === undefined && (attempt !== undefined || status.BackendState === 'Starting')
  return { kind: 'form', busyMs: busy ? Math.max(0, nowMs - (attempt?.sinceMs ?? nowMs)) : undefined, problem }
}

/** What a message of the bus says went wrong; undefined = nothing new. */
export function problemIn(notify: Notify): Problem | undefined {
  const warnings = notify.Health?.Warnings
  const warning = warnings?.['login-state'] ?? warnings?.['not-in-map-poll']
  if (warning?.Args?.['error'] !== undefined) return serverProblem(warning.Args['code'] ?? '', warning.Args['error'])
  return notify.ErrMessage ? serverProblem('', notify.ErrMessage) : undefined
}

/** A failure of the server as two sentences. `code` is the engine's. */
export function serverProblem(code: string, error: string): Problem {
  // The system's own code in brackets at the end is for tickets.
  const plain = safeText(error, 500).replace(/ \([A-Z][A-Z0-9_]+\)$/, '').replace(/\bthe control server /, '')
  // Where the engine knows what to do, it says so in its last sentence.
  const said = /^(.+?\.) ([A-Z].+)$/.exec(plain)
  if (said && !/ tried again by itself/.test(plain)) return { what: sentence(said[1]!), next: sentence(said[2]!) }
  return { what: sentence(plain), next: nextStep(code) }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`
}

function nextStep(code: string): string {
  switch (code) {
    case 'auth-key-invalid':
      return 'Ask your admin for a new auth key, or sign in with the browser.'
    case 'control-version':
      return 'Update Bowline.'
    case 'control-unreachable':
    case 'timeout':
      return 'Check the address. Bowline tries it again by itself.'
    case 'control-rate-limited':
      return 'Bowline tries it again by itself.'
    default:
      return 'Check the address.'
  }
}
