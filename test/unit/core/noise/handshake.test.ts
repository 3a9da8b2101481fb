import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { x25519Public } from '../../../../main/engine/base/crypto.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { PrivateKey } from '../../../../main/engine/base/keys.ts'
import { Initiator, type HandshakeResult } from '../../../../main/engine/core/noise/initiator.ts'
import { TransportCodec } from '../../../../main/engine/core/noise/transport.ts'
import { errorFrame, respond as simRespond } from '../../../sim/noise-responder.ts'
import { readVectors } from '../../../vectors/read.ts'
import { recordNonce, respond, seal } from './openssl-responder.ts'

interface Handshake {
  version: number
  serverPublic: string
  machineKey: string
  clientEphemeral: string
  initiation: string
  response: string
  toServer: string
  toClient: string
  records: { plain: string; sealed: string }[]
}
const vectors = readVectors<{ handshakes: Handshake[] }>('noise-ik.json')

const hex = (text: string): Uint8Array => fromHex(text)!
const bytes = (seed: number): Uint8Array => new Uint8Array(32).map((_, i) => (seed * 31 + i * 7) & 255)

function initiator(serverPrivate = bytes(1)): Initiator {
  return new Initiator({ version: 131, machineKey: bytes(2), serverKey: x25519Public(serverPrivate), random32: bytes(3) })
}

test('the handshake gives the bytes and keys of the vectors', () => {
  for (const vector of vectors.handshakes) {
    const made = new Initiator({ version: vector.version, machineKey: hex(vector.machineKey), serverKey: hex(vector.serverPublic), random32: hex(vector.clientEphemeral) })
    expect(toHex(made.initiation()!)).toBe(vector.initiation)
    const result = made.handleBytes(hex(vector.response))
    expect(result.kind).toBe('done')
    if (result.kind !== 'done') continue
    expect(toHex(result.sendKey)).toBe(vector.toServer)
    expect(toHex(result.receiveKey)).toBe(vector.toClient)
    const codec = new TransportCodec(result.sendKey, result.receiveKey)
    expect(vector.records.map((record) => toHex(codec.seal(hex(record.plain))))).toEqual(vector.records.map((record) => record.sealed))
  }
})

test('a responder on OpenSSL understands the initiation and its answer is understood, in any chunking', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (random32, ephemeral, cuts) => {
    const client = new Initiator({ version: 131, machineKey: bytes(2), serverKey: x25519Public(bytes(1)), random32: random32.slice() })
    const initiation = client.initiation()!
    expect(initiation).toHaveLength(101)
    const answer = respond(bytes(1), ephemeral, initiation)
    expect(toHex(answer.clientStatic)).toBe(toHex(x25519Public(bytes(2))))
    const stream = concat(answer.response, seal(answer.toClient, recordNonce(0n), new Uint8Array([1, 2, 3]), new Uint8Array(0)))
    let result: HandshakeResult = { kind: 'more' }
    let at = 0
    for (let i = 0; result.kind === 'more'; i++) {
      const next = at + cuts[i % cuts.length]!
      result = client.handleBytes(stream.subarray(at, next))
      at = next
    }
    expect(result.kind).toBe('done')
    if (result.kind !== 'done') return
    expect(toHex(result.sendKey)).toBe(toHex(answer.toServer))
    expect(toHex(result.receiveKey)).toBe(toHex(answer.toClient))
    expect(toHex(result.rest)).toBe(toHex(stream.subarray(51, at)))
  }), { numRuns: 50 })
})

test('the simulated server and the client agree', () => {
  const server = PrivateKey.fromRandom(bytes(9))
  const client = new Initiator({ version: 131, machineKey: bytes(2), serverKey: server.publicBytes(), random32: bytes(3) })
  const answer = simRespond(server, client.initiation()!, bytes(4))
  if (isDecodeError(answer)) throw new Error(answer.reason)
  expect(client.handleBytes(answer.response).kind).toBe('done')
})

test('a server with another key is found out', () => {
  const initiation = initiator().initiation()!
  expect(() => respond(bytes(7), bytes(4), initiation)).toThrow()
  const client = initiator()
  const answer = Buffer.from(respond(bytes(1), bytes(4), client.initiation()!).response)
  answer[40]! ^= 1
  expect(client.handleBytes(answer)).toEqual({ kind: 'failed', reason: 'bad-seal' })
})

test('an error frame in the place of the answer is handed up as untrusted printable text', () => {
  expect(initiator().handleBytes(errorFrame('bad \x1b[31mversion'))).toEqual({ kind: 'refused', text: 'bad ?[31mversion' })
  expect(initiator().handleBytes(new Uint8Array([3, 255, 255]))).toEqual({ kind: 'failed', reason: 'bad-length' })
})

test('a low-order server key or ephemeral ends the handshake', () => {
  const low = new Initiator({ version: 131, machineKey: bytes(2), serverKey: new Uint8Array(32), random32: bytes(3) })
  expect(low.initiation()).toBeUndefined()
  const zeroEphemeral = concat(new Uint8Array([2, 0, 48]), new Uint8Array(48))
  expect(initiator().handleBytes(zeroEphemeral)).toEqual({ kind: 'failed', reason: 'bad-seal' })
})

test('whatever bytes come, the handshake never throws and never succeeds by them', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
    expect(initiator().handleBytes(noise).kind).not.toBe('done')
  }))
})
