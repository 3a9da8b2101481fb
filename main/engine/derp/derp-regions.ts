/**
 * All relay regions: at most one connection each, one home, routes to peers learnt from what comes in.
 *
 * A packet for a peer whose home is region R goes: over R's connection if there is one; else over a connection on which
 * the peer was heard last; else a connection to R is opened. Identity at a relay is the node key: when it changes,
 * every connection is made anew, and those before are kept for some seconds beside the new ones: peers who do not know the
 * new key yet write to the old one and believe only that.
 * Source: tailscale wgengine/magicsock/derp.go @ de9ec7e, read 2026-08.
 */
import type { Env } from '../base/env.ts'
import { equal, readU16, readU32 } from '../base/bytes.ts'
import type { NodePublicKey, PrivateKey } from '../base/keys.ts'
import { keyBytes, nodeKey } from '../base/keys.ts'
import { encodeSendPacket, FRAME_HEADER_BYTES, PACKET_OVERHEAD_BYTES } from '../core/derp/frame.ts'
import type { DerpMap, DerpNode, DerpRegion } from '../core/tailcfg/types.ts'
import type { Latency } from './latency-check.ts'
import { measureLatency } from './latency-check.ts'
import type { DerpFacts, Dial } from './ports.ts'
import { RegionLink } from './region-link.ts'

/** Peers whose region is remembered; beyond it the longest known is forgotten. */
const MAX_ROUTES = 20_000
const CHECK_TIMEOUT_MS = 3000
/** How long connections under the key before are kept: longer than a control server takes to tell a new key to the peers. */
const KEY_GRACE_MS = 5000

/** How many lost peers the journal takes at once, and one more after which time. */
const GONE_TOLD_BURST = 50
const GONE_TOLD_EVERY_MS = 1000

/** Whether a node is dialled without TLS. */
export type PlainHttpRule = boolean | ((node: DerpNode) => boolean)

export class DerpRegions {
  readonly #env: Env
  readonly #dial: Dial
  readonly #carriesFrom: (localIp: string) => boolean
  #facts: DerpFacts | undefined
  #map: DerpMap = { Regions: {} }
  #plainHttp: PlainHttpRule = false
  #nodeKey: PrivateKey | undefined
  #home = 0
  #prefersIpv6 = false
  readonly #links = new Map<number, RegionLink>()
  /** Connections under the key before. */
  readonly #before = new Map<number, RegionLink>()
  #cancelGrace: () => void = () => {}
  readonly #routes = new Map<NodePublicKey, number>()
  /** First 6 B of a sender's key → region, to tell known senders without making text of every key. */
  readonly #seen = new Map<number, number>()
  readonly #health = new Map<number, string>()
  #goneTold = { credit: GONE_TOLD_BURST, atMs: 0 }
  readonly #counters = { peersGoneUntold: 0, badSends: 0, unknownRegion: 0, droppedPackets: 0, lostConnections: 0 }

  /** `carriesFrom`: whether a connection from a local address can go on, by what is known of this machine's network. */
  constructor(deps: { env: Env; dial: Dial; carriesFrom?: (localIp: string) => boolean }) {
    this.#env = { ...deps.env, log: deps.env.log.part('derp') }
    this.#dial = deps.dial
    this.#carriesFrom = deps.carriesFrom ?? (() => true)
  }

  start(facts: DerpFacts): void {
    this.#facts = facts
  }

  /** The whole map; regions whose definition changed are connected anew. */
  setMap(map: DerpMap): void {
    this.#map = map
    for (const [id, link] of this.#links) {
      const region = map.Regions[String(id)]
      if (region && JSON.stringify(region) === JSON.stringify(link.options.region)) continue
      this.#drop(id, region ? 'the map describes the region anew' : 'the region left the map')
    }
    this.#connectHome()
  }

