/**
 * One connection to one relay, from the connected stream on: upgrade, login, frames, until it ends.
 *
 *   upgrading → greeting (waits for ServerKey) → open (ClientInfo sent, packets flow) → ended
 *   fast start, where the relay's key is known: open at once
 *
 * Anything the relay sends that makes no sense ends the connection with a reason that is told; nothing throws.
 * Writes are collected for one turn of the loop and bounded: beyond QUEUE_BYTES packets are dropped and counted, since
 * the traffic inside has its own retransmission and a long queue only adds delay.
 * Source: tailscale derp/derp_client.go @ de9ec7e, read 2026-08.
 */
import type { Duplex } from 'node:stream'
import { concat } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import type { DecodeError } from '../base/errors.ts'
import { errorText, isDecodeError } from '../base/errors.ts'
import type { PrivateKey } from '../base/keys.ts'
import { countFrames, decodePeerGone, decodeRestarting, encodeFrame, encodeNotePreferred, FRAME, wholeFramesWithin } from '../core/derp/frame.ts'
import type { PeerGone, Restarting } from '../core/derp/frame.ts'
import { decodeServerInfo, decodeServerKey, encodeClientInfo, utf8Text } from '../core/derp/login.ts'
import { DerpStream } from '../core/derp/stream.ts'
import type { DerpSink } from '../core/derp/stream.ts'
import { readUpgradeReply, upgradeRequest } from './upgrade.ts'

/** Relays say keep-alive every 60 s; two missing ones mean a dead path (derp_client.go). */
const READ_DEADLINE_MS = 120_000
/** Upgrade and login together. */
const LOGIN_TIMEOUT_MS = 8000
/** What may wait in this process for a slow relay: about 10 ms at 400 Mb/s, 0.4 s at 10 Mb/s. */
const QUEUE_BYTES = 512 * 1024

/** Byte arrays are borrowed until return. */
export interface ConnectionFacts {
  onDisco(src: Uint8Array, packet: Uint8Array): void
  onPackets(frames: Uint8Array): void
  onSource(src: Uint8Array): void
  onPeerGone(gone: PeerGone): void
  /** The relay has let us in. */
  onOpen(): void
  onHealth(text: string): void
  onRestarting(restarting: Restarting): void
  onEnded(why: string): void
}

export interface ConnectionOptions {
  readonly host: string
  readonly idealNode: string | undefined
  readonly nodeKey: PrivateKey
  readonly isHome: boolean
  /** The relay's key, where it is known beforehand: nothing is waited for. */
  readonly relayKey?: Uint8Array | undefined
}

export class DerpConnection implements DerpSink {
  readonly #env: Env
  readonly #stream: Duplex
  readonly #options: ConnectionOptions
  readonly #facts: ConnectionFacts
  readonly #frames = new DerpStream(this)
  #phase: 'upgrading' | 'greeting' | 'open' | 'ended' = 'upgrading'
  #head: Uint8Array = new Uint8Array(0)
  #relayKey: Uint8Array | undefined
  #isHome: boolean
  #infoSeen = false
  #lastReadMs: number
  #corked = false
  #deadline: () => void
  #pending: Uint8Array[] = []
  #pongWaiter: (() => void) | undefined
  #bucket: { bytesPerSec: number; burstBytes: number; level: number; atMs: number } | undefined
  droppedPackets = 0

