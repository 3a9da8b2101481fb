/**
 * Random pairs of sites in which something goes wrong every minute or two, each world from a seed that a failure names.
 */
import { expect, it } from 'vitest'
import { seededRandom } from '../clock.ts'
import { SITE_KINDS } from './network.ts'
import type { SimNode } from './nodes.ts'
import { SimWorld } from './nodes.ts'

const MINUTES = 15
const SEEDS = Array.from({ length: 6 }, (_, i) => i + 1)
const STEP_MS = 5000
const TRAFFIC_MS = 250
/** Trust, and the way there and back. */
const TWO_WAY_WITHIN_MS = 6500 + 500
/** A path that dies is left sooner; NATs that restart take a relay's round trip more. */
const LONGEST_GAP_MS = 2500

type Fault = (world: SimWorld, node: SimNode, chance: number) => void

const FAULTS: readonly Fault[] = [
  (world, node) => void world.network.cut.add(node.host.name),
  (world) => world.network.cut.clear(),
  (world) => world.network.cut.clear(),
  (_world, node) => node.host.nats.forEach((nat) => nat.restart()),
  (_world, node, chance) => {
    const { host } = node
    if (host.nats.length === 0) return
    host.nats.at(-1)!.restart(`198.51.100.${100 + Math.floor(chance * 100)}`)
    node.sock.handleNetworkChange('another network', true)
  },
  (world, _node, chance) => void (world.network.loss = chance * 0.05),
  (world) => void (world.network.largestBytes = 1280),
  (world) => void (world.network.largestBytes = Number.POSITIVE_INFINITY),
]

/** A word on what is wrong with a node now, if anything. */
function wrong(world: SimWorld, node: SimNode): string | undefined {
  const other = world.other(node)!
  if (node.path.kind !== 'direct') return undefined
  for (const host of [node.host, other.host]) {
    const agoMs = world.clock.nowMs() - (world.network.reachedMs.get(host) ?? Number.NEGATIVE_INFINITY)
    if (agoMs > TWO_WAY_WITHIN_MS) return `${node.host.name} is direct, though nothing of ${host.name} arrived for ${agoMs} ms`
  }
  return undefined
}

it.each(SEEDS)('keeps traffic going through a quarter of an hour of faults, and is direct only where packets pass both ways (seed %i)', async (seed) => {
  const random = seededRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.unit() * from.length)]!
  const world = new SimWorld({ seed, delayMs: 5 + random.unit() * 60, jitterMs: random.unit() * 10 })
  for (let i = 0; i < 2; i++) world.add(pick(SITE_KINDS))
  const about = `seed ${seed}: ${world.nodes.map(({ host }) => host.kind).join(' and ')}`
  await world.start()
  for (const node of world.nodes) node.traffic(TRAFFIC_MS, random.unit() < 0.5 ? 100 : 1312)
  let faults = 0
  for (let step = 0; step < (MINUTES * 60_000) / STEP_MS; step++) {
    let isWhole = world.network.largestBytes === Number.POSITIVE_INFINITY
    if (random.unit() < 0.06) {
      pick(FAULTS)(world, pick(world.nodes), random.unit())
      faults++
      isWhole &&= world.network.largestBytes === Number.POSITIVE_INFINITY
    }
    for (const node of world.nodes) node.longestGapMs = 0
    await world.run(STEP_MS)
    for (const node of world.nodes) {
      expect(wrong(world, node), `${about}, step ${step}`).toBeUndefined()
      if (isWhole) expect(node.longestGapMs, `${about}, step ${step}`).toBeLessThan(LONGEST_GAP_MS)
    }
  }
  for (const node of world.nodes) {
    expect(node.changes.length, about).toBeLessThan(10 + 8 * faults)
    expect(node.pingsOut, about).toBeLessThan(MINUTES * 60 * 4)
  }
}, 60_000)
