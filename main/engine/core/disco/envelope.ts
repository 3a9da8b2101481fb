/**
 * Disco envelope: who sent a disco message and the box around it. Pure; keys to peers are computed once and kept.
 *
 *   magic 6 B "TS💬" | sender disco key 32 B | nonce 24 B | box (tag 16 B, plain ≥ 2 B)
 *
 * The same bytes travel over UDP and inside DERP packets. WireGuard's types are 01..04 00 00 00, so the magic never
 * collides with them.
 * Source: tailscale disco/disco.go @ de9ec7e, read 2026-08.
 */
import { boxKey, boxOpen, boxSeal } from '../../base/crypto.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError } from '../../base/errors.ts'
import type { DiscoPublicKey, PrivateKey } from '../../base/keys.ts'
import { keyBytes } from '../../base/keys.ts'

export const DISCO_MAGIC = new Uint8Array([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])
const NONCE_AT = 38
const BOX_AT = 62
/** Smallest datagram that is looked at: everything up to an empty box. */
export const DISCO_MIN_BYTES = BOX_AT
/** Bytes that the envelope adds to a plain message. */
export const DISCO_OVERHEAD_BYTES = BOX_AT + 16

/** Whether the bytes at `at` (to `end`) start like a disco message. */
export function looksLikeDisco(b: Uint8Array, at = 0, end = b.length): boolean {
  return (
    end - at >= DISCO_MIN_BYTES &&
    b[at] === 0x54 &&
    b[at + 1] === 0x53 &&
    b[at + 2] === 0xf0 &&
    b[at + 3] === 0x9f &&
    b[at + 4] === 0x92 &&
    b[at + 5] === 0xac
  )
}

/** The 32 B sender key of bytes that look like disco, borrowed. */
export function discoSender(b: Uint8Array): Uint8Array {
  return b.subarray(6, NONCE_AT)
}

/** More than a network has peers; beyond it the oldest key is computed anew when it is needed. */
const MAX_KEPT = 20_000

/** Box keys to peers' disco keys, so that the curve is computed once a peer. `retain` drops those of whoever left. */
export class DiscoKeys {
  readonly #privateKey: PrivateKey
  readonly #byPeer = new Map<DiscoPublicKey, Uint8Array | 'unusable'>()

  constructor(privateKey: PrivateKey) {
    this.#privateKey = privateKey
  }

  /** The box key to a peer; undefined when its key is a low-order point. */
  sharedWith(peer: DiscoPublicKey): Uint8Array | undefined {
    let key = this.#byPeer.get(peer)
    if (key === undefined) {
      key = boxKey(this.#privateKey.bytes(), keyBytes(peer)) ?? 'unusable'
      if (this.#byPeer.size >= MAX_KEPT) this.#byPeer.delete(this.#byPeer.keys().next().value!)
      this.#byPeer.set(peer, key)
    }
    return key === 'unusable' ? undefined : key
  }

  /** Forgets the keys of everybody for whom `isKnown` does not hold. */
  retain(isKnown: (peer: DiscoPublicKey) => boolean): void {
    for (const peer of this.#byPeer.keys()) if (!isKnown(peer)) this.#byPeer.delete(peer)
  }

  /** A whole disco datagram, owned by the caller; undefined when the peer's key is unusable. `nonce24` must be fresh. */
  seal(peer: DiscoPublicKey, nonce24: Uint8Array, plain: Uint8Array): Uint8Array | undefined {
    const key = this.sharedWith(peer)
    if (!key) return undefined
    const box = boxSeal(key, nonce24, plain)
    const out = new Uint8Array(BOX_AT + box.length)
    out.set(DISCO_MAGIC)
    out.set(this.#privateKey.publicBytes(), 6)
    out.set(nonce24, NONCE_AT)
    out.set(box, BOX_AT)
    return out
  }

  /** The plain message in a datagram that looks like disco and came from `peer`'s key. Reasons: short, bad-seal. */
  open(peer: DiscoPublicKey, b: Uint8Array): Uint8Array | DecodeError {
    if (b.length < DISCO_OVERHEAD_BYTES) return decodeError('short')
    const key = this.sharedWith(peer)
    if (!key) return decodeError('bad-seal', 'unusable key')
    return boxOpen(key, b.subarray(NONCE_AT, BOX_AT), b.subarray(BOX_AT)) ?? decodeError('bad-seal')
  }
}
