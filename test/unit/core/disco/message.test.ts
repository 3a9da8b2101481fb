import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { discoKey } from '../../../../main/engine/base/keys.ts'
import type { DiscoMessage } from '../../../../main/engine/core/disco/message.ts'
import { decodeDisco, encodeDisco } from '../../../../main/engine/core/disco/message.ts'

interface Vector {
  name: string
  hex: string
  message: { kind: string; nodeKey?: string | null; [field: string]: unknown }
}

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/disco.json', import.meta.url), 'utf8')) as { messages: Vector[] }
const TX_ID = fromHex('0102030405060708090a0b0c')!
const bytesOf = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', ''))!
const key = (n: number): ReturnType<typeof discoKey> => discoKey(new Uint8Array(32).fill(n))

function messageOf({ message }: Vector): DiscoMessage {
  const { nodeKey, ...rest } = message
  const withTxId = message.kind === 'ping' || message.kind === 'pong' ? { txId: TX_ID } : {}
  const withKey = nodeKey === undefined ? {} : { nodeKey: nodeKey === null ? undefined : fromHex(nodeKey)! }
  return { ...rest, ...withTxId, ...withKey } as unknown as DiscoMessage
}

const relayEndpoint = {
  server: key(1),
  clients: [key(2), key(3)] as const,
  lamportId: 0x0102030405060708n,
  vni: 7,
  bindLifetimeNs: 30_000_000_000n,
  steadyLifetimeNs: 300_000_000_000n,
  addrs: [{ ip: '192.0.2.1', port: 1 }, { ip: '2001:db8::1', port: 65535 }],
}
const relayMessages: DiscoMessage[] = [
  { kind: 'bind-relay', vni: 1, generation: 2, remote: key(4), challenge: new Uint8Array(32) },
  { kind: 'bind-relay-challenge', vni: 1, generation: 2, remote: key(4), challenge: new Uint8Array(32).fill(9) },
  { kind: 'bind-relay-answer', vni: 0xffffff, generation: 0xffffffff, remote: key(4), challenge: new Uint8Array(32).fill(9) },
  { kind: 'call-me-maybe-via', endpoint: relayEndpoint },
  { kind: 'allocate-relay-request', clients: [key(5), key(6)], generation: 3 },
  { kind: 'allocate-relay-response', generation: 3, endpoint: relayEndpoint },
]

describe('disco messages', () => {
  it.each(vectors.messages)('reads and writes the vector: $name', (vector) => {
    const message = messageOf(vector)
    expect(toHex(encodeDisco(message))).toBe(toHex(bytesOf(vector.hex)))
    // Padding shorter than a key cannot be told from padding without one; the vectors have no such case.
    expect(decodeDisco(bytesOf(vector.hex))).toEqual(message)
  })

  it.each(relayMessages)('reads what it writes: $kind', (message) => {
    expect(decodeDisco(encodeDisco(message))).toEqual(message)
  })

  it('has the type numbers and lengths of the peer relay messages', () => {
    expect(relayMessages.map((message) => [encodeDisco(message)[0], encodeDisco(message).length])).toEqual([[4, 74], [5, 74], [6, 74], [7, 162], [8, 70], [9, 166]])
  })

  it('ignores bytes after a known body', () => {
    const pong: DiscoMessage = { kind: 'pong', txId: TX_ID, src: { ip: '1.2.3.4', port: 5 } }
    expect(decodeDisco(new Uint8Array([...encodeDisco(pong), 1, 2, 3]))).toEqual(pong)
  })

  it('reads a call of another version or of a broken length as one without addresses', () => {
    const call = encodeDisco({ kind: 'call-me-maybe', endpoints: [{ ip: '1.2.3.4', port: 5 }] })
    expect(decodeDisco(call.subarray(0, call.length - 1))).toEqual({ kind: 'call-me-maybe', endpoints: [] })
    expect(decodeDisco(new Uint8Array([3, 1, ...call.subarray(2)]))).toEqual({ kind: 'call-me-maybe', endpoints: [] })
  })

  it('looks at no more than a hundred addresses of a call', () => {
    const call = decodeDisco(encodeDisco({ kind: 'call-me-maybe', endpoints: Array.from({ length: 1000 }, (_, i) => ({ ip: '1.2.3.4', port: i })) }))
    expect(call).toMatchObject({ kind: 'call-me-maybe' })
    if (!isDecodeError(call) && call.kind === 'call-me-maybe') expect(call.endpoints).toHaveLength(100)
  })

  it('refuses a bind without a generation, and types that it does not know', () => {
    expect(decodeDisco(encodeDisco({ kind: 'bind-relay', vni: 1, generation: 0, remote: key(4), challenge: new Uint8Array(32) }))).toMatchObject({ reason: 'bad-value' })
    expect(decodeDisco(new Uint8Array([99, 0, 1, 2]))).toMatchObject({ reason: 'bad-type' })
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void decodeDisco(bytes)), { numRuns: 2000 })
    for (let type = 0; type < 12; type++) {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (body) => void decodeDisco(new Uint8Array([type, 0, ...body]))), { numRuns: 300 })
    }
  })
})
