/**
 * What our engine does for others: an exit node and a subnet router, in userspace, for a tailscaled with a TUN device and
 * for a client of ours; two routers for one network, of either kind.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, say, WEB_PORT, type Place } from './egress-lab.ts'
import type { Attempt, Outcome } from './visitor.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
/** How soon after the server's word the other router carries. */
const TAKEOVER_MS = 2_000

const lab = new EgressLab()
/** A tailscaled with a TUN device: its host's programs go out through it without knowing. */
let laptop: { node: LabNode; place: Place }
/** A client of ours, in userspace. */
let client: LabNode

beforeAll(async () => {
  await lab.start()
  const place = await lab.place()
  laptop = { place, node: await lab.nat.join('tailscaled', 'laptop', place.site, { args: ['--tun=bwl0'] }) }
  client = await lab.nat.join('bowline', 'client', (await lab.place()).site)
}, 120_000)
afterAll(() => lab.stop(), 120_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

/** Whether a message of the server gives a network to a device. */
function namesAs(body: Record<string, unknown>, name: string, prefix: string): boolean {
  const nodes = [body['Peers'], body['PeersChanged']].flatMap((list) => (list ?? []) as { Name: string; AllowedIPs?: string[] }[])
  return nodes.some((node) => node.Name.startsWith(`${name}.`) && node.AllowedIPs?.includes(prefix) === true)
}

/** Resolves when one reaches the other. Two tailscaleds at times never do: their relay tells each that the other is not there. */
async function meet(one: LabNode, other: LabNode): Promise<void> {
  try {
    await one.waitUsable(other)
  } catch (error) {
    if (one.kind !== 'tailscaled' || other.kind !== 'tailscaled') throw error
    console.log(`${one.name} and ${other.name} did not meet: ${other.name} is started again\n${lab.logs()}`)
    await other.stop()
    await other.start()
    await other.waitState('Running', 30_000)
    await one.waitUsable(other)
  }
}

describe('an exit node of ours', () => {
  let exit: { node: LabNode; place: Place; neighbour: Place }

  beforeAll(async () => {
    const place = await lab.place({ 'exit-only.example': [MIRROR.v4] })
    const neighbour = await lab.beside(place)
    lab.startMirror('neighbour', neighbour.site.prefix)
    exit = { place, neighbour, node: await lab.exitNode('bowline', 'our-exit', place) }
    // What is on the exit node's own host, for its person alone.
    lab.startMirror('own service', place.site.prefix)
    await laptop.node.waitUsable(exit.node)
    await waitFor('the laptop to take it', async () => {
      const { code, stderr } = await laptop.node.tailscale('set', '--exit-node=our-exit')
      if (code !== 0) throw new Error(stderr)
      return true
    }, PATIENT)
    await waitFor('the world to see the laptop at the exit node', async () => {
      const [one] = await lab.visitPlainly(laptop.place, [{ how: 'tcp', host: MIRROR.v4, port: PORT }])
      if (one?.saw !== place.site.address) throw new Error(JSON.stringify(one))
      return true
    }, PATIENT)
  }, 120_000)
  afterAll(async () => {
    await laptop.node.tailscale('set', '--exit-node=')
  }, 60_000)

  test('carries TCP, UDP and web pages of a whole computer in both families', async () => {
    const attempts: Attempt[] = (['tcp', 'udp', 'http'] as const).flatMap((how) => [MIRROR.v4, MIRROR.v6].map((host) => ({ how, host, port: how === 'http' ? WEB_PORT : PORT })))
    for (const outcome of await lab.visitPlainly(laptop.place, attempts)) expect(outcome).toMatchObject({ saw: outcome.host.includes(':') ? exit.place.v6 : exit.place.site.address })
    expect(await say(laptop.place.site.prefix, 'curl', '-sS', '--max-time', '20', `http://${MIRROR.v4}/`)).toBe(exit.place.site.address)
  })

  test.each([['IPv4', MIRROR.v4], ['IPv6', MIRROR.v6]])('answers a ping to the world in %s', async (_, host) => {
    expect(await say(laptop.place.site.prefix, 'ping', '-n', '-c', '2', '-W', '10', host)).toMatch(/ 0% packet loss/)
  })

  test('says so when nobody is at a port or an address', async () => {
    const [shut] = await lab.visitPlainly(laptop.place, [{ how: 'tcp', host: MIRROR.v4, port: 9999 }])
    expect(shut?.failed).toMatch(/ECONNREFUSED/)
  })

  test('resolves names for the whole computer', async () => {
    const asked = exit.place.resolver.questions.length
    const atHome = laptop.place.resolver.questions.length
    const dig = (...words: string[]): Promise<string> => say(laptop.place.site.prefix, 'dig', '+short', '+timeout=10', '+tries=2', ...words)
    expect((await dig('@100.100.100.100', 'exit-only.example')).trim()).toBe(MIRROR.v4)
    expect((await dig('@100.100.100.100', MIRROR.name, 'AAAA')).trim()).toBe(MIRROR.v6)
    expect((await dig('@100.100.100.100', '+tcp', MIRROR.name)).trim()).toBe(MIRROR.v4)
    expect(await say(laptop.place.site.prefix, 'curl', '-sS', '--max-time', '20', '-4', `http://${MIRROR.name}/`)).toBe(exit.place.site.address)
    expect(exit.place.resolver.questions.slice(asked).map(({ name }) => name)).toEqual(expect.arrayContaining(['exit-only.example', MIRROR.name]))
    expect(laptop.place.resolver.questions.slice(atHome)).toEqual([])
  })

  test('never carries to its own network or its router', async () => {
    const { place, neighbour } = exit
    const hosts = [neighbour.v4, neighbour.v6, place.v4, place.resolver.address, neighbour.v6.replace(/[0-9a-f]+$/, '1')]
    const outcomes = await lab.visitPlainly(laptop.place, hosts.flatMap((host) => [{ how: 'tcp' as const, host, port: PORT }, { how: 'udp' as const, host, port: PORT }]), 5_000)
    expect(outcomes.filter(({ saw }) => saw !== undefined).map(({ how, host, saw }) => `${how} to ${host} came through as ${saw}`)).toEqual([])
  })

  test('stops carrying when the server withdraws its approval, flows that are open included', async () => {
    const { id } = await lab.nat.headscale.node('our-exit')
    const visitor = lab.keepVisiting(laptop.place, [{ how: 'tcp', host: MIRROR.v4, port: PORT }])
    await lab.nat.headscale.approveRoutes(id, [])
    await waitFor('nothing to come through', () => {
      const seen = visitor.outcomes.slice(-5)
      return seen.length === 5 && seen.every(({ saw }) => saw !== exit.place.site.address)
    }, PATIENT)
    await visitor.stop()
    await lab.nat.headscale.approveRoutes(id, ['0.0.0.0/0', '::/0'])
  })
})

describe.each<[string, readonly [NodeKind, NodeKind]]>([
  ['two tailscaleds', ['tailscaled', 'tailscaled']],
  ['two of ours', ['bowline', 'bowline']],
  ['one of each', ['tailscaled', 'bowline']],
])('one network behind %s', (_, kinds) => {
  let office: Place
  let desk: Place
  let prefix = ''
  const routers: { node: LabNode; place: Place }[] = []
  const toDesk = (): Attempt => ({ how: 'tcp', host: desk.v4, port: PORT })

  beforeAll(async () => {
    office = await lab.place()
    prefix = office.v4.replace(/\d+$/, '0/24')
    desk = await lab.beside(office)
    lab.startMirror('desk', desk.site.prefix)
    for (const [index, kind] of kinds.entries()) {
      const place = index === 0 ? office : await lab.beside(office)
      const node = await lab.nat.join(kind, `gw-${kinds.map(([letter]) => letter).join('')}-${index}`, place.site)
      await lab.offer(node, [prefix])
      routers.push({ node, place })
    }
    await client.api.patchPrefs({ RouteAllSet: true, RouteAll: true })
    await laptop.node.api.patchPrefs({ RouteAllSet: true, RouteAll: true })
    for (const { node } of routers) await Promise.all([client.waitUsable(node), meet(laptop.node, node)])
  }, 240_000)
  afterAll(() => Promise.all(routers.map(({ node }) => node.stop())), 60_000)

  test('it is reached through one of them, by TCP, UDP and ping', async () => {
    const at = routers.map(({ place }) => place.v4)
    const attempts: Attempt[] = [toDesk(), { ...toDesk(), how: 'udp' }, { ...toDesk(), how: 'http', port: WEB_PORT }]
    await waitFor('our client to be carried', async () => (await lab.visit(client, attempts)).every(({ saw }) => at.includes(saw ?? '')), PATIENT)
    await waitFor('the laptop to be carried', async () => (await lab.visitPlainly(laptop.place, attempts)).every(({ saw }) => at.includes(saw ?? '')), PATIENT)
    expect(await say(laptop.place.site.prefix, 'ping', '-n', '-c', '2', '-W', '10', desk.v4)).toMatch(/ 0% packet loss/)
  })

  test('the other one carries within two seconds of the word of the server', async () => {
    const carriers = [{ name: 'client', from: client }, { name: 'laptop', from: laptop.place }] as const
    const visitors = carriers.map(({ from }) => lab.keepVisiting(from, [toDesk()]))
    const last = (index: number): Outcome | undefined => visitors[index]!.outcomes.findLast(({ saw }) => saw !== undefined)
    await waitFor('both to be carried', () => visitors.every((_, index) => last(index) !== undefined), PATIENT)
    const first = routers.findIndex(({ place }) => place.v4 === last(0)?.saw)
    const [dying, heir] = [routers[first]!, routers[1 - first]!]
    const killedMs = Date.now()
    await dying.node.stop('kill')
    await waitFor('the other to carry both', () => visitors.every((_, index) => last(index)?.saw === heir.place.v4), PATIENT)
    for (const [index, { name }] of carriers.entries()) {
      const { id } = await lab.nat.headscale.node(name)
      const told = lab.nat.headscale.sentTo(id, killedMs).find(({ body }) => namesAs(body, heir.node.name, prefix))
      const carried = (await visitors[index]!.stop()).find(({ saw, endedMs }) => saw === heir.place.v4 && endedMs > killedMs)
      const gapMs = carried!.endedMs - told!.atMs
      console.log(`${kinds.join(' and ')}: ${name} carried ${Math.round(gapMs)} ms after the word, which came ${Math.round(told!.atMs - killedMs)} ms after the end`)
      expect(gapMs).toBeLessThan(TAKEOVER_MS)
    }
  })
})
