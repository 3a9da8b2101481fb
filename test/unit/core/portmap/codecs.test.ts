/**
 * The bytes of NAT-PMP and PCP beside the layouts of RFC 6886 and RFC 6887, answers recorded from miniupnpd 2.3.1.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { decodePcpReply, encodePcpAnnounce, encodePcpMapRequest } from '../../../../main/engine/core/portmap/pcp.ts'
import { decodePmpReply, encodePmpAddressRequest, encodePmpMapRequest } from '../../../../main/engine/core/portmap/pmp.ts'

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', ''))!
const NONCE = hex('000102030405060708090a0b')

describe('NAT-PMP', () => {
  it('asks for the outer address in two bytes', () => {
    expect(toHex(encodePmpAddressRequest())).toBe('0000')
  })

  it('asks for a port, and gives it back with no time and no port', () => {
    expect(toHex(encodePmpMapRequest(41641, 5000, 7200))).toBe('00010000a2a9138800001c20')
    expect(toHex(encodePmpMapRequest(41641, 0, 0))).toBe('00010000a2a9000000000000')
  })

  it('reads what a router answered', () => {
    expect(decodePmpReply(hex('00800000 0000000e 0b007105'))).toEqual({ kind: 'address', epochSec: 14, ip: '11.0.113.5' })
    expect(decodePmpReply(hex('00810000 0000002e a2a9 a2a9 00001c20'))).toEqual({ kind: 'mapped', epochSec: 46, internalPort: 41641, externalPort: 41641, lifetimeSec: 7200 })
    expect(decodePmpReply(hex('00810000 0000002f a2a9 0000 00000000'))).toEqual({ kind: 'mapped', epochSec: 47, internalPort: 41641, externalPort: 0, lifetimeSec: 0 })
  })

  it('reads a refusal with or without the body behind it', () => {
    const refusal = { kind: 'refused', op: 'map', result: 2, epochSec: 7 }
    expect(decodePmpReply(hex('00810002 00000007'))).toEqual(refusal)
    expect(decodePmpReply(hex('00810002 00000007 a2a9 0000 00000000'))).toEqual(refusal)
    expect(decodePmpReply(hex('00800003 00000007'))).toEqual({ kind: 'refused', op: 'address', result: 3, epochSec: 7 })
  })

  it('takes no request, no other version and nothing cut short for an answer', () => {
    expect(decodePmpReply(hex('00010000a2a9138800001c20'))).toMatchObject({ reason: 'bad-type' })
    expect(decodePmpReply(hex('00820000 0000002e a2a9 a2a9 00001c20'))).toMatchObject({ reason: 'bad-type' })
    expect(decodePmpReply(hex('02800000 0000000e 0b007105'))).toMatchObject({ reason: 'bad-version' })
    expect(decodePmpReply(hex('00800000 0000000e 0b0071'))).toMatchObject({ reason: 'short' })
    expect(decodePmpReply(hex('00810000 0000002e a2a9 a2a9 00001c'))).toMatchObject({ reason: 'short' })
    expect(decodePmpReply(new Uint8Array())).toMatchObject({ reason: 'short' })
  })
})

describe('PCP', () => {
  it('announces itself with its own address', () => {
    expect(toHex(encodePcpAnnounce('10.7.0.2'))).toBe('020000000000000000000000000000000000ffff0a070002')
  })

  it('asks for a UDP port of any address', () => {
    const bytes = encodePcpMapRequest({ selfIp: '10.7.0.2', nonce: NONCE, internalPort: 41641, externalPort: 5000, lifetimeSec: 7200 })
    expect(toHex(bytes)).toBe(
      '02010000' + '00001c20' + '00000000000000000000ffff0a070002' + '000102030405060708090a0b' + '11000000' + 'a2a9' + '1388' + '00000000000000000000ffff00000000',
    )
  })

  it('asks for the same outer address again', () => {
    const bytes = encodePcpMapRequest({ selfIp: '10.7.0.2', nonce: NONCE, internalPort: 1, externalPort: 2, externalIp: '11.0.113.5', lifetimeSec: 1 })
    expect(toHex(bytes.subarray(44))).toBe('00000000000000000000ffff0b007105')
  })

  it('reads what a router answered', () => {
    expect(decodePcpReply(hex('02800000 00000000 0000002e 000000000000000000000000'))).toEqual({ kind: 'announce', result: 0, epochSec: 46 })
    const reply = hex(`02810000 00001c20 0000002e 000000000000000000000000 ${toHex(NONCE)} 11000000 a2a9 1388 00000000000000000000ffff0b007105`)
    expect(decodePcpReply(reply)).toEqual({
      kind: 'map', result: 0, epochSec: 46, lifetimeSec: 7200, nonce: NONCE, isUdp: true, internalPort: 41641, externalPort: 5000, externalIp: '11.0.113.5',
    })
  })

  it('reads a refusal that does not repeat the question', () => {
    expect(decodePcpReply(hex('02810002 00000e10 0000002e 000000000000000000000000'))).toEqual({ kind: 'refused', result: 2, epochSec: 46 })
    expect(decodePcpReply(hex('02810000 00000e10 0000002e 000000000000000000000000'))).toMatchObject({ reason: 'short' })
    expect(decodePcpReply(hex('02820000 00000e10 0000002e 000000000000000000000000'))).toMatchObject({ reason: 'bad-type' })
    expect(decodePcpReply(hex('01810000 00000e10 0000002e 000000000000000000000000'))).toMatchObject({ reason: 'bad-version' })
    expect(decodePcpReply(hex('0281'))).toMatchObject({ reason: 'short' })
  })
})

it('any bytes are read or refused with a reason', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    for (const reply of [decodePmpReply(bytes), decodePcpReply(bytes)]) if (isDecodeError(reply)) expect(reply.reason).toMatch(/short|bad-version|bad-type/)
  }))
})
