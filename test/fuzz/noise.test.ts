/**
 * Hostile bytes in the control connection's Noise layer: nothing but the server's own bytes is ever taken for the server's.
 */
import { expect } from 'vitest'
import { concat, equal, writeU32 } from '../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { PrivateKey } from '../../main/engine/base/keys.ts'
import { EarlyPayloadFilter } from '../../main/engine/core/noise/early-payload.ts'
import { Initiator, RESPONSE_BYTES, type HandshakeResult } from '../../main/engine/core/noise/initiator.ts'
import { TransportCodec } from '../../main/engine/core/noise/transport.ts'
import { errorFrame, RecordSealer, respond } from '../sim/noise-responder.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const SERVER = PrivateKey.fromRandom(new Uint8Array(32).fill(7))
const OTHER = PrivateKey.fromRandom(new Uint8Array(32).fill(8))

function begin(chance: Chance, version = 131): { client: Initiator; initiation: Uint8Array } {
  const client = new Initiator({ version, machineKey: new Uint8Array(32).fill(2), serverKey: SERVER.publicBytes(), random32: chance.bytes(32) })
  return { client, initiation: client.initiation()! }
}

function answer(server: PrivateKey, initiation: Uint8Array, chance: Chance): Uint8Array {
  const answered = respond(server, initiation, chance.bytes(32))
  return isDecodeError(answered) ? new Uint8Array(0) : answered.response
}

function feed(client: Initiator, stream: Uint8Array, chance: Chance): HandshakeResult {
  let result: HandshakeResult = { kind: 'more' }
  for (const piece of chance.cut(stream)) {
    if (result.kind !== 'more') break
    result = client.handleBytes(piece)
  }
  return result
}

fuzz('a handshake ends well only with the untouched answer of the server whose key was asked for', (chance) => {
  const { client, initiation } = begin(chance)
  const good = answer(SERVER, initiation, chance)
  const stream = hostileAnswer(chance, initiation, good)
  const result = feed(client, stream, chance)
  const untouched = equal(stream.subarray(0, RESPONSE_BYTES), good)
  expect(result.kind === 'done').toBe(untouched)
  if (result.kind === 'refused') expect(result.text).toMatch(/^[\x20-\x7e]{0,4096}$/)
}, { share: 0.1 })

function hostileAnswer(chance: Chance, initiation: Uint8Array, good: Uint8Array): Uint8Array {
  switch (chance.int(0, 9)) {
    case 0: // as it should be, with more behind it
      return concat(good, chance.bytes(chance.int(0, 5000)))
    case 1: // reflected
      return initiation
    case 2: // reflected with the type of an answer
      return concat(new Uint8Array([2, 0, 48]), initiation.subarray(5, 53))
    case 3: // by a server with another key
      return answer(OTHER, begin(chance).initiation, chance)
    case 4: { // downgraded: the server was shown another version than was sent
      const older = initiation.slice()
      older[1] = chance.int(0, 130)
      return answer(SERVER, older, chance)
    }
    case 5: // of another handshake with the same server
      return answer(SERVER, begin(chance).initiation, chance)
    case 6:
      return errorFrame(chance.text().slice(0, 20_000))
    case 7:
      return chance.bytes(chance.int(0, 300))
    default:
      return chance.damage(good)
  }
}

fuzz('a downgraded or reflected handshake gives no keys, whatever the version', (chance) => {
  const version = chance.int(1, 65_535)
  const { client, initiation } = begin(chance, version)
  const shown = initiation.slice()
  const other = chance.int(0, 65_535)
  shown[0] = other >> 8
  shown[1] = other & 255
  const answered = respond(SERVER, shown, chance.bytes(32))
  expect(isDecodeError(answered)).toBe(other !== version)
  if (other !== version) expect(client.handleBytes(initiation).kind).not.toBe('done')
}, { share: 0.05 })

fuzz('records open to what was sealed, in order, up to the first damage, and never after it', (chance) => {
  const [toServer, toClient] = [chance.bytes(32), chance.bytes(32)]
  const plain = Array.from({ length: chance.int(1, 4) }, () => chance.bytes(chance.pick([0, 1, 20, 100, 100, chance.is(0.1) ? 4078 : 3])))
  const sealer = new RecordSealer(toClient)
  const codec = new TransportCodec(toServer, toClient)
  const good = concat(...plain.map((bytes) => sealer.seal(bytes)))
  const way = chance.int(0, 3)
  const stream = way === 0 ? good : way === 1 ? codec.seal(concat(...plain)) : way === 2 ? chance.bytes(chance.int(1, 500)) : chance.damage(good)
  const opened: Uint8Array[] = []
  let failed = false
  for (const piece of chance.cut(stream)) {
    const plains = codec.open(piece)
    expect(failed && !isDecodeError(plains)).toBe(false)
    if (isDecodeError(plains)) failed = true
    else opened.push(...plains)
  }
  const got = concat(...opened)
  const all = concat(...plain)
  expect(equal(got, all.subarray(0, got.length))).toBe(true)
  if (way === 0) expect(got.length).toBe(all.length)
  // Our own records, sent back to us, must not open.
  if (way === 1 && all.length > 0) expect(failed && got.length === 0).toBe(true)
})

fuzz('an early payload is cut off in any chunking, and a lying length ends in an error', (chance) => {
  const json = chance.bytes(chance.int(0, chance.is(0.1) ? 3000 : 50))
  const header = new Uint8Array([255, 255, 255, 0x54, 0x53, 0, 0, 0, 0])
  const lies = chance.is(0.3)
  writeU32(header, 5, lies ? chance.pick([2 ** 32 - 1, 2 ** 31, 11 * 1024 * 1024]) : json.length)
  const rest = chance.bytes(chance.int(0, 100))
  const has = chance.is(0.8)
  const stream = has ? concat(header, json, rest) : rest
  const filter = new EarlyPayloadFilter()
  const passed: Uint8Array[] = []
  for (const piece of chance.cut(stream)) {
    const bytes = filter.handleBytes(piece)
    if (isDecodeError(bytes)) return expect(has && lies).toBe(true)
    passed.push(bytes)
  }
  if (!has || lies) return
  expect(equal(concat(...passed), rest)).toBe(true)
  expect(equal(filter.takePayload() ?? new Uint8Array(0), json)).toBe(true)
})
