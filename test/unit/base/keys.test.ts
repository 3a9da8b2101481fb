import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fromHex, toBase64, toHex } from '../../../main/engine/base/bytes.ts'
import { boxKey, boxOpen, boxSeal, hkdf2Blake2s, x25519Shared } from '../../../main/engine/base/crypto.ts'
import { isZeroKey, keyBytes, nodeKey, parseMachineKey, parseNodeKey, PrivateKey, ZERO_NODE_KEY } from '../../../main/engine/base/keys.ts'

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(/\s/g, ''))!

describe('keys', () => {
  it('derives the public key of RFC 7748 §6.1', () => {
    const key = PrivateKey.parse('privkey:77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')!
    expect(toHex(key.publicBytes())).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
  })

  it('shows no secret in text, JSON or inspection', () => {
    const secret = new Uint8Array(32).fill(7)
    const key = PrivateKey.fromRandom(secret)
    const shown = `${String(key)} ${JSON.stringify({ key })} ${inspect(key, { depth: 9, showHidden: true })}`
    expect(shown).not.toContain('0707')
    expect(shown).not.toContain('7, 7')
    expect(key.secretText()).toMatch(/^privkey:[0-9a-f]{64}$/)
  })

  it('refuses keys of another kind, length or case', () => {
    const text = nodeKey(new Uint8Array(32).fill(1))
    expect(parseNodeKey(text)).toBe(text)
    expect(parseMachineKey(text)).toBeUndefined()
    for (const bad of ['', 'nodekey:', text.slice(0, -1), `${text}0`, text.replace('01', '0G'), text.replace('01', '0A'), 7, null]) expect(parseNodeKey(bad)).toBeUndefined()
    expect(keyBytes(text)).toEqual(new Uint8Array(32).fill(1))
    expect(isZeroKey(ZERO_NODE_KEY)).toBe(true)
  })

  it('computes the box of the NaCl test vector (Bernstein, "Cryptography in NaCl", §8–10)', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bobPublic = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const key = boxKey(alice, bobPublic)!
    expect(toHex(key)).toBe('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
    const nonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
    const plain = new Uint8Array(131).fill(3)
    const sealed = boxSeal(key, nonce, plain)
    expect(boxOpen(key, nonce, sealed)).toEqual(plain)
    sealed[20]! ^= 1
    expect(boxOpen(key, nonce, sealed)).toBeUndefined()
  })

  it('refuses a low-order public key', () => {
    expect(x25519Shared(new Uint8Array(32).fill(9), new Uint8Array(32))).toBeUndefined()
    expect(boxKey(new Uint8Array(32).fill(9), new Uint8Array(32))).toBeUndefined()
  })

  it('makes two different outputs in HKDF', () => {
    const [a, b] = hkdf2Blake2s(new Uint8Array(32), new Uint8Array(0))
    expect(a).toHaveLength(32)
    expect(toHex(a)).not.toBe(toHex(b))
  })

  it('writes base64 as the platform does', () => {
    for (let n = 0; n < 20; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37) & 255)
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
    }
  })
})
