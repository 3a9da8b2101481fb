/**
 * The server's side of ts2021: Noise_IK_25519_ChaChaPoly_BLAKE2s and its records, for simulated control servers.
 *
 *   initiation 101 B   version u16 | 0x01 | length u16 = 96 | e 32 | sealed static 48 | tag 16
 *   response    51 B   0x02 | length u16 = 48 | e 32 | tag 16
 *   record             0x04 | length u16 of the ciphertext | ciphertext, whole record ≤ 4096 B
 *   nonce              4 zero bytes | counter u64 big-endian, one counter a direction
 *
 * Written on base/crypto alone, apart from the engine's own Noise, so that each checks the other.
 * Source: tailscale control/controlbase; the Noise Protocol Framework, revision 34, pattern IK.
 */
import { ascii, concat, readU16, writeU16 } from '../../main/engine/base/bytes.ts'
import { aeadOpen, aeadSeal, hashBlake2s, hkdf2Blake2s, x25519Public, x25519Shared } from '../../main/engine/base/crypto.ts'
import { decodeError, isDecodeError } from '../../main/engine/base/errors.ts'
import type { DecodeError } from '../../main/engine/base/errors.ts'
import { machineKey } from '../../main/engine/base/keys.ts'
import type { MachinePublicKey, PrivateKey } from '../../main/engine/base/keys.ts'

export const INITIATION_BYTES = 101
const MAX_PLAIN_BYTES = 4077
const MAX_CIPHERTEXT_BYTES = 4093
const NO_BYTES = new Uint8Array(0)
const ZERO_NONCE = new Uint8Array(12)

/** What a good initiation yields. */
export interface Responded {
  readonly kind: 'responded'
  /** The capability version that the client claims. */
  readonly version: number
  readonly machineKey: MachinePublicKey
  /** 51 B to send before any record. */
  readonly response: Uint8Array
  readonly seal: RecordSealer
  readonly open: RecordOpener
}

/** The claimed version of an initiation, readable before anything is proven. */
export function initiationVersion(initiation: Uint8Array): number {
  return initiation.length < 2 ? 0 : readU16(initiation, 0)
}

/** Answers an initiation with the server's key and a fresh ephemeral of 32 random bytes. */
export function respond(server: PrivateKey, initiation: Uint8Array, ephemeral32: Uint8Array): Responded | DecodeError {
  if (initiation.length !== INITIATION_BYTES) return decodeError('bad-length', 'initiation')
  if (initiation[2] !== 1 || readU16(initiation, 3) !== 96) return decodeError('bad-type', 'initiation header')
  const version = readU16(initiation, 0)
  const state = new Symmetric(`Tailscale Control Protocol v${version}`, server.publicBytes())

  const clientEphemeral = initiation.subarray(5, 37)
  state.mixHash(clientEphemeral)
  if (!state.mixDh(server.bytes(), clientEphemeral)) return decodeError('bad-value', 'es')
  const clientStatic = state.open(initiation.subarray(37, 85))
  if (isDecodeError(clientStatic)) return clientStatic
  if (!state.mixDh(server.bytes(), clientStatic)) return decodeError('bad-value', 'ss')
  const empty = state.open(initiation.subarray(85, 101))
  if (isDecodeError(empty)) return empty

  const ephemeralPublic = x25519Public(ephemeral32)
  state.mixHash(ephemeralPublic)
  if (!state.mixDh(ephemeral32, clientEphemeral)) return decodeError('bad-value', 'ee')
  if (!state.mixDh(ephemeral32, clientStatic)) return decodeError('bad-value', 'se')
  const response = concat(new Uint8Array([2, 0, 48]), ephemeralPublic, state.seal(NO_BYTES))
  const [toServer, toClient] = hkdf2Blake2s(state.chainingKey, NO_BYTES)
  return {
    kind: 'responded',
    version,
    machineKey: machineKey(clientStatic),
    response,
    seal: new RecordSealer(toClient),
    open: new RecordOpener(toServer),
  }
}

/** An unauthenticated refusal, sent in place of the response. */
export function errorFrame(text: string): Uint8Array {
  const body = new TextEncoder().encode(text)
  const head = new Uint8Array([3, 0, 0])
  writeU16(head, 1, body.length)
  return concat(head, body)
}

class Symmetric {
  chainingKey: Uint8Array
  #hash: Uint8Array
  #key: Uint8Array = NO_BYTES

  constructor(prologue: string, serverStatic: Uint8Array) {
    this.#hash = hashBlake2s(ascii('Noise_IK_25519_ChaChaPoly_BLAKE2s'))
    this.chainingKey = this.#hash
    this.mixHash(ascii(prologue))
    this.mixHash(serverStatic)
  }

  mixHash(bytes: Uint8Array): void {
    this.#hash = hashBlake2s(this.#hash, bytes)
  }

  mixDh(privateRaw: Uint8Array, publicRaw: Uint8Array): boolean {
    const shared = x25519Shared(privateRaw, publicRaw)
    if (!shared) return false
    const [chainingKey, key] = hkdf2Blake2s(this.chainingKey, shared)
    this.chainingKey = chainingKey
    this.#key = key
    return true
  }

  open(sealed: Uint8Array): Uint8Array | DecodeError {
    const plain = aeadOpen(this.#key, ZERO_NONCE, sealed, this.#hash)
    if (!plain) return decodeError('bad-seal', 'handshake')
    this.mixHash(sealed)
    return plain
  }

  seal(plain: Uint8Array): Uint8Array {
    const sealed = aeadSeal(this.#key, ZERO_NONCE, plain, this.#hash)
    this.mixHash(sealed)
    return sealed
  }
}

/** Turns bytes for the client into records. */
export class RecordSealer {
  readonly #key: Uint8Array
  #counter = 0n

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** All records for these bytes, joined; an empty input gives one record with no bytes in it. */
  seal(plain: Uint8Array): Uint8Array {
    const records: Uint8Array[] = []
    for (let at = 0; at === 0 || at < plain.length; at += MAX_PLAIN_BYTES) {
      const sealed = aeadSeal(this.#key, nonceOf(this.#counter++), plain.subarray(at, at + MAX_PLAIN_BYTES), NO_BYTES)
      const head = new Uint8Array([4, 0, 0])
      writeU16(head, 1, sealed.length)
      records.push(head, sealed)
    }
    return concat(...records)
  }
}

/** Turns the client's byte stream back into plain bytes. */
export class RecordOpener {
  readonly #key: Uint8Array
  #counter = 0n
  #rest: Uint8Array = NO_BYTES

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** The plain bytes of every record that is whole by now; a failure ends the connection. */
  open(chunk: Uint8Array): Uint8Array | DecodeError {
    let bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk)
    const plains: Uint8Array[] = []
    while (bytes.length >= 3) {
      const length = readU16(bytes, 1)
      if (bytes[0] !== 4) return decodeError('bad-type', 'record')
      if (length < 16 || length > MAX_CIPHERTEXT_BYTES) return decodeError('bad-length', 'record')
      if (bytes.length < 3 + length) break
      const plain = aeadOpen(this.#key, nonceOf(this.#counter++), bytes.subarray(3, 3 + length), NO_BYTES)
      if (!plain) return decodeError('bad-seal', 'record')
      plains.push(plain)
      bytes = bytes.subarray(3 + length)
    }
    this.#rest = bytes.slice()
    return concat(...plains)
  }
}

function nonceOf(counter: bigint): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, counter, false)
  return nonce
}