  /** True: no TLS anywhere. A function decides by node. */
  setPlainHttp(rule: PlainHttpRule): void {
    if (rule === this.#plainHttp) return
    this.#plainHttp = rule
    this.#dropAll('plain HTTP was switched')
  }

  setPrivateKey(key: PrivateKey | undefined): void {
    if (key && this.#nodeKey ? equal(key.publicBytes(), this.#nodeKey.publicBytes()) : key === this.#nodeKey) return
    const replaced = key !== undefined && this.#nodeKey !== undefined
    this.#nodeKey = key
    if (replaced) this.#replaceAll()
    else this.#dropAll('there is no node key')
  }

  /** 0 = none. The home region's connection is kept open; every relay is told whether it is home. */
  setHome(region: number): void {
    if (region === this.#home) return
    this.#env.journal.add({ part: 'derp', kind: 'home', why: `region ${this.#home} → ${region}`, region })
    this.#home = region
    for (const [id, link] of this.#links) if (id !== region) link.setHome(false)
    this.#connectHome()
  }

  /** Whether IPv6 was seen to work: relays are then dialled by it first. */
  setPrefersIpv6(prefers: boolean): void {
    this.#prefersIpv6 = prefers
  }

  /** Sends one packet (disco), at most 64 KiB. */
  send(region: number, to: NodePublicKey, packet: Uint8Array): void {
    this.sendFrames(region, encodeSendPacket(keyBytes(to), packet))
  }

  /** Sends whole SendPacket frames, owned from here on. */
  sendFrames(region: number, frames: Uint8Array): void {
    if (frames.length < PACKET_OVERHEAD_BYTES) {
      this.#counters.badSends++
      return
    }
    const before = this.#before.get(region)
    // Whichever name the peer knows us by: it drops what comes under the other one.
    if (before?.isConnected) before.send(frames)
    const link = this.#links.get(region)
    if (link?.isConnected) {
      link.send(frames)
      return
    }
    for (let at = 0; at + PACKET_OVERHEAD_BYTES <= frames.length; ) {
      const end = at + FRAME_HEADER_BYTES + readU32(frames, at + 1)
      this.#sendDetour(region, frames.subarray(at, end), nodeKey(frames.subarray(at + FRAME_HEADER_BYTES, at + PACKET_OVERHEAD_BYTES)))
      at = end
    }
  }

  /** Region where the peer was heard last, over a connection that still stands. */
  routeOf(peer: NodePublicKey): number | undefined {
    return this.#routes.get(peer)
  }

  /** Regions in use → state and reason for a person. */
  states(): ReadonlyMap<number, string> {
    return new Map([...this.#links].map(([id, link]) => [id, link.text]))
  }

  /** What relays say is wrong with our connection, by region. */
  health(): ReadonlyMap<number, string> {
    return this.#health
  }

  isConnected(region: number): boolean {
    return this.#links.get(region)?.isConnected === true
  }

  /** When a frame came from a relay of the region last, monotonic; undefined: never since its connection was wanted. */
  heardAtMs(region: number): number | undefined {
    return this.#links.get(region)?.heardAtMs
  }

  /** Round trip of an HTTPS exchange with the first relay of the region that can be reached, after TLS. Rejects. */
  latencyOf(region: DerpRegion, timeoutMs: number): Promise<Latency> {
    const rule = this.#plainHttp
    return measureLatency({ env: this.#env, dial: this.#dial }, region, typeof rule === 'function' ? rule : () => rule, timeoutMs)
  }

  counters(): Record<string, number> {
    let droppedPackets = this.#counters.droppedPackets
    for (const link of this.#links.values()) droppedPackets += link.droppedPackets
    return { ...this.#counters, droppedPackets }
  }

  /** After a change of networks: every connection has to prove that it lives, waiting ones are tried at once. */
  handleNetworkChange(why: string): void {
    for (const link of this.#links.values()) link.check(CHECK_TIMEOUT_MS, why, this.#carriesFrom)
  }

  stop(): void {
    this.#nodeKey = undefined
    this.#dropAll('stopped')
  }

  #sendDetour(region: number, frame: Uint8Array, to: NodePublicKey): void {
    const heardAt = this.#routes.get(to)
    const other = heardAt === undefined ? undefined : this.#links.get(heardAt)
    const link = other?.isConnected ? other : this.#link(region)
    if (link) link.send(frame)
    else this.#counters.unknownRegion++
  }

  #connectHome(): void {
    if (this.#home !== 0) this.#link(this.#home)?.setHome(true)
  }

  #link(id: number): RegionLink | undefined {
    const known = this.#links.get(id)
    if (known) return known
    const region = this.#map.Regions[String(id)]
    if (!region || !this.#nodeKey) return undefined
    const link = this.#make(id, region, this.#nodeKey)
    this.#links.set(id, link)
    return link
  }

  #make(id: number, region: DerpRegion, key: PrivateKey): RegionLink {
    const rule = this.#plainHttp
    const isPlainHttp = typeof rule === 'function' ? rule : () => rule
    const link = new RegionLink(this.#env, this.#dial, { region, nodeKey: key, isPlainHttp, prefersIpv6: () => this.#prefersIpv6 }, {
      onDisco: (src, packet) => this.#facts?.onDisco(id, nodeKey(src), packet),
      onPackets: (frames) => this.#facts?.onFrames(id, frames),
      onSource: (src) => this.#learn(id, src),
      onPeerGone: ({ key: raw, reason }) => {
        if (this.#links.get(id) !== link) return
        const peer = nodeKey(raw)
        if (this.#routes.get(peer) === id) this.#forget(peer, raw)
        if (this.#mayTellGone()) this.#env.journal.add({ part: 'derp', kind: 'peer-gone', why: reason === 0 ? 'it left the relay' : 'it is not at the relay', region: id, peer })
        else this.#counters.peersGoneUntold++
        this.#facts?.onPeerGone(id, peer, reason)
      },
      onHealth: (text) => {
        if ((this.#health.get(id) ?? '') === text) return
        if (text === '') this.#health.delete(id)
        else this.#health.set(id, text)
        this.#env.journal.add({ part: 'derp', kind: 'health', why: text === '' ? 'well again' : text, region: id })
        this.#facts?.onHealth?.(id)
      },
      onState: (state, why) => {
        if (this.#links.get(id) !== link) return
        if (state === 'lost') {
          this.#counters.lostConnections++
          this.#health.delete(id)
          this.#forgetRegion(id)
        }
        this.#env.journal.add({ part: 'derp', kind: state, why, region: id })
        this.#env.log.info(`region ${id} ${state} (${why})`)
        this.#facts?.onState(id, state, why)
      },
    })
    return link
  }

  /** A relay may name any number of peers; the journal takes so many of them. */
  #mayTellGone(): boolean {
    const nowMs = this.#env.clock.nowMs()
    const { credit, atMs } = this.#goneTold
    const left = Math.min(GONE_TOLD_BURST, credit + (nowMs - atMs) / GONE_TOLD_EVERY_MS)
    this.#goneTold = { credit: Math.max(0, left - 1), atMs: nowMs }
    return left >= 1
  }

  #learn(region: number, src: Uint8Array): void {
    const mark = readU32(src, 0) * 0x10000 + readU16(src, 4)
    if (this.#seen.get(mark) === region) return
    const peer = nodeKey(src)
    this.#seen.set(mark, region)
    this.#routes.delete(peer)
    this.#routes.set(peer, region)
    if (this.#routes.size <= MAX_ROUTES) return
    const oldest = this.#routes.keys().next().value!
    this.#forget(oldest, keyBytes(oldest))
  }

  #forget(peer: NodePublicKey, raw: Uint8Array): void {
    this.#routes.delete(peer)
    this.#seen.delete(readU32(raw, 0) * 0x10000 + readU16(raw, 4))
    for (const link of this.#links.values()) link.forgetSource()
  }

  #forgetRegion(region: number): void {
    for (const [peer, at] of this.#routes) if (at === region) this.#routes.delete(peer)
    for (const [mark, at] of this.#seen) if (at === region) this.#seen.delete(mark)
  }

  #drop(id: number, why: string): void {
    const link = this.#links.get(id)
    if (!link) return
    this.#links.delete(id)
    this.#counters.droppedPackets += link.droppedPackets
    link.stop(why)
    this.#health.delete(id)
    this.#forgetRegion(id)
    this.#env.journal.add({ part: 'derp', kind: 'lost', why, region: id })
    this.#facts?.onState(id, 'lost', why)
  }

  /** Makes every connection anew under the present key, and lets the ones before go a little later. */
  #replaceAll(): void {
    this.#dropBefore()
    const why = 'the node key changed'
    const links = [...this.#links]
    for (const [id, link] of links) {
      if (!link.isConnected) {
        this.#drop(id, why)
        continue
      }
      this.#links.delete(id)
      this.#before.set(id, link)
      this.#env.journal.add({ part: 'derp', kind: 'replaced', why, region: id })
      this.#link(id)
    }
    this.#cancelGrace = this.#env.clock.after(KEY_GRACE_MS, () => this.#dropBefore())
    this.#connectHome()
  }

  #dropBefore(): void {
    this.#cancelGrace()
    for (const link of this.#before.values()) {
      this.#counters.droppedPackets += link.droppedPackets
      link.stop('the key before is no longer used')
    }
    this.#before.clear()
  }

  #dropAll(why: string): void {
    this.#dropBefore()
    const ids = [...this.#links.keys()]
    for (const id of ids) this.#drop(id, why)
    this.#connectHome()
  }
}
