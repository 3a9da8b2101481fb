/**
 * bowline/preflight: whether a server can be joined from this computer, asked before anybody signs in; and bowline/join, which does
 * what a join link asks for once a person has said yes. Nothing of it is a secret, so it may be sent to whoever helps.
 */
import type { TrustedCertificate } from './types.ts'

export const PREFLIGHT_STEPS = ['name', 'connection', 'certificate', 'server', 'clock', 'proxy', 'sign-in-page', 'udp', 'other-vpn', 'key-store', 'rights'] as const
export type PreflightStepName = (typeof PREFLIGHT_STEPS)[number]

/** `bad` of a step that is not needed is a warning: joining works all the same. */
export type PreflightState = 'waiting' | 'good' | 'bad' | 'unknown' | 'skipped'

export type PreflightFixKind = 'check-address' | 'check-network' | 'use-https' | 'use-http' | 'trust-certificate' | 'fix-clock' | 'fix-proxy' | 'open-page' | 'ask-admin' | 'update' | 'wait' | 'none'

export interface PreflightStep {
  readonly Step: PreflightStepName
  readonly State: PreflightState
  /** Without it nobody can sign in. */
  readonly Needed: boolean
  /** What it saw, for programs and translations; Args fill its sentence. */
  readonly Code: string
  readonly Args: Readonly<Record<string, string | number>>
  /** The same as an English sentence. */
  readonly Text: string
  /** The one thing to do. */
  readonly Fix?: { readonly Kind: PreflightFixKind; readonly Text: string }
}

export interface JoinLinkPage {
  readonly Server: string
  /** As the maker of the link calls itself: nobody has checked that. */
  readonly Org: string
  readonly Contact: string
  readonly SignIn: string
  readonly Pins: readonly string[]
  readonly Settings: { readonly routes?: boolean; readonly names?: boolean; readonly exitNode?: string; readonly shields?: boolean }
  readonly Until: string
  /** SHA-256 of the key that signed it, hex. `known`: this computer has joined with it before; `other-key`: with another one, for the same server. */
  readonly SignedBy: { readonly Fingerprint: string; readonly Known: 'new' | 'known' | 'other-key'; readonly Since?: string }
}

/** A certificate that the server shows and that is not trusted. */
export type ShownCertificate = Omit<TrustedCertificate, 'PEM'>

export interface PreflightPage {
  readonly Run: string
  readonly Version: number
  readonly State: 'running' | 'done'
  /** Origin of the server; "" = the text names none (Fault says why). */
  readonly Server: string
  readonly Link?: JoinLinkPage
  /** Why the text is neither an address nor a link that can be used. */
  readonly Fault?: { readonly Code: string; readonly Text: string; readonly Detail: string }
  readonly Steps: readonly PreflightStep[]
  /** Its own certificate first; absent when it is trusted. */
  readonly Shown?: readonly ShownCertificate[]
}

export interface PreflightRequest {
  /** A join link, a server's address, or the address of one of its pages. */
  readonly Target: string
  /** Only what concerns the server: while somebody types. */
  readonly Quick?: boolean
  /** A run that nobody needs any more. */
  readonly Instead?: string
}

export interface JoinRequest {
  /** The run whose link was shown. */
  readonly Run: string
}

export interface JoinResult {
  readonly Server: string
  /** What is trusted from now on for this server, as SHA-256 fingerprints. */
  readonly Trusted: readonly string[]
}
