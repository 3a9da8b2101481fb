import { describe, expect, it } from 'vitest'
import { SITE_KINDS } from './network.ts'
import type { SiteKind } from './network.ts'
import { isDirect, SimWorld } from './nodes.ts'
import type { WorldOptions } from './nodes.ts'
import { canBeDirect } from './oracle.ts'

const PAIRS = SITE_KINDS.flatMap((a) => SITE_KINDS.map((b): [SiteKind, SiteKind] => [a, b]))
const POSSIBLE = PAIRS.filter(([a, b]) => canBeDirect(a, b))
const IMPOSSIBLE = PAIRS.filter(([a, b]) => !canBeDirect(a, b))

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
    expect(IMPOSSIBLE.length).toBeGreaterThan(60)
  })

  it.each(POSSIBLE)('finds the path from %s to %s that trying everything finds, within a second', async (a, b) => {
    const world = await meet(a, b)
    const [one, other] = world.nodes as [typeof world.nodes[0], typeof world.nodes[0]]
    const tookMs = await world.runUntil(() => isDirect(one, other), 10_000)
    expect(tookMs, `${one.path.kind} ${other.path.kind}`).toBeLessThan(1000)
  })
})
