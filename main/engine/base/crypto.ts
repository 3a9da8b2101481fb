/**
 * Crypto facade: the only door to noble. Node's own ciphers are never used, because Electron's BoringSSL lacks some
 * of them and the same code must run in both. All keys are 32 B, all nonces as named.
 *
 *   box    NaCl crypto_box: X25519, HSalsa20, XSalsa20-Poly1305; 24 B nonce; sealed = tag 16 B | ciphertext (NaCl order)
 *   aead   ChaCha20-Poly1305 (RFC 8439), 12 B nonce, tag last
 *   hash   BLAKE2s-256, HMAC-BLAKE2s and HKDF over it (Noise)
 *   sign   Ed25519 (RFC 8032), 32 B seed and public key, 64 B signature: join links
 */
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { hsalsa, xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { blake2s } from '@noble/hashes/blake2.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { hmac } from '@noble/hashes/hmac.js'

/** Public key of a clamped or unclamped 32 B private key. */
export function x25519Public(privateKey: Uint8Array): Uint8Array {
  return x25519.getPublicKey(privateKey)
}

/** Shared secret, or undefined when it is all zero (a low-order point: the peer is hostile). */
export function x25519Shared(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(privateKey, publicKey)
  } catch {
    return undefined
  }
}

/** Clamps 32 random bytes in place into a private key, and returns them. */
export function clampPrivateKey(random32: Uint8Array): Uint8Array {
  random32[0]! &= 248
  random32[31] = (random32[31]! & 127) | 64
  return random32
}

export function aeadSeal(key: Uint8Array, nonce12: Uint8Array, plain: Uint8Array, ad: Uint8Array): Uint8Array {
  return chacha20poly1305(key, nonce12, ad).encrypt(plain)
}

/** The plain text, or undefined when the tag does not hold. */
export function aeadOpen(key: Uint8Array, nonce12: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array | undefined {
  if (sealed.length < 16) return undefined
  try {
    return chacha20poly1305(key, nonce12, ad).decrypt(sealed)
  } catch {
    return undefined
  }
}

const SIGMA = new Uint32Array(Uint8Array.from({ length: 16 }, (_, i) => 'expand 32-byte k'.charCodeAt(i)).buffer)

/** The precomputed key of a NaCl box between two sides; undefined for a low-order public key. */
export function boxKey(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const shared = x25519Shared(privateKey, publicKey)
  if (!shared) return undefined
  const words = new Uint32Array(shared.slice().buffer)
  const out = new Uint32Array(8)
  hsalsa(SIGMA, words, new Uint32Array(4), out)
  return new Uint8Array(out.buffer)
}

/** tag 16 B | ciphertext, under a precomputed box key and a fresh 24 B nonce. */
export function boxSeal(key: Uint8Array, nonce24: Uint8Array, plain: Uint8Array): Uint8Array {
  return xsalsa20poly1305(key, nonce24).encrypt(plain)
}

/** The plain text, or undefined when the box does not open. */
export function boxOpen(key: Uint8Array, nonce24: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < 16) return undefined
  try {
    return xsalsa20poly1305(key, nonce24).decrypt(sealed)
  } catch {
    return undefined
  }
}

export function hashBlake2s(...parts: readonly Uint8Array[]): Uint8Array {
  const h = blake2s.create({ dkLen: 32 })
  for (const part of parts) h.update(part)
  return h.digest()
}

/** Keyed BLAKE2s with a 16 or 32 B key, output of `size` bytes. */
export function macBlake2s(key: Uint8Array, size: number, message: Uint8Array): Uint8Array {
  return blake2s(message, { key, dkLen: size })
}

export function hmacBlake2s(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(blake2s, key, message)
}

/** Noise's HKDF with two outputs of 32 B, salt = chaining key. */
export function hkdf2Blake2s(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const temp = hmacBlake2s(chainingKey, input)
  const first = hmacBlake2s(temp, new Uint8Array([1]))
  const second = new Uint8Array(33)
  second.set(first)
  second[32] = 2
  return [first, hmacBlake2s(temp, second)]
}

export function hashSha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes)
}

/** 32 B public key of a 32 B Ed25519 seed. */
export function ed25519Public(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed)
}

/** 64 B signature. */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}

/** Whether the signature holds; false too for keys and signatures that are none. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false })
  } catch {
    return false
  }
}