  constructor(env: Env, stream: Duplex, options: ConnectionOptions, facts: ConnectionFacts) {
    this.#env = env
    this.#stream = stream
    this.#options = options
    this.#facts = facts
    this.#isHome = options.isHome
    this.#lastReadMs = env.clock.nowMs()
    ;(stream as { setNoDelay?: (on: boolean) => void }).setNoDelay?.(true)
    // As plain arrays: a Buffer's slice() is no copy.
    stream.on('data', (chunk: Uint8Array) => this.#read(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)))
    stream.on('end', () => this.#end('the relay closed the connection'))
    stream.on('close', () => this.#end('the connection closed'))
    stream.on('error', (error) => this.#end(errorText(error)))
    this.#deadline = env.clock.after(LOGIN_TIMEOUT_MS, () => this.#end('the relay did not answer the login in time'))
    const clientInfo = options.relayKey && this.#clientInfo(options.relayKey)
    const isFast = clientInfo !== undefined && !isDecodeError(clientInfo)
    this.#write(upgradeRequest(options.host, options.idealNode, isFast))
    if (isFast) this.#introduce(options.relayKey!, clientInfo)
  }

  /** Our end's address, where it is known: not behind a proxy that is a program's own. */
  get localIp(): string | undefined {
    return (this.#stream as { localAddress?: string }).localAddress
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  /** The relay has let us in, now or before it ended. */
  get hasLoggedIn(): boolean {
    return this.#infoSeen
  }

  /** When anything came from the relay last, monotonic. */
  get heardAtMs(): number {
    return this.#lastReadMs
  }

  /** Writes SendPacket frames, owned from here on; what does not fit is dropped whole frames at a time. */
  sendFrames(frames: Uint8Array): void {
    if (this.#phase === 'ended') return
    const room = Math.min(QUEUE_BYTES - this.#queuedBytes(), this.#allowance(frames.length))
    const fits = frames.length <= room ? frames.length : wholeFramesWithin(frames, room)
    if (fits < frames.length) this.droppedPackets += countFrames(frames.subarray(fits))
    if (fits === 0) return
    if (this.#bucket) this.#bucket.level -= fits
    const part = fits === frames.length ? frames : frames.subarray(0, fits)
    if (this.#phase === 'open') this.#write(part)
    else this.#pending.push(part)
  }

  setHome(isHome: boolean): void {
    if (isHome === this.#isHome) return
    this.#isHome = isHome
    if (this.#phase === 'open') this.#write(encodeNotePreferred(isHome))
  }

  /** Ends the connection when the relay does not answer a ping in time. */
  check(timeoutMs: number, why: string): void {
    if (this.#phase !== 'open' || this.#pongWaiter) return
    const cancel = this.#env.clock.after(timeoutMs, () => {
      this.#pongWaiter = undefined
      this.#end(`no answer from the relay after ${why}`)
    })
    this.#pongWaiter = () => {
      this.#pongWaiter = undefined
      cancel()
    }
    this.#write(encodeFrame(FRAME.ping, this.#env.random.bytes(8)))
  }

  /** Ends it from our side; `onEnded` tells the same reason. */
  close(why: string): void {
    this.#end(why)
  }

  /** The next packet's sender is told again. */
  forgetSource(): void {
    this.#frames.forgetSource()
  }

  onPackets(frames: Uint8Array): void {
    if (this.#phase === 'open') this.#facts.onPackets(frames)
    else this.#end('the relay did not introduce itself')
  }

  onDisco(src: Uint8Array, packet: Uint8Array): void {
    if (this.#phase === 'open') this.#facts.onDisco(src, packet)
    else this.#end('the relay did not introduce itself')
  }

  onSource(src: Uint8Array): void {
    if (this.#phase === 'open') this.#facts.onSource(src)
  }

  onFrame(type: number, body: Uint8Array): void {
    if (this.#phase === 'greeting') {
      this.#greet(type, body)
      return
    }
    if (this.#phase !== 'open') return
    switch (type) {
      case FRAME.serverInfo:
        this.#welcome(body)
        return
      case FRAME.ping:
        // Who asks without reading the answers gets no more of them.
        if (body.length >= 8 && this.#queuedBytes() < QUEUE_BYTES) this.#write(encodeFrame(FRAME.pong, body.slice(0, 8)))
        return
      case FRAME.pong:
        this.#pongWaiter?.()
        return
      case FRAME.peerGone: {
        const gone = decodePeerGone(body)
        if (isDecodeError(gone)) this.#end('the relay sent a short peer-gone frame')
        else this.#facts.onPeerGone(gone)
        return
      }
      case FRAME.health:
        this.#facts.onHealth(utf8Text(body.subarray(0, 1024)))
        return
      case FRAME.restarting: {
        const restarting = decodeRestarting(body)
        if (!isDecodeError(restarting)) this.#facts.onRestarting(restarting)
        return
      }
    }
  }

  #read(chunk: Uint8Array): void {
    if (this.#phase === 'ended') return
    this.#lastReadMs = this.#env.clock.nowMs()
    if (this.#phase === 'upgrading') {
      this.#readHead(chunk)
      return
    }
    const fault = this.#frames.push(chunk)
    if (fault) this.#end(`the relay sent a bad frame: ${fault.reason}${fault.detail === undefined ? '' : ` ${fault.detail}`}`)
  }

  #readHead(chunk: Uint8Array): void {
    this.#head = concat(this.#head, chunk)
    const reply = readUpgradeReply(this.#head)
    if (isDecodeError(reply)) {
      this.#end('the relay did not answer as HTTP')
      return
    }
    switch (reply.kind) {
      case 'more':
        return
      case 'refused':
        this.#end(`the relay refused the upgrade with HTTP status ${reply.status}`)
        return
      case 'upgraded':
        this.#phase = 'greeting'
        this.#head = new Uint8Array(0)
        if (reply.rest.length > 0) this.#read(reply.rest)
    }
  }

  #greet(type: number, body: Uint8Array): void {
    const relayKey = type === FRAME.serverKey ? decodeServerKey(body) : undefined
    if (relayKey === undefined || isDecodeError(relayKey)) {
      this.#end('the relay did not introduce itself')
      return
    }
    const clientInfo = this.#clientInfo(relayKey)
    if (isDecodeError(clientInfo)) this.#end('the relay has an unusable key')
    else this.#introduce(relayKey, clientInfo)
  }

  #clientInfo(relayKey: Uint8Array): Uint8Array | DecodeError {
    return encodeClientInfo(this.#options.nodeKey, relayKey, this.#env.random.bytes(24))
  }

  /** From here on packets flow; the relay's own words may come later. */
  #introduce(relayKey: Uint8Array, clientInfo: Uint8Array): void {
    this.#relayKey = relayKey
    this.#phase = 'open'
    this.#write(clientInfo)
    if (this.#isHome) this.#write(encodeNotePreferred(true))
    for (const frames of this.#pending) this.#write(frames)
    this.#pending = []
  }

  #welcome(body: Uint8Array): void {
    if (this.#infoSeen || !this.#relayKey) return
    const info = decodeServerInfo(this.#options.nodeKey, this.#relayKey, body)
    if (isDecodeError(info)) {
      this.#end('the relay sent an unreadable introduction')
      return
    }
    this.#infoSeen = true
    if (info.bytesPerSec !== undefined) {
      const burstBytes = info.burstBytes ?? info.bytesPerSec
      this.#bucket = { bytesPerSec: info.bytesPerSec, burstBytes, level: burstBytes, atMs: this.#env.clock.nowMs() }
    }
    this.#deadline()
    this.#watch()
    this.#facts.onOpen()
  }

  #watch(): void {
    const quietMs = this.#env.clock.nowMs() - this.#lastReadMs
    if (quietMs >= READ_DEADLINE_MS) {
      this.#end('nothing heard from the relay for 120 s')
      return
    }
    this.#deadline = this.#env.clock.after(READ_DEADLINE_MS - quietMs, () => this.#watch())
  }

  #queuedBytes(): number {
    let queued = this.#stream.writableLength
    for (const frames of this.#pending) queued += frames.length
    return queued
  }

  /** How many bytes the relay's own rate rule lets us send. */
  #allowance(wanted: number): number {
    const bucket = this.#bucket
    if (!bucket) return wanted
    const nowMs = this.#env.clock.nowMs()
    bucket.level = Math.min(bucket.burstBytes, bucket.level + ((nowMs - bucket.atMs) / 1000) * bucket.bytesPerSec)
    bucket.atMs = nowMs
    return bucket.level
  }

  /** Collects the writes of one turn, so that they leave in one system call. */
  #write(bytes: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#stream.uncork()
      })
    }
    this.#stream.write(bytes)
  }

  #end(why: string): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#deadline()
    this.#pongWaiter?.()
    this.#pending = []
    this.#stream.destroy()
    this.#facts.onEnded(why)
  }
}
