/**
 * The packet threads behind a relay that lies: wrong senders, frames that are cut or made up. Who sent a packet is known by
 * its seal alone, so nothing follows but counts.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { concat, writeU32 } from '../../../main/engine/base/bytes.ts'
import { keyBytes } from '../../../main/engine/base/keys.ts'
import { encodeRecvPacket } from '../../../main/engine/core/derp/frame.ts'
import { systemRandom } from '../../../main/engine/io/random.ts'
import { configOf, connectRelay, MemoryRelay, startNode, type TestNode } from './pair.ts'

class LyingRelay extends MemoryRelay {
  /** Takes the true sender's place. */
  claimed: TestNode | undefined

  override carry(from: TestNode['nodeKey'], region: number, frames: Uint8Array): void {
    super.carry(this.claimed?.nodeKey ?? from, region, frames)
  }
}

const nodes: TestNode[] = []
afterEach(() => {
  for (const node of nodes.splice(0)) node.plane.stop()
})

function three(): { relay: LyingRelay; a: TestNode; b: TestNode; stranger: TestNode } {
  const relay = new LyingRelay()
  const [a, b, stranger] = ['a', 'b', 'stranger'].map((name) => startNode(name, relay)) as [TestNode, TestNode, TestNode]
  nodes.push(a, b, stranger)
  a.plane.setConfig(configOf(a, [b, stranger], []))
  b.plane.setConfig(configOf(b, [a, stranger], []))
  connectRelay(a, b)
  return { relay, a, b, stranger }
}

describe('a relay that names a wrong sender', () => {
  test('changes nothing: packets are known by their seal, and no other peer is taken for awake', async () => {
    const { relay, a, b, stranger } = three()
    relay.claimed = stranger
    expect((await a.plane.ping('tsmp', b.ip, 0, 30_000)).latencyMs).toBeGreaterThan(0)
    expect(b.facts.filter((fact) => fact.name === 'handshake').map((fact) => fact.args[0])).toEqual([a.nodeKey])
    expect(b.plane.stats().get(stranger.nodeKey)?.rxBytes ?? 0).toBe(0)
  })

  test('or sends what nobody sealed: it is counted, and the tunnel goes on', async () => {
    const { a, b, stranger } = three()
    await a.plane.ping('tsmp', b.ip, 0, 30_000)
    const before = b.plane.stats().get(a.nodeKey)!.rxBytes
    const forged = (sender: TestNode, type: number): Uint8Array => encodeRecvPacket(keyBytes(sender.nodeKey), concat(new Uint8Array([type, 0, 0, 0]), systemRandom.bytes(type === 1 ? 144 : type === 2 ? 88 : 60)))
    for (let i = 0; i < 200; i++) for (const sender of [a, stranger]) b.plane.injectRelayFrames(1, concat(forged(sender, 1 + (i % 2)), forged(sender, 4)))
    const cut = encodeRecvPacket(keyBytes(a.nodeKey), new Uint8Array(100))
    for (const claimed of [0, 31, 99, 0xffffff, 0xffffffff]) {
      const lie = cut.slice()
      writeU32(lie, 1, claimed)
      b.plane.injectRelayFrames(1, lie)
    }
    await b.plane.ping('tsmp', a.ip, 0, 30_000)
    const counters = b.plane.counters()
    expect(counters['in_relay_garbage']).toBeGreaterThanOrEqual(4)
    expect(counters['in_unknown_index']).toBeGreaterThanOrEqual(200)
    expect(b.plane.stats().get(a.nodeKey)!.rxBytes - before).toBeLessThan(2000)
    expect(b.facts.some((fact) => fact.name === 'failed')).toBe(false)
  })
})
