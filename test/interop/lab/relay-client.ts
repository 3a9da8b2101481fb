/**
 * Our relay client alone, with everything that it is told, for tests against real derpers.
 */
import type { Env } from '../../../main/engine/base/env.ts'
import { readU32 } from '../../../main/engine/base/bytes.ts'
import { nodeKey, type NodePublicKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { countFrames, PACKET_OVERHEAD_BYTES } from '../../../main/engine/core/derp/frame.ts'
import type { DerpMap } from '../../../main/engine/core/tailcfg/types.ts'
import { DerpRegions } from '../../../main/engine/derp/derp-regions.ts'
import type { Dial } from '../../../main/engine/derp/ports.ts'
import { dialRelay } from '../../support/plain-world.ts'
import { systemClock, systemRandom } from '../../sim/clock.ts'

const env: Env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: () => {} } }

/** One of our clients, with everything that it is told. */
export class RelayClient {
  readonly key: PrivateKey
  readonly node: NodePublicKey
  readonly disco: { from: NodePublicKey; bytes: Uint8Array }[] = []
  readonly packets: { from: NodePublicKey; bytes: Uint8Array }[] = []
  readonly gone: { peer: NodePublicKey; reason: number }[] = []
  readonly states: string[] = []
  frameBytes = 0
  frameCount = 0
  keepPackets = true
  readonly health = new Set<number>()
  readonly regions: DerpRegions

  /** `dialer` and plain HTTP by default: what leads to derpers of a loopback lab. */
  constructor(map: DerpMap, { key, dialer = dialRelay, isPlain = true }: { key?: PrivateKey; dialer?: Dial; isPlain?: boolean } = {}) {
    this.key = key ?? PrivateKey.fromRandom(systemRandom.bytes(32))
    this.node = nodeKey(this.key.publicBytes())
    this.regions = new DerpRegions({ env, dial: dialer })
    this.regions.start({
      onDisco: (_region, from, bytes) => this.disco.push({ from, bytes: bytes.slice() }),
      onFrames: (_region, frames) => this.#take(frames),
      onPeerGone: (_region, peer, reason) => this.gone.push({ peer, reason }),
      onHealth: (region) => this.health.add(region),
      onState: (region, state, why) => this.states.push(`${region} ${state} (${why})`),
    })
    this.regions.setPlainHttp(isPlain)
    this.regions.setPrivateKey(this.key)
    this.regions.setMap(map)
  }

  #take(frames: Uint8Array): void {
    this.frameBytes += frames.length
    this.frameCount += countFrames(frames)
    if (!this.keepPackets) return
    for (let at = 0; at < frames.length; ) {
      const end = at + 5 + readU32(frames, at + 1)
      this.packets.push({ from: nodeKey(frames.subarray(at + 5, at + 37)), bytes: frames.slice(at + PACKET_OVERHEAD_BYTES, end) })
      at = end
    }
  }

  connected(): boolean {
    return this.states.at(-1)?.includes('connected') === true
  }
}
