import { describe, expect, it } from 'vitest'
import { explainPath } from '../../../main/engine/core/path/reason/explain.ts'
import type { SiteKind } from './network.ts'
import { FULL_BYTES, isDirect, SimWorld } from './nodes.ts'
import type { SimNode, WorldOptions } from './nodes.ts'

/** Two nodes with traffic both ways and a direct path. */
async function connected(a: SiteKind, b: SiteKind, options: WorldOptions = {}): Promise<{ world: SimWorld; one: SimNode; other: SimNode }> {
  const world = new SimWorld(options)
  const [one, other] = [world.add(a), world.add(b)]
  await world.start()
  for (const node of [one, other]) node.traffic(50)
  expect(await world.runUntil(() => isDirect(one, other), 10_000)).toBeDefined()
  await world.run(3000)
  return { world, one, other }
}

function missing(from: SimNode, to: SimNode): number {
  return from.dataSent - to.received.size
}

function quantile(values: number[], share: number): number {
  return values.toSorted((x, y) => x - y)[Math.floor(values.length * share)]!
}

describe('a path in use', () => {
  it('loses no packet on its way from the relay to the direct path', async () => {
    const world = new SimWorld()
    const [one, other] = [world.add('easy'), world.add('easy')]
    await world.start()
    for (const node of [one, other]) node.traffic(2)
    await world.runUntil(() => isDirect(one, other), 5000)
    await world.run(2000)
    for (const node of [one, other]) node.traffic(0)
    await world.run(1000)
    expect([missing(one, other), missing(other, one)]).toEqual([0, 0])
  })

  it('is left for the relay within a second or so of its death, and taken again when it lives', async () => {
    const times: number[] = []
    for (let seed = 0; seed < 16; seed++) {
      const { world, one, other } = await connected('easy', 'restricted', { seed })
      await world.run(seed * 37)
      world.network.cut.add(one.host.name).add(other.host.name)
      times.push((await world.runUntil(() => one.path.kind !== 'direct' && other.path.kind !== 'direct', 20_000))!)
      await world.run(15_000)
      expect([one.path.kind, other.path.kind], `seed ${seed}`).toEqual(['relay', 'relay'])
      world.network.cut.clear()
      expect(await world.runUntil(() => isDirect(one, other), 30_000), `seed ${seed}`).toBeLessThan(6000)
    }
    expect(quantile(times, 0.5)).toBeLessThan(800)
    expect(quantile(times, 0.95)).toBeLessThan(1200)
  })

  it('is left too when packets pass one way only', async () => {
    for (const cut of [0, 1]) {
      const { world, one, other } = await connected('public', 'easy')
      world.network.cut.add(world.nodes[cut]!.host.name)
      await world.run(10_000)
      expect([one.path.kind, other.path.kind]).toEqual(['relay', 'relay'])
      const before = one.changes.length
      await world.run(600_000)
      expect(one.changes.length).toBe(before)
    }
  })

  it.each([['easy', 'easy'], ['easy-random-port', 'restricted'], ['hard', 'full-cone'], ['double', 'easy']] as const)('is found again when a NAT of %s or of %s forgets everything', async (a, b) => {
    for (const which of [0, 1]) {
      const { world, one, other } = await connected(a, b)
      const lostBefore = missing(one, other)
      for (const nat of world.nodes[which]!.host.nats) nat.restart()
      await world.run(1500)
      const tookMs = await world.runUntil(() => isDirect(one, other), 20_000)
      expect(tookMs, `${which}`).toBeLessThan(4500)
      await world.run(1000)
      for (const node of [one, other]) node.traffic(0)
      await world.run(1000)
      expect((missing(one, other) - lostBefore) * 50).toBeLessThan(1600)
    }
  })

  it('follows a peer to another address', async () => {
    const { world, one, other } = await connected('easy', 'easy')
    for (const nat of other.host.nats) nat.restart('198.51.100.77')
    other.sock.handleNetworkChange('the default route is another', true)
    expect(await world.runUntil(() => isDirect(one, other) && one.path.kind === 'direct' && one.path.addr.ip === '198.51.100.77', 20_000)).toBeLessThan(2000)
  })

  it('changes nothing but between direct and both ways while one packet in twenty is lost, and seldom', async () => {
    const { world, one } = await connected('easy', 'easy', { loss: 0.05 })
    const before = one.changes.length
    await world.run(1_800_000)
    const since = one.changes.slice(before)
    expect(since.every(({ path }) => path.kind === 'direct' || path.kind === 'both')).toBe(true)
    expect(since.length).toBeLessThan(40)
  })

  it('falls silent with its traffic, but for what ends trust in it', async () => {
    const { world, one, other } = await connected('easy', 'easy')
    for (const node of [one, other]) node.traffic(0)
    await world.run(60_000)
    const sent = world.network.sent
    await world.run(3_600_000)
    expect(world.network.sent).toBe(sent)
    one.sendData(FULL_BYTES)
    expect(one.path.kind).toBe('both')
    await world.run(100)
    expect(other.received.has(one.dataSent - 1)).toBe(true)
  })
})

