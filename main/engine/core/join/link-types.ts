/**
 * What a join link says, and why one is refused.
 */

export interface JoinSettings {
  /** Networks behind devices are used. */
  readonly routes?: boolean
  /** Names of the network are used. */
  readonly names?: boolean
  readonly exitNode?: string
  /** Connections from other devices are not let in. */
  readonly shields?: boolean
}

export interface JoinContent {
  /** Origin: "https://hs.example.com". */
  readonly server: string
  /** As the maker of the link calls itself. */
  readonly org: string
  /** Where to ask for help: an address of mail or of a page, or a number. "" = none. */
  readonly contact: string
  /** Host of the page where people sign in; "" = not told. */
  readonly signIn: string
  /** SHA-256 of public keys (SPKI), hex: one of them must be in the server's chain of certificates. Empty = the computer's own trust. */
  readonly pins: readonly string[]
  /** What joining sets; what is absent stays as it is. `exitNode`: "none", "auto", or an address of a device. */
  readonly settings: JoinSettings
  /** Wall time until which the link is good. */
  readonly untilMs: number
}

export type JoinFault =
  | 'not-a-link' | 'too-long' | 'bad-form' | 'newer-version' | 'bad-signature' | 'holds-secret' | 'bad-field' | 'bad-text' | 'bad-server' | 'expired'

export interface JoinRefusal {
  readonly kind: 'refused'
  readonly code: JoinFault
  /** The field that is wrong, or of an expired link the time; never what a stranger wrote. */
  readonly detail: string
}

export function refused(code: JoinFault, detail = ''): JoinRefusal {
  return { kind: 'refused', code, detail }
}
