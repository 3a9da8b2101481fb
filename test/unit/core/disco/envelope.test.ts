import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { discoKey, PrivateKey } from '../../../../main/engine/base/keys.ts'
import { DiscoKeys, discoSender, looksLikeDisco } from '../../../../main/engine/core/disco/envelope.ts'
import { encodeDisco } from '../../../../main/engine/core/disco/message.ts'

const priv = (n: number): PrivateKey => PrivateKey.fromRandom(new Uint8Array(32).fill(n))
const [alice, bob] = [priv(1), priv(2)]
const [aliceKey, bobKey] = [discoKey(alice.publicBytes()), discoKey(bob.publicBytes())]
const NONCE = new Uint8Array(24).fill(3)

describe('the disco envelope', () => {
  it('opens at the other side and names its sender', () => {
    const sealed = new DiscoKeys(alice).seal(bobKey, NONCE, new Uint8Array([2, 0, 1]))!
    expect(looksLikeDisco(sealed)).toBe(true)
    expect(discoKey(discoSender(sealed))).toBe(aliceKey)
    expect(new DiscoKeys(bob).open(aliceKey, sealed)).toEqual(new Uint8Array([2, 0, 1]))
  })

  it('makes an unpadded ping 124 bytes long and its pong no longer', () => {
    const keys = new DiscoKeys(alice)
    const ping = keys.seal(bobKey, NONCE, encodeDisco({ kind: 'ping', txId: new Uint8Array(12), nodeKey: new Uint8Array(32), paddingBytes: 0 }))!
    const pong = keys.seal(bobKey, NONCE, encodeDisco({ kind: 'pong', txId: new Uint8Array(12), src: { ip: '1.2.3.4', port: 5 } }))!
    expect([ping.length, pong.length]).toEqual([124, 110])
  })

  it('does not open when any byte was changed', () => {
    const sealed = new DiscoKeys(alice).seal(bobKey, NONCE, new Uint8Array([2, 0, 1, 2, 3]))!
    const keys = new DiscoKeys(bob)
    fc.assert(
      fc.property(fc.integer({ min: 38, max: sealed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bad = sealed.slice()
        bad[at]! ^= change
        expect(isDecodeError(keys.open(aliceKey, bad))).toBe(true)
      }),
    )
  })

  it('has no way to talk to a key that is a low-order point', () => {
    const keys = new DiscoKeys(alice)
    const zero = discoKey(new Uint8Array(32))
    expect(keys.seal(zero, NONCE, new Uint8Array(2))).toBeUndefined()
    expect(keys.open(zero, new Uint8Array(100))).toMatchObject({ reason: 'bad-seal' })
  })

  it('tells disco from WireGuard, STUN and short rubbish', () => {
    for (const type of [1, 2, 3, 4]) expect(looksLikeDisco(new Uint8Array([type, 0, 0, 0, ...new Uint8Array(144)]))).toBe(false)
    expect(looksLikeDisco(new Uint8Array([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac]))).toBe(false)
  })

  it('never throws, whatever the bytes', () => {
    const keys = new DiscoKeys(bob)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => isDecodeError(keys.open(aliceKey, bytes))), { numRuns: 500 })
  })
})
