/**
 * Where the key lies that seals the secrets of the state directory: outside it, in something that the system guards. A keeper
 * holds 32 B under a name and knows nothing of what they open.
 */

export type KeptKey =
  | { readonly kind: 'key'; readonly key: Uint8Array }
  /** The keeper answers, and holds nothing of that name. */
  | { readonly kind: 'none' }
  /** It has to be unlocked first, which the person was asked to do if that is possible. `why` is a clause. */
  | { readonly kind: 'locked'; readonly why: string }
  /** There is no such keeper here. `why` is a clause. */
  | { readonly kind: 'absent'; readonly why: string }

export interface KeyKeeper {
  /** Its mark in the state file. */
  readonly kind: 'secret-service' | 'host'
  /** Never rejects, and is bounded in time. */
  load(name: string): Promise<KeptKey>
  /** Rejects with an Error whose text is a clause; bounded in time. */
  save(name: string, key: Uint8Array): Promise<void>
  /** As far as it can be done; bounded in time. */
  remove(name: string): Promise<void>
}
