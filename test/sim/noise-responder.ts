/**
 * The server's side of the control handshake, for the simulated control server and for tests: written from the Noise
 * specification on the same SymmetricState as the client's side.
 *
 *   const responder = new NoiseResponder({ serverKey: private32, random32: fresh32 })
 *   const answer = responder.handleInitiation(Buffer.from(request.headers['x-tailscale-handshake'], 'base64'))
 *   isDecodeError(answer) → close; else write answer.response (51 B), then answer.codec.seal(…) / answer.codec.open(…)
 *
 * One responder an initiation. `answer.machineKey` is the client's static public key, `answer.version` what it claims.
 * `earlyPayload()` gives the bytes to seal and send first when the server wants to; `errorFrame()` is the refusal that
 * may stand in the response's place.
 */
import { ascii, concat, readU16, toHex, writeU16, writeU32 } from '../../main/engine/base/bytes.ts'
import { clampPrivateKey, x25519Public } from '../../main/engine/base/crypto.ts'
import { decodeError, type DecodeError } from '../../main/engine/base/errors.ts'
import { machineKey, type MachinePublicKey } from '../../main/engine/base/keys.ts'
import { INITIATION_BYTES, PROTOCOL_NAME, prologue } from '../../main/engine/core/noise/initiator.ts'
import { SymmetricState } from '../../main/engine/core/noise/symmetric-state.ts'
import { TransportCodec } from '../../main/engine/core/noise/transport.ts'

export interface Accepted {
  /** 51 B, to be sent right after the 101 answer's head. */
  readonly response: Uint8Array
  readonly version: number
  readonly machineKey: MachinePublicKey
  readonly codec: TransportCodec
}

export class NoiseResponder {
  readonly #serverKey: Uint8Array
  readonly #ephemeral: Uint8Array

  constructor(options: { serverKey: Uint8Array; random32: Uint8Array }) {
    this.#serverKey = options.serverKey
    this.#ephemeral = clampPrivateKey(options.random32)
  }

  handleInitiation(bytes: Uint8Array): Accepted | DecodeError {
    if (bytes.length !== INITIATION_BYTES) return decodeError('bad-length')
    if (bytes[2] !== 1 || readU16(bytes, 3) !== 96) return decodeError('bad-type')
    const version = readU16(bytes, 0)
    const clientEphemeral = bytes.slice(5, 37)
    const state = new SymmetricState(PROTOCOL_NAME)
    state.mixHash(prologue(version))
    state.mixHash(x25519Public(this.#serverKey))
    state.mixHash(clientEphemeral)
    if (!state.mixDh(this.#serverKey, clientEphemeral)) return decodeError('bad-seal')
    const clientStatic = state.decryptAndHash(bytes.subarray(37, 85))
    if (!clientStatic || !state.mixDh(this.#serverKey, clientStatic)) return decodeError('bad-seal')
    if (!state.decryptAndHash(bytes.subarray(85))) return decodeError('bad-seal')

    const ephemeralPublic = x25519Public(this.#ephemeral)
    state.mixHash(ephemeralPublic)
    if (!state.mixDh(this.#ephemeral, clientEphemeral) || !state.mixDh(this.#ephemeral, clientStatic)) return decodeError('bad-seal')
    const tag = state.encryptAndHash(new Uint8Array(0))
    const [receiveKey, sendKey] = state.split()
    const response = concat(header(2, 48), ephemeralPublic, tag)
    return { response, version, machineKey: machineKey(clientStatic), codec: new TransportCodec(sendKey, receiveKey) }
  }
}

/** Plain bytes of an early payload, to be sealed as the first thing the server says. */
export function earlyPayload(challenge: Uint8Array): Uint8Array {
  const json = ascii(JSON.stringify({ nodeKeyChallenge: `chalpub:${toHex(challenge)}` }))
  const head = new Uint8Array(9)
  head.set([0xff, 0xff, 0xff, 0x54, 0x53])
  writeU32(head, 5, json.length)
  return concat(head, json)
}

/** An unauthenticated refusal in the place of the response. */
export function errorFrame(text: string): Uint8Array {
  return concat(header(3, text.length), ascii(text))
}

function header(type: number, length: number): Uint8Array {
  const out = new Uint8Array(3)
  out[0] = type
  writeU16(out, 1, length)
  return out
}
