/**
 * Whole Magicsocks at the sites of a simulated internet: real disco and STUN bytes, two relay regions over which everything
 * arrives, and packets of data that take the path which the data plane was told.
 */
import type { Env, JournalEntry, Random } from '../../../main/engine/base/env.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { readU32, writeU32 } from '../../../main/engine/base/bytes.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { parseAddrPort } from '../../../main/engine/base/ip.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { nodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { MachineEvidence } from '../../../main/engine/core/path/reason/evidence.ts'
import type { Path } from '../../../main/engine/core/path/types.ts'
import type { MagicsockPeer } from '../../../main/engine/core/plan/types.ts'
import { decodeStunRequest, encodeStunResponse } from '../../../main/engine/core/stun/stun.ts'
import type { DerpMap } from '../../../main/engine/core/tailcfg/types.ts'
import { Magicsock } from '../../../main/engine/magicsock/magicsock.ts'
import { HandClock, seededRandom, settle } from '../clock.ts'
import { Network } from './network.ts'
import type { Host, SiteKind } from './network.ts'

const PORT = 41641
const REGIONS = [2, 3]
const RELAY_MS = 30
const IDLE_MS = 45_000
/** First byte of a data message of WireGuard. */
const DATA = 4
export const FULL_BYTES = 1312

const DERP_MAP: DerpMap = {
  Regions: Object.fromEntries(REGIONS.map((id) => [id, { RegionID: id, RegionCode: `r${id}`, RegionName: `Region ${id}`, Nodes: [{ Name: `${id}a`, RegionID: id, HostName: `relay${id}.example`, IPv4: `203.0.113.${id}`, IPv6: 'none' }] }])),
}

export interface PathChange {
  readonly atMs: number
  readonly path: Path
}

export class SimNode {
  readonly key: NodePublicKey
  readonly disco: PrivateKey
  readonly sock: Magicsock
  readonly host: Host
  readonly journal: (JournalEntry & { atMs: number })[] = []
  readonly changes: PathChange[] = []
  /** Numbers of data packets that came in. */
  readonly received = new Set<number>()
  /** Longest time between two packets of data that came in, since the last look. */
  longestGapMs = 0
  #lastDataMs = Number.POSITIVE_INFINITY
  dataSent = 0
  calls = 0
  pingsOut = 0
  endpoints: AddrPort[] = []
  home = 0
  path: Path = { kind: 'none' }
  /** What leaves and where to, before any network sees it. */
  onSend: (to: AddrPort, bytes: Uint8Array) => void = () => {}
  readonly #world: SimWorld
  #cancelTraffic: () => void = () => {}
  #cancelIdle: (() => void) | undefined
  readonly #edges = new Set<string>()

  constructor(world: SimWorld, host: Host, random: Random) {
    this.#world = world
    this.host = host
    this.key = nodeKey(PrivateKey.fromRandom(random.bytes(32)).publicBytes())
    this.disco = PrivateKey.fromRandom(random.bytes(32))
    const { clock } = world
    const env: Env = { clock, random, log: silentLog, journal: { add: (event) => this.journal.push({ ...event, atMs: clock.nowMs() }) } }
    this.sock = new Magicsock({
      env,
      underlay: {
        sendUdp: (to, bytes) => {
          if (bytes[0] === 0x54) this.pingsOut++
          this.onSend(to, bytes)
          world.network.send(host, to, bytes.slice())
        },
      },
      relay: {
        send: (region, to, bytes) => {
          this.calls++
          world.relay(this, region, to, bytes.slice())
        },
        setHome: () => {},
        routeOf: () => undefined,
        heardAtMs: () => clock.nowMs(),
      },
      paths: {
        setPath: (_peer, path) => {
          this.path = path
          this.changes.push({ atMs: clock.nowMs(), path })
        },
      },
      interfaces: () => [{ name: 'eth0', ip: host.addr.ip, internal: false }],
    })
    this.sock.setDiscoKey(this.disco)
    this.sock.start({
      onEndpoints: (all) => {
        this.endpoints = all.map((one) => parseAddrPort(one.addr)!)
        world.publish()
      },
      onNetInfo: () => {},
      onPath: () => {},
      onHome: (region) => {
        this.home = region
        world.publish()
      },
    })
    host.receive = (from, bytes) => this.#receive(from, bytes)
  }

  /** What its path machine knows of the other node. */
  evidence(): MachineEvidence {
    return [...this.sock.paths().values()][0]!.evidence
  }

  /** Sends a packet of data every so often from now on; 0 = no more. */
  traffic(everyMs: number, bytes = FULL_BYTES): void {
    this.#cancelTraffic()
    if (everyMs === 0) return
    const next = (): void => {
      this.sendData(bytes)
      this.#cancelTraffic = this.#world.clock.after(everyMs, next)
    }
    next()
  }

  sendData(bytes: number): void {
    const packet = new Uint8Array(bytes)
    packet[0] = DATA
    writeU32(packet, 4, this.dataSent++)
    this.#use('sending')
    const { path } = this
    if (path.kind === 'direct' || path.kind === 'both') this.#world.network.send(this.host, path.addr, packet)
    if (path.kind === 'relay' || path.kind === 'both') this.#world.relay(this, path.region, undefined, packet)
  }

