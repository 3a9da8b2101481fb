/**
 * Our disco identity and what is said under it: seals what goes out, opens what comes in from peers of the map, and
 * counts everything that it drops. The private key belongs to the profile in use.
 */
import { toHex } from '../base/bytes.ts'
import type { Random } from '../base/env.ts'
import { isDecodeError } from '../base/errors.ts'
import type { DiscoPublicKey } from '../base/keys.ts'
import { discoKey, type PrivateKey } from '../base/keys.ts'
import { DiscoKeys, discoSender, looksLikeDisco } from '../core/disco/envelope.ts'
import type { DiscoMessage, DiscoPing } from '../core/disco/message.ts'
import { decodeDisco, encodeDisco } from '../core/disco/message.ts'
import type { PeerEntry, PeerTable } from './peer-table.ts'
import { notePingOnce } from './peer-table.ts'

export class DiscoChannel {
  #publicKey: DiscoPublicKey
  readonly #random: Random
  readonly #peers: PeerTable
  /** Relays that we are shaking hands with: their keys are in no map. */
  readonly #isRelay: (key: DiscoPublicKey) => boolean
  #keys: DiscoKeys
  readonly counters = {
    datagramsUnknown: 0,
    discoNoKey: 0,
    discoUnknownSender: 0,
    discoBadSeal: 0,
    discoUndecodable: 0,
    discoRepeatedPing: 0,
    discoUnexpectedPong: 0,
    discoRefused: 0,
    discoPongWithheld: 0,
    discoSwitchedOff: 0,
    stunUnexpected: 0,
    discoSent: 0,
    discoReceived: 0,
  }

  constructor(random: Random, peers: PeerTable, own: PrivateKey, isRelay: (key: DiscoPublicKey) => boolean = () => false) {
    this.#publicKey = discoKey(own.publicBytes())
    this.#random = random
    this.#peers = peers
    this.#isRelay = isRelay
    this.#keys = new DiscoKeys(own)
  }

  get publicKey(): DiscoPublicKey {
    return this.#publicKey
  }

  /** Answers whether it is another key than before. */
  setOwn(own: PrivateKey): boolean {
    const publicKey = discoKey(own.publicBytes())
    if (publicKey === this.#publicKey) return false
    this.#publicKey = publicKey
    this.#keys = new DiscoKeys(own)
    return true
  }

  /** A message from any peer of the map or a relay in a handshake; undefined when it is something else. */
  open(bytes: Uint8Array): { sender: DiscoPublicKey; message: DiscoMessage } | undefined {
    if (!looksLikeDisco(bytes)) {
      this.counters.datagramsUnknown++
      return undefined
    }
    const sender = discoKey(discoSender(bytes))
    if (this.#peers.withDisco(sender).length === 0 && !this.#isRelay(sender)) {
      this.counters.discoUnknownSender++
      return undefined
    }
    const plain = this.#keys.open(sender, bytes)
    if (isDecodeError(plain)) {
      this.counters.discoBadSeal++
      return undefined
    }
    const message = decodeDisco(plain)
    if (isDecodeError(message)) {
      this.counters.discoUndecodable++
      return undefined
    }
    this.counters.discoReceived++
    return { sender, message }
  }

  /** A whole datagram, owned by the caller; undefined when the peer's key is unusable. */
  seal(to: DiscoPublicKey, message: DiscoMessage): Uint8Array | undefined {
    this.counters.discoSent++
    return this.#keys.seal(to, this.#random.bytes(24), encodeDisco(message))
  }

  /** Whether a ping was seen before, from wherever: a repetition or a replay. */
  isRepeated(entry: PeerEntry, ping: DiscoPing): boolean {
    if (notePingOnce(entry, toHex(ping.txId))) return false
    this.counters.discoRepeatedPing++
    return true
  }

  /** Forgets the keys of peers that left the map, and of relays that we are done with. */
  retainKnown(): void {
    this.#keys.retain((key) => this.#peers.withDisco(key).length > 0 || this.#isRelay(key))
  }
}
