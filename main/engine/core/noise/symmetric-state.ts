/**
 * The symmetric half of a Noise handshake with X25519, ChaCha20-Poly1305 and BLAKE2s: transcript hash, chaining key and
 * the current message key. Both ends are written on it: the initiator here, a responder in the simulation.
 *
 *   h, ck = BLAKE2s(protocol name)       (a name of more than 32 B is hashed, not padded)
 *   mixHash(x)    h = BLAKE2s(h | x)
 *   mixDh(a, B)   ck, key = HKDF(ck, X25519(a, B)); the counter starts again at 0
 *   encryptAndHash, decryptAndHash: AEAD under key with ad = h, then mixHash(ciphertext)
 *
 * Source: Noise protocol framework, revision 34, section 5.2. An all-zero DH result ends the handshake.
 */
import { aeadOpen, aeadSeal, hashBlake2s, hkdf2Blake2s, x25519Shared } from '../../base/crypto.ts'

export const TAG_BYTES = 16

export class SymmetricState {
  #hash: Uint8Array
  #chainingKey: Uint8Array
  #key: Uint8Array | undefined
  #counter = 0

  /** `protocolName` has more than 32 bytes of ASCII. */
  constructor(protocolName: Uint8Array) {
    this.#hash = hashBlake2s(protocolName)
    this.#chainingKey = this.#hash
  }

  mixHash(bytes: Uint8Array): void {
    this.#hash = hashBlake2s(this.#hash, bytes)
  }

  /** Mixes the shared secret of the two keys (32 B each) into the state; false when it is all zero. */
  mixDh(privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    const shared = x25519Shared(privateKey, publicKey)
    if (!shared) return false
    ;[this.#chainingKey, this.#key] = hkdf2Blake2s(this.#chainingKey, shared)
    this.#counter = 0
    return true
  }

  /** Ciphertext and 16 B tag, owned by the caller. Needs a key: after the first mixDh. */
  encryptAndHash(plain: Uint8Array): Uint8Array {
    if (!this.#key) throw new Error('broken invariant: no Noise key yet')
    const sealed = aeadSeal(this.#key, this.#nonce(), plain, this.#hash)
    this.mixHash(sealed)
    return sealed
  }

  /** The plain text, or undefined when the tag does not hold. */
  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    if (!this.#key) return undefined
    const plain = aeadOpen(this.#key, this.#nonce(), sealed, this.#hash)
    if (plain) this.mixHash(sealed)
    return plain
  }

  /** Transport keys of 32 B: initiator to responder, responder to initiator. */
  split(): [Uint8Array, Uint8Array] {
    return hkdf2Blake2s(this.#chainingKey, new Uint8Array(0))
  }

  /** The transcript hash, a copy: channel binding. */
  handshakeHash(): Uint8Array {
    return this.#hash.slice()
  }

  #nonce(): Uint8Array {
    const nonce = new Uint8Array(12)
    nonce[4] = this.#counter++
    return nonce
  }
}
