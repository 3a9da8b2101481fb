/**
 * Two whole Magicsocks on a network in memory: real disco and STUN bytes, a relay that carries packets, links with delay.
 * The network is flat (each node has one public address); what NATs do to path machines is tested with core/path.
 */
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { nodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { Path, PathView } from '../../../main/engine/core/path/types.ts'
import type { MagicsockPeer } from '../../../main/engine/core/plan/types.ts'
import { decodeStunRequest, encodeStunResponse, isStun } from '../../../main/engine/core/stun/stun.ts'
import type { DerpMap, NetInfo } from '../../../main/engine/core/tailcfg/types.ts'
import { Magicsock } from '../../../main/engine/magicsock/magicsock.ts'
import type { Endpoint, NetcheckPorts, PortMapServices } from '../../../main/engine/magicsock/ports.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

export const RELAY_IP = '203.0.113.2'

export function derpMap(...regions: number[]): DerpMap {
  return {
    Regions: Object.fromEntries(
      regions.map((id) => [id, { RegionID: id, RegionCode: `r${id}`, RegionName: `Region ${id}`, Nodes: [{ Name: `${id}a`, RegionID: id, HostName: `relay${id}.example`, IPv4: regionIp(id), IPv6: 'none' }] }]),
    ),
  }
}

export function regionIp(region: number): string {
  return `203.0.113.${region}`
}

export class MemoryNode {
  readonly key: NodePublicKey
  readonly sock: Magicsock
  readonly ip: string
  readonly endpoints: (readonly Endpoint[])[] = []
  readonly netInfos: NetInfo[] = []
  readonly views: PathView[] = []
  readonly homes: number[] = []
  readonly paths = new Map<NodePublicKey, Path>()
  readonly journal: JournalEntry[] = []
  /** Region → when its relay was heard. */
  readonly heard = new Map<number, number>()
  /** What the router offers. */
  router: PortMapServices | undefined
  sentUdp = 0
  sentRelayed = 0

  constructor(net: MemoryNet, ip: string, seed: number, netcheck: NetcheckPorts = {}) {
    this.ip = ip
    const random = seededRandom(seed)
    this.key = nodeKey(PrivateKey.fromRandom(random.bytes(32)).publicBytes())
    const env: Env = { clock: net.clock, random, log: silentLog, journal: { add: (event) => this.journal.push(event) } }
    this.sock = new Magicsock({
      env,
      underlay: {
        sendUdp: (to, bytes) => {
          this.sentUdp++
          net.udp(this, to, bytes.slice())
        },
      },
      relay: {
        send: (region, to, bytes) => {
          this.sentRelayed++
          net.relay(this, region, to, bytes)
        },
        setHome: () => {},
        routeOf: () => undefined,
        heardAtMs: (region) => this.heard.get(region),
      },
      paths: { setPath: (peer, path) => this.paths.set(peer, path) },
      interfaces: () => [{ name: 'eth0', ip, internal: false }],
      netcheck,
      portMapping: { setPort: () => {}, want: () => {}, probe: async () => this.router, services: () => this.router, why: 'a test' },
    })
    this.sock.start({
      onEndpoints: (all) => this.endpoints.push(all),
      onNetInfo: (info) => this.netInfos.push(info),
      onPath: (view) => this.views.push(view),
      onHome: (region) => this.homes.push(region),
    })
  }

  asPeer(id: number, more: Partial<MagicsockPeer> = {}): MagicsockPeer {
    return { id, key: this.key, disco: this.sock.discoKey, endpoints: [], homeDerp: 2, ip: `100.64.0.${id}`, name: `n${id}`, expired: false, ...more }
  }

  join(map: DerpMap, peers: MagicsockPeer[]): void {
    this.sock.setNodeKey(this.key)
    this.sock.setPort(41641)
    this.sock.setConfig({ derpMap: map, peers })
  }
}

export class MemoryNet {
  readonly clock = new HandClock()
  readonly nodes: MemoryNode[] = []
  delayMs = 10
  /** Regions that answer no STUN. */
  readonly deafRegions = new Set<number>()
  stunDelayMs = new Map<number, number>()
  udpBlocked = false
  /** Where datagrams of the nodes seem to come from, in place of where they are. */
  seenAs: AddrPort | undefined
  /** Sees every datagram between nodes; its answer replaces the bytes, undefined drops them. */
  tap: (from: MemoryNode, to: AddrPort, bytes: Uint8Array) => Uint8Array | undefined = (_from, _to, bytes) => bytes

  node(ip: string, seed: number, netcheck: NetcheckPorts = {}): MemoryNode {
    const node = new MemoryNode(this, ip, seed, netcheck)
    this.nodes.push(node)
    return node
  }

  udp(from: MemoryNode, to: AddrPort, bytes: Uint8Array): void {
    if (this.udpBlocked) return
    if (to.ip.startsWith('203.0.113.') && isStun(bytes)) {
      this.#stun(from, to, bytes)
      return
    }
    const target = this.nodes.find((one) => (one.ip === to.ip && to.port === 41641) || (one !== from && to.ip === this.seenAs?.ip))
    const passed = target && this.tap(from, to, bytes)
    if (passed) this.clock.after(this.delayMs, () => target.sock.handleDatagram(this.seenAs ?? { ip: from.ip, port: 41641 }, passed))
  }

  relay(from: MemoryNode, region: number, to: NodePublicKey, bytes: Uint8Array): void {
    const target = this.nodes.find((one) => one.key === to)
    this.clock.after(3 * this.delayMs, () => target?.sock.handleRelayed(region, from.key, bytes))
  }

  #stun(from: MemoryNode, to: AddrPort, bytes: Uint8Array): void {
    const region = Number(to.ip.split('.')[3])
    const txId = decodeStunRequest(bytes)
    if (isDecodeError(txId) || this.deafRegions.has(region)) return
    const reply = encodeStunResponse(txId, { ip: from.ip, port: 41641 })
    this.clock.after(this.stunDelayMs.get(region) ?? 2 * this.delayMs, () => from.sock.handleDatagram(to, reply))
  }
}