describe('a path that loses large packets and says nothing', () => {
  const HOLE_BYTES = 1280

  it('gives way to the relay at the first meeting, within two seconds, and full packets get through', async () => {
    const world = new SimWorld()
    const [one, other] = [world.add('easy'), world.add('easy')]
    world.network.largestBytes = HOLE_BYTES
    await world.start()
    for (const node of [one, other]) node.traffic(50)
    await world.run(3000)
    for (const node of [one, other]) {
      expect(node.path.kind).toBe('relay')
      expect(node.changes.length).toBeLessThan(6)
      expect(node.evidence().candidates.some((one) => one.carries === 'small')).toBe(true)
      expect(explainPath({ machine: node.evidence() }).sentence).toBe('relayed: narrow path, the direct one answers but loses full-size packets')
    }
    const before = missing(one, other)
    await world.run(60_000)
    expect(missing(one, other) - before).toBeLessThanOrEqual(2)
  })

  it('is noticed within twenty seconds when it starts later, and taken again when it is whole', async () => {
    const { world, one, other } = await connected('easy', 'easy')
    world.network.largestBytes = HOLE_BYTES
    expect(await world.runUntil(() => one.path.kind === 'relay' && other.path.kind === 'relay', 120_000)).toBeLessThan(20_000)
    await world.run(600_000)
    const changes = one.changes.length
    await world.run(600_000)
    expect(one.changes.length).toBe(changes)
    world.network.largestBytes = Number.POSITIVE_INFINITY
    expect(await world.runUntil(() => isDirect(one, other), 120_000)).toBeLessThan(62_000)
    const whole = one.changes.length
    await world.run(120_000)
    expect(one.changes.length - whole).toBeLessThanOrEqual(2)
    expect(isDirect(one, other)).toBe(true)
  })

  it('is used all the same where there is no relay', async () => {
    const world = new SimWorld({ loss: 0 })
    const [one, other] = [world.add('public'), world.add('public')]
    world.network.largestBytes = HOLE_BYTES
    await world.start()
    for (const node of [one, other]) node.traffic(50)
    await world.run(5000)
    for (const node of [one, other]) node.sock.setConfig({ derpMap: { Regions: {} }, peers: [{ ...peerOf(world.other(node)!), homeDerp: 0 }] })
    world.deadRelays.add(2).add(3)
    for (const node of [one, other]) for (const region of [2, 3]) node.sock.handlePeerGone(region, world.other(node)!.key)
    expect(await world.runUntil(() => isDirect(one, other), 60_000)).toBeDefined()
  })
})

function peerOf(node: SimNode): Parameters<SimNode['sock']['setConfig']>[0]['peers'][number] {
  return { id: 1, key: node.key, disco: node.sock.discoKey, homeDerp: 0, ip: '100.64.0.1', name: node.host.name, expired: false, endpoints: [node.host.addr] }
}
