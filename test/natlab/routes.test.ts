/**
 * A network behind three routers of one LAN, two tailscaleds and one of ours, and a client of ours elsewhere that goes on asking
 * a machine of that LAN, whose answer tells which router asked. Routers die one after the other; the client's own network changes.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { RoutesPage } from '../../main/localapi/routes.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, type Place } from './egress-lab.ts'

/** After the server's word. */
const FAIL_OVER_MS = 2_000
const PATIENT = { withinMs: 60_000, everyMs: 100 }

const lab = new EgressLab()
const routers: { readonly node: LabNode; readonly place: Place }[] = []
let client: LabNode
let home: Place
let target: Place
let route = ''

beforeAll(async () => {
  await lab.start()
  home = await lab.place()
  client = await lab.nat.join('bowline', 'client', home.site)
  const office = await lab.place()
  route = office.v4.replace(/\.\d+$/, '.0/24')
  target = await lab.beside(office)
  lab.startMirror('target', target.site.prefix)
  for (const [i, kind] of (['tailscaled', 'tailscaled', 'bowline'] as const).entries()) {
    const place = i === 0 ? office : await lab.beside(office)
    const node = await lab.nat.join(kind, `gw-${i}`, place.site)
    await lab.offer(node, [route])
    routers.push({ node, place })
  }
  await client.api.patchPrefs({ RouteAllSet: true, RouteAll: true })
  for (const { node } of routers) await client.waitUsable(node)
}, 180_000)
afterAll(() => lab.stop(), 120_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

async function rowOf(prefix: string): Promise<RoutesPage['Routes'][number] | undefined> {
  const page = JSON.parse((await client.api.call('GET', 'bowline/routes')).text) as RoutesPage
  return page.Routes.find(({ Prefix }) => Prefix === prefix)
}

const stateOf = (wanted: RoutesPage['Routes'][number]['State']): Promise<RoutesPage['Routes'][number]> =>
  waitFor(`${route} to be ${wanted}`, async () => {
    const row = await rowOf(route)
    if (row?.State !== wanted) throw new Error(JSON.stringify(row))
    return row
  }, PATIENT)

/** When the server told the client that this router carries the network, wall clock ms. */
async function toldMs(router: LabNode, sinceMs: number): Promise<number | undefined> {
  const { id } = await lab.nat.headscale.node(client.name)
  const names = ({ body }: { body: Record<string, unknown> }): boolean =>
    ((body['PeersChanged'] ?? []) as { Name: string; AllowedIPs: string[] }[]).some(({ Name, AllowedIPs }) => Name.startsWith(`${router.name}.`) && AllowedIPs.includes(route))
  return lab.nat.headscale.sentTo(id, sinceMs).find(names)?.atMs
}

test.each([1, 2])('when the router that carries it dies, the next one does within two seconds of the server’s word, %d', async () => {
  const { Via } = await stateOf('used')
  const first = routers.find(({ node }) => node.name === Via!.Name)!
  const visiting = lab.keepVisiting(client, [{ how: 'tcp', host: target.v4, port: PORT }], 50)
  await waitFor('the first router to be seen', () => visiting.outcomes.some(({ saw }) => saw === first.place.v4), PATIENT)
  const killedMs = Date.now()
  await first.node.stop('kill')
  const addresses = routers.filter((router) => router !== first).map(({ place }) => place.v4)
  const arrived = await waitFor('another router to be seen', () => visiting.outcomes.find(({ saw }) => saw !== undefined && addresses.includes(saw)), PATIENT)
  const second = routers.find(({ place }) => place.v4 === arrived.saw)!
  const told = (await toldMs(second.node, killedMs))!
  await waitFor('things to settle', () => visiting.outcomes.at(-1)!.beganMs > told + FAIL_OVER_MS, PATIENT)
  const outcomes = await visiting.stop()
  const late = outcomes.filter(({ beganMs, saw }) => beganMs > told + FAIL_OVER_MS && saw !== second.place.v4)
  console.log(`${second.node.name} (${second.node.kind}) carries ${arrived.endedMs - told} ms after the server's word, which came ${told - killedMs} ms after ${first.node.name} died`)
  expect(arrived.endedMs - told).toBeLessThan(FAIL_OVER_MS)
  expect(late).toEqual([])
}, 180_000)

test('the network that the client comes to be on is left alone while it is there', async () => {
  await stateOf('used')
  const own = route.replace('.0/24', '.77/24')
  const device = /^\d+: (\w+)/m.exec(await home.site.ip('-o', '-4', 'addr', 'show', 'scope', 'global'))![1]!
  await home.site.ip('addr', 'add', own, 'dev', device)
  expect((await stateOf('overlaps')).Why).toBe(`This computer is on ${route} itself (${device}).`)
  await home.site.ip('addr', 'del', own, 'dev', device)
  await stateOf('used')
  const [seen] = await lab.visit(client, [{ how: 'tcp', host: target.v4, port: PORT }])
  expect(routers.map(({ place }) => place.v4)).toContain(seen?.saw)
}, 120_000)

test('another VPN that comes and goes is told by name', async () => {
  const told = (): Promise<boolean> => client.bowline('status').then(({ stdout }) => stdout.replaceAll(/\s+/g, ' ').includes('WireGuard (wg0) is on beside Bowline'))
  // The name tells, whatever is behind it.
  await home.site.ip('link', 'add', 'wg0', 'type', 'veth', 'peer', 'name', 'far')
  await home.site.ip('addr', 'add', '10.8.0.2/24', 'dev', 'wg0')
  for (const end of ['far', 'wg0']) await home.site.ip('link', 'set', end, 'up')
  await waitFor('the other VPN to be told', told, PATIENT)
  await home.site.ip('link', 'del', 'wg0')
  await waitFor('it to be gone', async () => !(await told()), PATIENT)
}, 120_000)

test('a network that holds our own server and relays is used, and the engine itself still goes past it', async () => {
  const internet = '203.0.113.0/24'
  const left = await stateOf('used').then(({ Via }) => routers.find(({ node }) => node.name === Via!.Name)!)
  await lab.offer(left.node, [route, internet])
  const row = await waitFor('the internet to be offered', async () => {
    const found = await rowOf(internet)
    return found?.State === 'used' ? found : undefined
  }, PATIENT)
  expect(row.Why).toMatch(/Bowline itself still reaches the server at 203\.0\.113\.1 and the relay r900 at 203\.0\.113\.2 and the relay r901 at 203\.0\.113\.3 past it/)
  const mirror = { how: 'tcp', host: MIRROR.v4, port: PORT } as const
  const seenAs = async (): Promise<string | undefined> => (await lab.visit(client, [mirror]))[0]!.saw
  expect(await seenAs()).toBe(left.place.site.address)
  // Everything that the engine opens, it opens anew while the network is in use.
  await client.stop()
  await client.start()
  await client.waitState('Running', PATIENT.withinMs)
  await client.waitUsable(left.node, PATIENT.withinMs)
  await stateOf('used')
  expect(await seenAs()).toBe(left.place.site.address)
}, 180_000)
