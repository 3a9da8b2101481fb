/**
 * The client's side of the control handshake: Noise_IK_25519_ChaChaPoly_BLAKE2s, the server's static key known before.
 *
 *   initiation 101 B   version u16 | 0x01 | length u16 = 96 | ephemeral 32 | sealed machine key 48 | tag 16
 *   response    51 B   0x02 | length u16 = 48 | ephemeral 32 | tag 16
 *   error              0x03 | length u16 | UTF-8 text, not authenticated; may stand in the response's place
 *   prologue           "Tailscale Control Protocol v" + decimal version
 *
 * Big-endian. The response may come in any number of pieces; what follows it is handed back untouched.
 * Source: tailscale control/controlbase/{handshake,messages}.go, read 2026-11.
 */
import { ascii, concat, readU16, writeU16 } from '../../base/bytes.ts'
import { clampPrivateKey, x25519Public } from '../../base/crypto.ts'
import { SymmetricState, TAG_BYTES } from './symmetric-state.ts'

export const PROTOCOL_NAME = ascii('Noise_IK_25519_ChaChaPoly_BLAKE2s')
export const MESSAGE_INITIATION = 1
export const MESSAGE_RESPONSE = 2
export const MESSAGE_ERROR = 3
export const MESSAGE_RECORD = 4
export const INITIATION_BYTES = 101
export const RESPONSE_BYTES = 51
const HEADER_BYTES = 3
/** An error frame longer than this is not worth waiting for. */
const MAX_ERROR_TEXT_BYTES = 4096

/** The prologue that both sides mix in: it binds the handshake to the capability version. */
export function prologue(version: number): Uint8Array {
  return ascii(`Tailscale Control Protocol v${version}`)
}

export type HandshakeResult =
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly sendKey: Uint8Array; readonly receiveKey: Uint8Array; readonly rest: Uint8Array }
  /** `text` comes from whoever is on the line: show it as untrusted. */
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: 'bad-type' | 'bad-length' | 'bad-seal' }

export class Initiator {
  readonly #state = new SymmetricState(PROTOCOL_NAME)
  readonly #machineKey: Uint8Array
  readonly #ephemeral: Uint8Array
  readonly #initiation: Uint8Array | undefined
  #buffer: Uint8Array = new Uint8Array(0)

  /** `machineKey` is the 32 B private key (borrowed), `random32` fresh random bytes (owned from here on). */
  constructor(options: { version: number; machineKey: Uint8Array; serverKey: Uint8Array; random32: Uint8Array }) {
    this.#machineKey = options.machineKey
    this.#ephemeral = clampPrivateKey(options.random32)
    this.#initiation = this.#begin(options.version, options.serverKey)
  }

  /** The 101 B initiation, owned by the caller; undefined when the server's key is a low-order point. */
  initiation(): Uint8Array | undefined {
    return this.#initiation?.slice()
  }

  /** Takes the next bytes of the stream after the upgrade. After anything but `more` it must not be called again. */
  handleBytes(chunk: Uint8Array): HandshakeResult {
    this.#buffer = concat(this.#buffer, chunk)
    if (this.#buffer.length < HEADER_BYTES) return { kind: 'more' }
    const type = this.#buffer[0]!
    const length = readU16(this.#buffer, 1)
    if (type === MESSAGE_ERROR) return this.#refusal(length)
    if (type !== MESSAGE_RESPONSE) return { kind: 'failed', reason: 'bad-type' }
    if (length !== RESPONSE_BYTES - HEADER_BYTES) return { kind: 'failed', reason: 'bad-length' }
    if (this.#buffer.length < RESPONSE_BYTES) return { kind: 'more' }
    return this.#finish()
  }

  #begin(version: number, serverKey: Uint8Array): Uint8Array | undefined {
    const state = this.#state
    state.mixHash(prologue(version))
    state.mixHash(serverKey)
    const ephemeralPublic = x25519Public(this.#ephemeral)
    state.mixHash(ephemeralPublic)
    if (!state.mixDh(this.#ephemeral, serverKey)) return undefined
    const sealedStatic = state.encryptAndHash(x25519Public(this.#machineKey))
    if (!state.mixDh(this.#machineKey, serverKey)) return undefined
    const tag = state.encryptAndHash(new Uint8Array(0))
    const header = new Uint8Array(5)
    writeU16(header, 0, version)
    header[2] = MESSAGE_INITIATION
    writeU16(header, 3, ephemeralPublic.length + sealedStatic.length + tag.length)
    return concat(header, ephemeralPublic, sealedStatic, tag)
  }

  #finish(): HandshakeResult {
    const state = this.#state
    const serverEphemeral = this.#buffer.slice(HEADER_BYTES, HEADER_BYTES + 32)
    state.mixHash(serverEphemeral)
    const mixed = state.mixDh(this.#ephemeral, serverEphemeral) && state.mixDh(this.#machineKey, serverEphemeral)
    const tag = this.#buffer.subarray(RESPONSE_BYTES - TAG_BYTES, RESPONSE_BYTES)
    if (!mixed || !state.decryptAndHash(tag)) return { kind: 'failed', reason: 'bad-seal' }
    const [sendKey, receiveKey] = state.split()
    return { kind: 'done', sendKey, receiveKey, rest: this.#buffer.slice(RESPONSE_BYTES) }
  }

  #refusal(length: number): HandshakeResult {
    if (length > MAX_ERROR_TEXT_BYTES) return { kind: 'failed', reason: 'bad-length' }
    if (this.#buffer.length < HEADER_BYTES + length) return { kind: 'more' }
    return { kind: 'refused', text: printable(this.#buffer.subarray(HEADER_BYTES, HEADER_BYTES + length)) }
  }
}

/** Printable ASCII of hostile bytes; the rest becomes "?". */
function printable(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'
  return text
}
