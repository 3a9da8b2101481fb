/**
 * Two data planes in one process: the real packet threads on loopback, with an in-memory relay between them.
 */
import { SystemClock } from '../../../main/engine/io/clock.ts'
import { systemRandom } from '../../../main/engine/io/random.ts'
import { loadNative } from '../../../main/engine/io/native.ts'
import { Dataplane } from '../../../main/engine/dataplane/dataplane.ts'
import type { DataplaneFacts } from '../../../main/engine/dataplane/ports.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { keyBytes, nodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import type { Env } from '../../../main/engine/base/env.ts'
import type { DataplaneConfig, FilterMatch } from '../../../main/engine/core/plan/types.ts'

const env: Env = { clock: new SystemClock(), random: systemRandom, log: silentLog, journal: { add: () => {} } }

export interface Fact {
  readonly name: string
  readonly args: readonly unknown[]
}

export interface TestNode {
  readonly name: string
  readonly key: PrivateKey
  readonly nodeKey: NodePublicKey
  readonly ip: string
  readonly ip6: string
  readonly plane: Dataplane
  readonly port: number
  readonly facts: Fact[]
  /** Waits until a fact of this name was told (an already told one counts). */
  fact(name: string, test?: (...args: unknown[]) => boolean): Promise<Fact>
}

/** Rules that let everybody reach these TCP ports of everything that is ours. */
export function allowTcp(...ports: number[]): FilterMatch[] {
  const dsts = ports.flatMap((port) => ['0.0.0.0/0', '::/0'].map((prefix) => ({ prefix, first: port, last: port })))
  return dsts.length === 0 ? [] : [{ protos: [6], srcs: ['0.0.0.0/0', '::/0'], dsts }]
}

/** A configuration in which `self` knows `peers`, all under these rules. */
export function configOf(self: TestNode, peers: readonly TestNode[], matches: readonly FilterMatch[]): DataplaneConfig {
  const hosts = (node: TestNode): string[] => [`${node.ip}/32`, `${node.ip6}/128`]
  return {
    selfAddresses: [self.ip, self.ip6],
    peers: peers.map((peer) => ({ key: peer.nodeKey, allowedSources: hosts(peer), routes: hosts(peer), jailed: false })),
    filter: { matches, localNets: hosts(self), shieldsUp: false },
  }
}

/** The relay in memory: carries frames from `from` to the node that each names; counts them. */
export class MemoryRelay {
  readonly #nodes = new Map<NodePublicKey, TestNode>()
  frames = 0
  /** While true, everything is lost. */
  broken = false

  add(node: TestNode): void {
    this.#nodes.set(node.nodeKey, node)
  }

  carry(from: NodePublicKey, region: number, frames: Uint8Array): void {
    const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength)
    for (let at = 0; at < frames.length; ) {
      const end = at + 5 + view.getUint32(at + 1)
      const frame = frames.slice(at, end)
      const to = this.#nodes.get(nodeKey(frame.subarray(5, 37)))
      frame[0] = 5
      frame.set(keyBytes(from), 5)
      this.frames++
      if (!this.broken) to?.plane.injectRelayFrames(region, frame)
      at = end
    }
  }
}

let made = 0

/** Starts a node on loopback. */
export function startNode(name: string, relay?: MemoryRelay): TestNode {
  const index = ++made
  const key = PrivateKey.fromRandom(env.random.bytes(32))
  const facts: Fact[] = []
  const waiting: { name: string; test: (...args: unknown[]) => boolean; resolve: (fact: Fact) => void }[] = []
  const self = nodeKey(key.publicBytes())
  const tell = (kind: string, ...args: unknown[]): void => {
    const fact = { name: kind, args }
    facts.push(fact)
    for (const one of waiting.filter((each) => each.name === kind && each.test(...args))) {
      waiting.splice(waiting.indexOf(one), 1)
      one.resolve(fact)
    }
  }
  const plane = new Dataplane({ env, native: loadNative() })
  const all: DataplaneFacts = {
    onUnclaimed: (...args) => tell('unclaimed', ...args),
    onRelayFrames: (region, frames) => relay?.carry(self, region, frames),
    onPeerActivity: (...args) => tell('activity', ...args),
    onHandshake: (...args) => tell('handshake', ...args),
    onUnknownPeer: (...args) => tell('unknown-peer', ...args),
    onDirectProof: (...args) => tell('direct-proof', ...args),
    onSendError: (...args) => tell('send-error', ...args),
    onProxyRequest: (...args) => tell('proxy-request', ...args),
    onInboundStream: (...args) => tell('inbound-stream', ...args),
    onRejected: (...args) => tell('rejected', ...args),
    onForwardRequest: (...args) => tell('forward-request', ...args),
    onForwardFailed: (...args) => tell('forward-failed', ...args),
    onEngineDatagram: (...args) => tell('engine-datagram', ...args),
    onTsmpDiscoKey: (...args) => tell('disco-key', ...args),
    onFailed: (...args) => tell('failed', ...args),
  }
  const { port } = plane.start({ port: 0, bindLoopbackOnly: true }, all)
  plane.setPrivateKey(key)
  const node: TestNode = {
    name, key, nodeKey: self, ip: `100.64.0.${index}`, ip6: `fd7a:115c:a1e0::${index}`, plane, port, facts,
    fact: (kind, test = () => true) => {
      const told = facts.find((fact) => fact.name === kind && test(...fact.args))
      return told ? Promise.resolve(told) : new Promise((resolve) => waiting.push({ name: kind, test, resolve }))
    },
  }
  relay?.add(node)
  return node
}

/** Points both nodes at each other's loopback sockets. */
export function connectDirect(a: TestNode, b: TestNode): void {
  a.plane.setPath(b.nodeKey, { kind: 'direct', addr: { ip: '127.0.0.1', port: b.port } })
  b.plane.setPath(a.nodeKey, { kind: 'direct', addr: { ip: '127.0.0.1', port: a.port } })
}

/** Points both nodes at the relay. */
export function connectRelay(a: TestNode, b: TestNode, region = 1): void {
  a.plane.setPath(b.nodeKey, { kind: 'relay', region })
  b.plane.setPath(a.nodeKey, { kind: 'relay', region })
}