  handleRelayed(region: number, from: NodePublicKey, bytes: Uint8Array): void {
    if (bytes[0] === DATA) this.#takeData(bytes)
    else this.sock.handleRelayed(region, from, bytes)
  }

  #receive(from: AddrPort, bytes: Uint8Array): void {
    if (bytes[0] === DATA) this.#takeData(bytes)
    else this.sock.handleDatagram(from, bytes)
  }

  #takeData(bytes: Uint8Array): void {
    this.received.add(readU32(bytes, 4))
    const nowMs = this.#world.clock.nowMs()
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastDataMs)
    this.#lastDataMs = nowMs
    this.#use('receiving')
  }

  /** Edges as the data plane tells them. */
  #use(kind: 'sending' | 'receiving'): void {
    const other = this.#world.other(this)
    if (!other) return
    this.#cancelIdle?.()
    this.#cancelIdle = this.#world.clock.after(IDLE_MS, () => {
      this.#edges.clear()
      this.sock.handlePeerActivity(other.key, 'idle')
    })
    if (this.#edges.has(kind)) return
    this.#edges.add(kind)
    this.sock.handlePeerActivity(other.key, kind)
  }
}

export interface WorldOptions {
  readonly seed?: number
  readonly delayMs?: number
  readonly loss?: number
  readonly jitterMs?: number
  /** What the map says of the peers' addresses: at once, never, or as a server does. */
  readonly mapDelayMs?: number | 'never'
}

export class SimWorld {
  readonly clock = new HandClock()
  readonly network: Network
  readonly nodes: SimNode[] = []
  /** Regions that carry nothing. */
  readonly deadRelays = new Set<number>()
  readonly #random: Random
  readonly #mapDelayMs: number | 'never'

  constructor(options: WorldOptions = {}) {
    this.#random = seededRandom(options.seed ?? 1)
    this.network = new Network(this.clock, this.#random)
    this.network.delayMs = options.delayMs ?? 20
    this.network.loss = options.loss ?? 0
    this.network.jitterMs = options.jitterMs ?? 0
    this.#mapDelayMs = options.mapDelayMs ?? 500
    for (const region of REGIONS) this.network.servers.set(`203.0.113.${region}`, stunReply)
  }

  add(kind: SiteKind, beside?: SimNode): SimNode {
    const host = this.network.addHost(`n${this.nodes.length + 1}`, kind, PORT, beside?.host)
    const node = new SimNode(this, host, this.#random)
    this.nodes.push(node)
    return node
  }

  /** Everybody joins, and has time to learn its own addresses and those of the others. */
  async start(settleMs = 2000): Promise<void> {
    for (const node of this.nodes) {
      node.sock.setNodeKey(node.key)
      node.sock.setPort(PORT)
    }
    this.#tell()
    await settle()
    await this.run(settleMs)
  }

  other(node: SimNode): SimNode | undefined {
    return this.nodes.find((one) => one !== node)
  }

  /** The server tells the others what changed. */
  publish(): void {
    if (this.#mapDelayMs !== 'never') this.clock.after(this.#mapDelayMs, () => this.#tell())
  }

  relay(from: SimNode, region: number, to: NodePublicKey | undefined, bytes: Uint8Array): void {
    const target = to === undefined ? this.other(from) : this.nodes.find((one) => one.key === to)
    if (!this.deadRelays.has(region)) this.clock.after(RELAY_MS, () => target?.handleRelayed(region, from.key, bytes))
  }

  /** Lets time pass. Promises get their turn between calls, as the netcheck prepares itself with some. */
  async run(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms
    await this.runUntil(() => false, ms)
    this.clock.advance(endMs - this.clock.nowMs())
  }

  /** Runs until `done` or for at most `ms`; answers how long it took. */
  async runUntil(done: () => boolean, ms: number): Promise<number | undefined> {
    const fromMs = this.clock.nowMs()
    while (!done()) {
      const nextMs = this.clock.nextDueMs()
      if (nextMs === undefined || nextMs > fromMs + ms) return undefined
      this.clock.advance(nextMs - this.clock.nowMs())
      for (let i = 0; i < 3; i++) await Promise.resolve()
    }
    return this.clock.nowMs() - fromMs
  }

  #tell(): void {
    for (const node of this.nodes) {
      const peers = this.nodes.filter((one) => one !== node).map((one, i): MagicsockPeer => ({
        id: i + 1, key: one.key, disco: one.sock.discoKey, homeDerp: one.home || 2, ip: `100.64.0.${i + 1}`, name: one.host.name, expired: false, wireGuardOnly: false,
        endpoints: this.#mapDelayMs === 'never' ? [] : one.endpoints,
      }))
      node.sock.setConfig({ derpMap: DERP_MAP, peers })
    }
  }
}

function stunReply(from: AddrPort, bytes: Uint8Array): Uint8Array | undefined {
  const txId = decodeStunRequest(bytes)
  return isDecodeError(txId) ? undefined : encodeStunResponse(txId, from)
}

export function isDirect(...nodes: SimNode[]): boolean {
  return nodes.every((node) => node.path.kind === 'direct')
}
