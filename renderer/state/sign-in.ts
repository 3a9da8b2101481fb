/**
 * Which page of the sign-in is shown, and what went wrong in one sentence with one thing to do. Pure.
 *
 * All of it comes from the engine's session page, which stays steady while the engine tries a lost server again and again:
 * the person sees one page until a link arrives, they are in, or they try anew.
 */
import type { SessionPage, SessionProblem, Status } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { isWord, locale, t } from '../../main/words/words.ts'

export type ActionKind = SessionProblem['Action']['Kind']

export interface Problem {
  /** What happened. */
  readonly what: string
  /** What to do now. */
  readonly next: string
  readonly action: ActionKind
  readonly code: string
  /** Wall time in ms at which the engine tries again by itself. */
  readonly retryAtMs: number | undefined
}

export type SignInView =
  /** `busyMs` = how long the server has been tried without any answer; undefined = nothing is under way. */
  | { readonly kind: 'form'; readonly busyMs: number | undefined; readonly problem: Problem | undefined }
  | { readonly kind: 'browser'; readonly url: string }
  | { readonly kind: 'approval' }

/** Whether the window is all sign-in: nobody is signed in, and no list of devices is there to be shown. */
export function needsSignIn(status: Status | undefined): boolean {
  if (!status) return false
  if (status.BackendState === 'NeedsMachineAuth') return true
  return status.HaveNodeKey !== true && status.Self.ID === '' && status.BackendState !== 'NoState' && status.BackendState !== 'InUseOtherUser'
}

/** Whether the sign-in before this page is still good, so that tunnels go on while another one is under way. */
export function stillIn(before: boolean, session: SessionPage): boolean {
  if (session.KeyExpired === true) return false
  switch (session.Kind) {
    case 'running':
      return true
    case 'idle':
    case 'needs-login':
    case 'failed':
      return false
    case 'working':
    case 'waiting':
    case 'lost':
      return before
  }
}

/** The page to show while `needsSignIn`. */
export function signInView(status: Status, session: SessionPage | undefined, nowMs: number): SignInView {
  if (status.BackendState === 'NeedsMachineAuth') return { kind: 'approval' }
  const url = session?.AuthURL ?? ''
  if (url !== '') return { kind: 'browser', url }
  const busy = session?.Kind === 'working' || session?.Kind === 'running'
  return { kind: 'form', busyMs: busy ? Math.max(0, nowMs - Date.parse(session.Since)) : undefined, problem: problemOf(session) }
}

/** What stands in the way, as the engine tells it; undefined = nothing does. */
export function problemOf(session: SessionPage | undefined): Problem | undefined {
  const problem = session?.Problem
  if (!problem) return undefined
  const retryAtMs = problem.RetryAt === undefined ? NaN : Date.parse(problem.RetryAt)
  return { ...sentences(problem.Code, problem.Text, hostOf(session.Server)), action: problem.Action.Kind, code: problem.Code, retryAtMs: Number.isNaN(retryAtMs) ? undefined : retryAtMs }
}

/** The engine's words as what happened and what to do. */
function sentences(code: string, text: string, server: string): { what: string; next: string } {
  const known = `join.fault.${code}`
  if (locale() !== 'en' && isWord(known)) return { what: `${t(known, { host: server }).replace(/[.。]$/, '')}${t('join.stop')}`, next: nextStep(code) }
  // The system's own code in brackets at the end is for tickets.
  const plain = safeText(text, 500).replace(/ \([A-Z][A-Z0-9_]+\)(?=\.?$)/, '').replace(/\bthe control server /, '')
  // Where the engine knows what to do, it says so behind its first sentence.
  const said = /^(.+?[.?!]) ([A-Z].+)$/.exec(plain)
  if (said && !/ tried again by itself/.test(plain)) return { what: sentence(said[1]!), next: sentence(said[2]!) }
  return { what: sentence(plain), next: nextStep(code) }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`
}

function nextStep(code: string): string {
  switch (code) {
    case 'auth-key-invalid':
      return t('join.next.newKey')
    case 'control-version':
      return t('join.next.update')
    case 'control-unreachable':
    case 'timeout':
      return t('join.next.addressAndWait')
    case 'control-rate-limited':
      return t('join.next.wait')
    case 'control-not-found':
    case 'login-expired':
    case 'login-refused':
    case 'login-unapproved':
    case 'signed-out':
    case 'key-expired':
      return ''
    default:
      return t('join.next.address')
  }
}

function hostOf(url: string): string {
  return /^https?:\/\/([^/]+)/i.exec(url)?.[1] ?? url
}

/** What an admin needs to help: no secret is in it. */
export function reportFor(problem: Problem, server: string, device: string, nowMs: number): string {
  return [
    t('join.report.cannot', { what: problem.what }), t('join.report.server', { server: safeText(server, 200) }), t('join.report.name', { device: safeText(device) }),
    t('join.report.code', { code: safeText(problem.code, 60) }), t('join.report.time', { time: new Date(nowMs).toISOString() }),
  ].join('\n')
}
