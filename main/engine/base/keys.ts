/**
 * Keys and their text forms: prefix + 64 lower-case hex digits of 32 B.
 *
 *   mkey:  machine public     nodekey:  node public (also the WireGuard static key)     discokey:  disco public
 *   privkey:  any private, in the state file only
 *
 * Public keys are branded strings, so that one kind never passes for another. A private key is a class whose text,
 * JSON and inspection forms are redacted; `bytes()` is the only way to its value and its callers are few.
 */
import { fromHex, toHex } from './bytes.ts'
import { clampPrivateKey, x25519Public } from './crypto.ts'

declare const brand: unique symbol
export type MachinePublicKey = string & { readonly [brand]: 'machine' }
export type NodePublicKey = string & { readonly [brand]: 'node' }
export type DiscoPublicKey = string & { readonly [brand]: 'disco' }

const MACHINE = 'mkey:'
const NODE = 'nodekey:'
const DISCO = 'discokey:'
const PRIVATE = 'privkey:'

function parse(prefix: string, text: unknown): string | undefined {
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined
  return /^[0-9a-f]{64}$/.test(text.slice(prefix.length)) ? text : undefined
}

export const parseMachineKey = (text: unknown): MachinePublicKey | undefined => parse(MACHINE, text) as MachinePublicKey | undefined
export const parseNodeKey = (text: unknown): NodePublicKey | undefined => parse(NODE, text) as NodePublicKey | undefined
export const parseDiscoKey = (text: unknown): DiscoPublicKey | undefined => parse(DISCO, text) as DiscoPublicKey | undefined

/** Text key of 32 raw bytes. */
export const machineKey = (raw: Uint8Array): MachinePublicKey => (MACHINE + toHex(raw)) as MachinePublicKey
export const nodeKey = (raw: Uint8Array): NodePublicKey => (NODE + toHex(raw)) as NodePublicKey
export const discoKey = (raw: Uint8Array): DiscoPublicKey => (DISCO + toHex(raw)) as DiscoPublicKey

/** The 32 raw bytes of any text key made by the functions above. */
export function keyBytes(key: MachinePublicKey | NodePublicKey | DiscoPublicKey): Uint8Array {
  return fromHex(key.slice(key.indexOf(':') + 1))!
}

/** Whether a key is the zero key, which servers send for "none". */
export function isZeroKey(key: string): boolean {
  return /:0{64}$/.test(key)
}

/** The zero node key: RegisterRequest's OldNodeKey when there is none. */
export const ZERO_NODE_KEY = nodeKey(new Uint8Array(32))

/** "[abcde]": the first base64 characters are what stock logs show; ours shows hex, enough to tell keys apart. */
export function shortKey(key: string): string {
  const at = key.indexOf(':')
  return `${key.slice(0, at + 1)}${key.slice(at + 1, at + 9)}`
}

/** A Curve25519 private key. Never printed: text, JSON and inspection are redacted. */
export class PrivateKey {
  readonly #raw: Uint8Array
  /** Made when it is first asked for: it takes as long as all the rest. */
  #publicRaw: Uint8Array | undefined

  private constructor(raw: Uint8Array) {
    this.#raw = raw
  }

  /** From 32 random bytes, which it clamps and owns from here on. */
  static fromRandom(random32: Uint8Array): PrivateKey {
    return new PrivateKey(clampPrivateKey(random32))
  }

  /** From the state file's text; undefined when it is none. */
  static parse(text: unknown): PrivateKey | undefined {
    const ok = parse(PRIVATE, text)
    return ok === undefined ? undefined : new PrivateKey(fromHex(ok.slice(PRIVATE.length))!)
  }

  /** The 32 B secret, borrowed: callers neither keep nor change it. */
  bytes(): Uint8Array {
    return this.#raw
  }

  /** 32 B public key, borrowed. */
  publicBytes(): Uint8Array {
    return (this.#publicRaw ??= x25519Public(this.#raw))
  }

  /** For the state file and nothing else. */
  secretText(): string {
    return PRIVATE + toHex(this.#raw)
  }

  toString(): string {
    return 'privkey:redacted'
  }

  toJSON(): string {
    return 'privkey:redacted'
  }
}
