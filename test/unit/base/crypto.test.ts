import { createCipheriv, createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, toHex } from '../../../main/engine/base/bytes.ts'
import {
  aeadOpen, aeadSeal, boxKey, boxOpen, boxSeal, hashBlake2s, hmacBlake2s, x25519Public, x25519Shared,
} from '../../../main/engine/base/crypto.ts'
import { readVectors } from '../../vectors/read.ts'

type Row = Record<string, string>
const vectors = readVectors<Record<'x25519' | 'x25519Public' | 'aead' | 'blake2s' | 'box', Row[]> & { lowOrder: string[] }>('crypto.json')
const hex = (text: string | undefined): Uint8Array => fromHex(text!)!

test('X25519 gives the shared secrets and public keys of the vectors', () => {
  for (const row of vectors.x25519) expect(toHex(x25519Shared(hex(row['private']), hex(row['public']))!)).toBe(row['shared'])
  for (const row of vectors.x25519Public) expect(toHex(x25519Public(hex(row['private'])))).toBe(row['public'])
})

test('a low-order point gives no shared secret and no box key', () => {
  for (const point of vectors.lowOrder) {
    expect(x25519Shared(hex(vectors.x25519[0]!['private']), hex(point))).toBeUndefined()
    expect(boxKey(hex(vectors.x25519[0]!['private']), hex(point))).toBeUndefined()
  }
})

test('ChaCha20-Poly1305 seals and opens the vectors', () => {
  for (const row of vectors.aead) {
    const args = [hex(row['key']), hex(row['nonce'])] as const
    expect(toHex(aeadSeal(...args, hex(row['plain']), hex(row['ad'])))).toBe(row['sealed'])
    expect(toHex(aeadOpen(...args, hex(row['sealed']), hex(row['ad']))!)).toBe(row['plain'])
  }
})

test('BLAKE2s and the NaCl box give the bytes of the vectors', () => {
  for (const row of vectors.blake2s) expect(toHex(hashBlake2s(hex(row['message'])))).toBe(row['digest'])
  for (const row of vectors.box) {
    const key = boxKey(hex(row['private']), hex(row['public']))!
    expect(toHex(boxSeal(key, hex(row['nonce']), hex(row['plain'])))).toBe(row['sealed'])
    expect(toHex(boxOpen(key, hex(row['nonce']), hex(row['sealed']))!)).toBe(row['plain'])
  }
})

test('any changed bit of a sealed message, its nonce or its data is noticed', () => {
  const key = new Uint8Array(32).fill(3)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), fc.integer({ min: 0, max: 7 }), (plain, at, bit) => {
    const nonce = new Uint8Array(12)
    const ad = new Uint8Array([1, 2, 3])
    const sealed = aeadSeal(key, nonce, plain, ad)
    for (const target of [sealed, nonce, ad]) {
      target[at % target.length]! ^= 1 << bit
      expect(aeadOpen(key, nonce, sealed, ad)).toBeUndefined()
      target[at % target.length]! ^= 1 << bit
    }
    const boxed = boxSeal(key, new Uint8Array(24), plain)
    boxed[at % boxed.length]! ^= 1 << bit
    expect(boxOpen(key, new Uint8Array(24), boxed)).toBeUndefined()
  }))
})

test('short and empty sealed messages do not open', () => {
  for (let length = 0; length < 16; length++) {
    expect(aeadOpen(new Uint8Array(32), new Uint8Array(12), new Uint8Array(length), new Uint8Array(0))).toBeUndefined()
    expect(boxOpen(new Uint8Array(32), new Uint8Array(24), new Uint8Array(length))).toBeUndefined()
  }
})

test('hash, HMAC and cipher agree with OpenSSL on random input', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 300 }), (key, nonce, data) => {
    expect(toHex(hashBlake2s(data))).toBe(createHash('blake2s256').update(data).digest('hex'))
    expect(toHex(hmacBlake2s(key, data))).toBe(createHmac('blake2s256', key).update(data).digest('hex'))
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
    cipher.setAAD(key, { plaintextLength: data.length })
    expect(toHex(aeadSeal(key, nonce, data, key))).toBe(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]).toString('hex'))
  }))
})
