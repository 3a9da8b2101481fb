/**
 * Project Wycheproof's vectors through the engine's own faces of ChaCha20-Poly1305 and X25519.
 */
import { expect, test } from 'vitest'
import { concat, fromHex, toHex } from '../../../main/engine/base/bytes.ts'
import { aeadOpen, aeadSeal, x25519Shared } from '../../../main/engine/base/crypto.ts'
import { readVectors } from '../../vectors/read.ts'

interface Row {
  readonly tcId: number
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
}
type AeadRow = Row & Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>>
type DhRow = Row & Readonly<Record<'public' | 'private' | 'shared', string>>

const hex = (text: string): Uint8Array => fromHex(text)!

test('ChaCha20-Poly1305 seals the valid ones to the bit and opens no other', () => {
  const { tests } = readVectors<{ tests: AeadRow[] }>('wycheproof/chacha20_poly1305.json')
  const usable = tests.filter(({ iv }) => iv.length === 24)
  expect(usable.length).toBeGreaterThan(300)
  for (const row of usable) {
    const [key, iv, aad, sealed] = [hex(row.key), hex(row.iv), hex(row.aad), concat(hex(row.ct), hex(row.tag))]
    const opened = aeadOpen(key, iv, sealed, aad)
    expect([row.tcId, opened && toHex(opened)]).toEqual([row.tcId, row.result === 'valid' ? row.msg : undefined])
    if (row.result === 'valid') expect([row.tcId, toHex(aeadSeal(key, iv, hex(row.msg), aad))]).toEqual([row.tcId, toHex(sealed)])
  }
  // A nonce of another size is a fault of the caller: it must never be taken for one of 12 bytes.
  for (const row of tests.filter(({ iv }) => iv.length !== 24)) {
    expect(row.result).toBe('invalid')
    expect(() => aeadSeal(hex(row.key), hex(row.iv), hex(row.msg), hex(row.aad))).toThrow()
  }
})

test('X25519 gives every shared secret, and none for points of low order', () => {
  const { tests } = readVectors<{ tests: DhRow[] }>('wycheproof/x25519.json')
  expect(tests.length).toBeGreaterThan(500)
  for (const row of tests) {
    const shared = x25519Shared(hex(row.private), hex(row.public))
    expect([row.tcId, shared && toHex(shared)]).toEqual([row.tcId, /^0*$/.test(row.shared) ? undefined : row.shared])
  }
})
