import { describe, expect, it } from 'vitest'
import { explainPath } from '../../../main/engine/core/path/reason/explain.ts'
import { SITE_KINDS } from './network.ts'
import type { SiteKind } from './network.ts'
import { isDirect, SimWorld } from './nodes.ts'
import type { SimNode, WorldOptions } from './nodes.ts'
import { canBeDirect } from './oracle.ts'

const PAIRS = SITE_KINDS.flatMap((a) => SITE_KINDS.map((b): [SiteKind, SiteKind] => [a, b]))
const POSSIBLE = PAIRS.filter(([a, b]) => canBeDirect(a, b))
/** Each once: what is impossible one way is so the other way. */
const IMPOSSIBLE = PAIRS.filter(([a, b]) => a <= b && !canBeDirect(a, b))

async function meet(a: SiteKind, b: SiteKind, options: WorldOptions = {}): Promise<SimWorld> {
  const world = new SimWorld(options)
  world.add(a)
  world.add(b)
  await world.start()
  world.nodes[0]!.traffic(100)
  return world
}

describe('every pair of fifteen kinds of sites', () => {
  it('is a fair mixture', () => {
    expect(POSSIBLE.length).toBeGreaterThan(80)
    expect(IMPOSSIBLE.length).toBeGreaterThan(40)
  })

  it.each(POSSIBLE)('finds the path from %s to %s that trying everything finds, within a second', async (a, b) => {
    const world = await meet(a, b)
    const [one, other] = world.nodes as [SimNode, SimNode]
    const tookMs = await world.runUntil(() => isDirect(one, other), 10_000)
    expect(tookMs, `${one.path.kind} ${other.path.kind}`).toBeLessThan(1000)
  })

  it.each(POSSIBLE)('finds the path from %s to %s though neither address is in the map', async (a, b) => {
    const world = await meet(a, b, { mapDelayMs: 'never' })
    expect(await world.runUntil(() => isDirect(...world.nodes), 10_000)).toBeLessThan(1500)
  })

  it.each(IMPOSSIBLE)('stays on the relay for five minutes from %s to %s, with few pings, and says why', async (a, b) => {
    const world = await meet(a, b)
    const [one, other] = world.nodes as [SimNode, SimNode]
    one.traffic(10_000)
    await world.run(300_000)
    for (const node of [one, other]) {
      expect(node.changes.every(({ path }) => path.kind === 'relay')).toBe(true)
      expect(node.pingsOut).toBeLessThan(800)
    }
    expect(explainPath({ machine: one.evidence() }).sentence).toMatch(/^relayed: /)
    expect(other.received.size).toBeGreaterThanOrEqual(one.dataSent - 1)
  })

  it.each([['easy', 'easy'], ['hard', 'restricted'], ['double', 'firewall'], ['full-cone', 'carrier']] as const)('finds the path from %s to %s through loss and disorder', async (a, b) => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = await meet(a, b, { seed, loss: 0.1, jitterMs: 60, mapDelayMs: 1000 })
      expect(await world.runUntil(() => isDirect(...world.nodes), 20_000), `seed ${seed}`).toBeLessThan(4000)
    }
  })

  it('meets neighbours behind one NAT on their own network, and not by way of the NAT', async () => {
    const world = new SimWorld()
    world.add('easy')
    world.add('easy', world.nodes[0])
    await world.start()
    world.nodes[0]!.traffic(100)
    expect(await world.runUntil(() => isDirect(...world.nodes), 5000)).toBeLessThan(300)
    expect(world.nodes[0]!.path).toEqual({ kind: 'direct', addr: world.nodes[1]!.host.addr })
  })
})
