import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { PrivateKey } from '../../../../main/engine/base/keys.ts'
import { decodeClientInfo, decodeServerInfo, decodeServerKey, encodeClientInfo, encodeServerInfo, encodeServerKey, utf8Text } from '../../../../main/engine/core/derp/login.ts'

const relay = PrivateKey.fromRandom(new Uint8Array(32).fill(1))
const node = PrivateKey.fromRandom(new Uint8Array(32).fill(2))
const NONCE = new Uint8Array(24).fill(3)

const serverInfo = (json: string): Uint8Array => {
  const body = encodeServerInfo(relay, node.publicBytes(), NONCE, json)
  if (isDecodeError(body)) throw new Error(body.reason)
  return body
}

describe('the relay login', () => {
  it('reads the relay\'s key and ignores what newer relays add', () => {
    expect(decodeServerKey(encodeServerKey(relay.publicBytes()))).toEqual(relay.publicBytes())
    expect(decodeServerKey(new Uint8Array([...encodeServerKey(relay.publicBytes()), 1, 2]))).toEqual(relay.publicBytes())
    expect(decodeServerKey(encodeServerKey(relay.publicBytes()).fill(0, 0, 1))).toMatchObject({ reason: 'bad-magic' })
    expect(decodeServerKey(new Uint8Array(39))).toMatchObject({ reason: 'short' })
  })

  it('introduces the client so that only the relay can read it', () => {
    const frame = encodeClientInfo(node, relay.publicBytes(), NONCE)
    if (isDecodeError(frame)) throw new Error(frame.reason)
    expect(decodeClientInfo(relay, frame.subarray(5))).toEqual({ nodeKey: node.publicBytes(), version: 2, canAckPings: true })
    expect(decodeClientInfo(node, frame.subarray(5))).toMatchObject({ reason: 'bad-seal' })
    expect(encodeClientInfo(node, new Uint8Array(32), NONCE)).toMatchObject({ reason: 'bad-value' })
  })

  it('reads the relay\'s version and rate rule', () => {
    expect(decodeServerInfo(node, relay.publicBytes(), serverInfo('{"version":2}'))).toEqual({ version: 2, bytesPerSec: undefined, burstBytes: undefined })
    expect(decodeServerInfo(node, relay.publicBytes(), serverInfo('{"version":2,"TokenBucketBytesPerSecond":1000,"TokenBucketBytesBurst":5000,"new":[]}'))).toEqual({ version: 2, bytesPerSec: 1000, burstBytes: 5000 })
  })

  it.each(['', 'null', '[]', '{', '"x"', '{"version":'])('refuses a rule that is no object: %s', (json) => {
    expect(decodeServerInfo(node, relay.publicBytes(), serverInfo(json))).toMatchObject({ reason: 'bad-value' })
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(isDecodeError(decodeServerInfo(node, relay.publicBytes(), bytes))).toBe(true)
        expect(isDecodeError(decodeClientInfo(relay, bytes))).toBe(true)
        expect(typeof utf8Text(bytes)).toBe('string')
      }),
    )
  })
})
