import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { decodeStunRequest, decodeStunResponse, encodeStunRequest, encodeStunResponse, isStun } from '../../../../main/engine/core/stun/stun.ts'

interface Vectors {
  responses: { name: string; hex: string; txId: string; ip: string; port: number }[]
  request: { txId: string; hex: string }
}

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/stun.json', import.meta.url), 'utf8')) as Vectors

describe('STUN', () => {
  it.each(vectors.responses)('reads the answer of $name', ({ hex, txId, ip, port }) => {
    const bytes = fromHex(hex)!
    expect(isStun(bytes)).toBe(true)
    expect(decodeStunResponse(bytes)).toEqual({ txId: fromHex(txId), mapped: { ip, port } })
  })

  it('writes the request that relay servers insist on', () => {
    expect(toHex(encodeStunRequest(fromHex(vectors.request.txId)!))).toBe(vectors.request.hex)
  })

  it('reads a request only with the right software and fingerprint', () => {
    const request = encodeStunRequest(fromHex(vectors.request.txId)!)
    expect(decodeStunRequest(request)).toEqual(fromHex(vectors.request.txId))
    for (const at of [30, 39]) {
      const bad = request.slice()
      bad[at]! ^= 1
      expect(decodeStunRequest(bad)).toMatchObject({ reason: 'bad-value' })
    }
    expect(decodeStunRequest(request.subarray(0, 20))).toMatchObject({ reason: 'bad-value' })
  })

  it('reads the answers that it writes, in both families', () => {
    const address = fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', '::1', 'fe80::1:2'))
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), address, fc.integer({ min: 0, max: 65_535 }), (txId, ip, port) => {
        expect(decodeStunResponse(encodeStunResponse(txId, { ip, port }))).toEqual({ txId, mapped: { ip, port } })
      }),
    )
  })

  it('finds no address in an answer that has none or is cut short', () => {
    const answer = encodeStunResponse(new Uint8Array(12), { ip: '1.2.3.4', port: 5 })
    for (let length = 0; length < answer.length; length++) expect(isDecodeError(decodeStunResponse(answer.subarray(0, length)))).toBe(true)
  })

  it('is not mistaken for WireGuard or disco', () => {
    expect(isStun(new Uint8Array([1, 0, 0, 0, ...new Uint8Array(144)]))).toBe(false)
    expect(isStun(new Uint8Array([0x54, 0x53, 0xf0, 0x9f, ...new Uint8Array(100)]))).toBe(false)
  })

  it('never throws, whatever the bytes', () => {
    const head = encodeStunResponse(new Uint8Array(12), { ip: '1.2.3.4', port: 5 }).subarray(0, 8)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, headed) => {
        const input = headed ? new Uint8Array([...head, ...bytes]) : bytes
        void decodeStunResponse(input)
        void decodeStunRequest(input)
      }),
      { numRuns: 3000 },
    )
  })
})
