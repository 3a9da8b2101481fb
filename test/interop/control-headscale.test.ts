/**
 * The control client alone against a real Headscale: joining, peers, restarts, refusals, links, updates, logout.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { nodeKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { systemRandom } from '../../main/engine/io/random.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { ControlClient } from './control-client.ts'
import { ALLOW_ALL, Headscale, type HeadscaleNode } from './lab/headscale.ts'
import { requirePeers } from './lab/peers.ts'

const folder = makeTempDir('control')
let headscale: Headscale
const clients: ControlClient[] = []

function client(name: string, options?: { zstd?: boolean; ca?: string }): ControlClient {
  const made = new ControlClient(name, options)
  clients.push(made)
  return made
}

async function join_(name: string, options?: { zstd?: boolean }): Promise<ControlClient> {
  const made = client(name, options)
  made.control.begin({ controlUrl: headscale.url, machineKey: made.machineKey, nodeKey: undefined, authKey: await headscale.authKey(), interactive: false })
  await running(made)
  return made
}

function running(of: ControlClient, withinMs = 15_000): Promise<unknown> {
  return waitFor(`${of.hostinfo.Hostname} to run`, () => {
    if (of.state.kind === 'failed') throw new Error(of.state.message)
    return of.state.kind === 'running'
  }, { withinMs })
}

/** The node as Headscale stores it, host information included. */
async function stored(name: string): Promise<HeadscaleNode> {
  return headscale.node(name)
}

beforeAll(async () => {
  const inner = join(folder, 'hs')
  mkdirSync(inner)
  headscale = new Headscale({ program: requirePeers().headscale, folder: inner, derpFiles: [], policy: ALLOW_ALL })
  await headscale.start()
})

afterEach((context) => {
  if (context.task.result?.state === 'fail') for (const of of clients) console.error(`${of.hostinfo.Hostname}\n${of.log}`)
  for (const of of clients.splice(0)) of.control.stop()
})

afterAll(async () => {
  await headscale.stop()
  removeTempDir(folder)
})

test('an auth key joins, and the server sees the node online with its true name and system', async () => {
  const alpha = await join_('alpha')
  expect(alpha.netMap?.self.Name).toBe('alpha.lab.internal.')
  expect(alpha.netMap?.self.Hostinfo?.OS).toBe('linux')
  expect(alpha.netMap?.self.Key).toBe(nodeKey(alpha.nodeKey!.publicBytes()))
  const node = await stored('alpha')
  expect(node.online).toBe(true)
  expect(node.node_key).toBe(alpha.netMap?.self.Key)
  expect(alpha.netMap?.derpMap.Regions['999']?.Nodes?.[0]?.HostName).toBe('127.0.0.1')
})

test('two clients see each other come and go, with and without compression', async () => {
  const one = await join_('seen-one')
  const two = await join_('seen-two', { zstd: false })
  const peer = (of: ControlClient, name: string) => [...(of.netMap?.peers.values() ?? [])].find((node) => node.Hostinfo?.Hostname === name)
  await waitFor('the peers to be online on both sides', () => peer(one, 'seen-two')?.Online === true && peer(two, 'seen-one')?.Online === true, { withinMs: 15_000 })
  two.control.stop()
  await waitFor('the second to be seen offline', () => peer(one, 'seen-two')?.Online === false && peer(one, 'seen-two')?.LastSeen !== undefined, { withinMs: 30_000 })
})

test('an update of endpoints reaches the peers once, and the echo of it is not answered', async () => {
  const one = await join_('lite-one')
  const two = await join_('lite-two')
  two.tell({ endpoints: [{ addr: '192.0.2.7:41641', type: 1 }] })
  const seen = (): boolean => [...(one.netMap?.peers.values() ?? [])].some((node) => node.Endpoints?.includes('192.0.2.7:41641'))
  await waitFor('the endpoint to arrive', seen, { withinMs: 10_000 })
  await waitFor('the update to be answered', () => two.journal.some((entry) => entry.kind === 'update-sent'), { withinMs: 5000 })
  const sent = (): number => two.journal.filter((entry) => entry.kind === 'update-sent').length
  const before = sent()
  // A third node's arrival brings messages to both; none of them may cause an update.
  await join_('lite-three')
  expect(sent()).toBe(before)
  two.tell({ endpoints: [{ addr: '192.0.2.7:41641', type: 1 }] })
  expect(sent()).toBe(before)
})

test('a saved node key goes straight to the map, without a registration', async () => {
  const first = await join_('saved')
  first.control.stop()
  const again = client('saved')
  again.control.begin({ controlUrl: headscale.url, machineKey: first.machineKey, nodeKey: first.nodeKey, interactive: false })
  await running(again)
  expect(again.netMap?.self.ID).toBe(first.netMap?.self.ID)
  expect(again.nodeKey).toBe(first.nodeKey)
  expect(again.states.some((state) => state.kind === 'working' && state.step === 'register')).toBe(false)
})

test('over TLS the server key is fetched from a trusted certificate only, and the map comes through', async () => {
  const file = (name: string): string => readFileSync(new URL(`../vectors/tls/${name}`, import.meta.url), 'utf8')
  const front = createServer({ cert: file('localhost.crt'), key: file('localhost.key') }, (socket) => {
    const behind = connect(headscale.port, '127.0.0.1')
    for (const end of [socket, behind]) end.on('error', () => {})
    socket.pipe(behind).pipe(socket)
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  const controlUrl = `https://localhost:${(front.address() as AddressInfo).port}`
  const trusting = client('by-tls', { ca: file('localhost.crt') })
  trusting.control.begin({ controlUrl, machineKey: trusting.machineKey, nodeKey: undefined, authKey: await headscale.authKey(), interactive: false })
  await running(trusting)
  const doubting = client('doubting')
  doubting.control.begin({ controlUrl, machineKey: doubting.machineKey, nodeKey: undefined, authKey: 'x', interactive: false })
  const state = await waitFor('the refusal', () => (doubting.state.kind === 'lost' ? doubting.state : undefined), { withinMs: 10_000 })
  expect(state).toMatchObject({ code: 'cert-self-signed' })
  expect(state.message).toMatch(/certificate/)
  front.close()
})

test('a restart of the server is survived without help', async () => {
  const one = await join_('survivor')
  const mapsBefore = one.maps
  await headscale.restart()
  await waitFor('the stream to be lost and found', () => one.states.some((state) => state.kind === 'lost') && one.state.kind === 'running' && one.maps > mapsBefore, { withinMs: 30_000 })
  expect((await stored('survivor')).online).toBe(true)
})

test('a wrong, a used and an expired auth key are refused once, in the words of the server, and never retried', async () => {
  const used = await headscale.authKey()
  const first = client('first-user')
  first.control.begin({ controlUrl: headscale.url, machineKey: first.machineKey, nodeKey: undefined, authKey: used, interactive: false })
  await running(first)
  const expired = await headscale.authKey({ expiration: '1ms' })
  for (const [authKey, words] of [['not-a-key', /auth.?key/i], [used, /authkey already used/], [expired, /authkey expired/]] as const) {
    const refused = client('refused')
    refused.control.begin({ controlUrl: headscale.url, machineKey: refused.machineKey, nodeKey: undefined, authKey, interactive: false })
    const state = await waitFor('the refusal', () => (refused.state.kind === 'failed' ? refused.state : undefined), { withinMs: 10_000 })
    expect(state.code).toBe('auth-key-invalid')
    expect(state.message).toMatch(words)
    expect(state.message + refused.log).not.toContain(authKey)
    expect(refused.states.filter((past) => past.kind === 'working' && past.step === 'register')).toHaveLength(1)
  }
})

test('a link is offered, waits for approval, and logs in when the administrator approves', async () => {
  const one = client('by-link')
  one.control.begin({ controlUrl: headscale.url, machineKey: one.machineKey, nodeKey: undefined, interactive: true })
  const url = await waitFor('the link', () => one.links[0], { withinMs: 10_000 })
  expect(url.startsWith(`${headscale.url}/register/`)).toBe(true)
  await headscale.cli('auth', 'register', '--auth-id', url.slice(url.lastIndexOf('/') + 1), '--user', 'alice')
  await running(one)
  expect(one.netMap?.self.Name).toBe('by-link.lab.internal.')
})

test('a link that the administrator rejects is replaced by a new one, with the reason', async () => {
  const one = client('rejected')
  one.control.begin({ controlUrl: headscale.url, machineKey: one.machineKey, nodeKey: undefined, interactive: true })
  const url = await waitFor('the link', () => one.links[0], { withinMs: 10_000 })
  await headscale.cli('auth', 'reject', '--auth-id', url.slice(url.lastIndexOf('/') + 1))
  const second = await waitFor('the new link', () => one.links[1], { withinMs: 15_000 })
  expect(second).not.toBe(url)
  expect(one.state).toMatchObject({ kind: 'waiting', authUrl: second, problem: { code: 'login-refused' } })
})

test('a device that the administrator deleted needs a login after its next connection', async () => {
  const one = await join_('deleted')
  await headscale.remove((await stored('deleted')).id)
  one.control.reconnect('test')
  const state = await waitFor('the need of a login', () => (one.state.kind === 'needs-login' ? one.state : undefined), { withinMs: 15_000 })
  expect(state.why).toContain('log in again')
})

test('an expired node logs in again with a new node key and keeps its address', async () => {
  const one = await join_('expiring')
  const node = await stored('expiring')
  await headscale.cli('nodes', 'expire', '-i', String(node.id))
  await waitFor('the expiry to be told', () => one.netMap?.self.Expired === true, { withinMs: 15_000 })
  const oldKey = one.nodeKey!
  one.control.begin({ controlUrl: headscale.url, machineKey: one.machineKey, nodeKey: oldKey, authKey: await headscale.authKey(), interactive: true })
  await waitFor('the new key', () => one.state.kind === 'running' && one.nodeKey !== oldKey && one.netMap?.self.Expired !== true, { withinMs: 15_000 })
  expect(one.netMap?.self.Addresses).toEqual(node.ip_addresses.map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`))
})

test('a new login keeps the old map stream until the new key is good', async () => {
  const one = await join_('renewing')
  one.control.begin({ controlUrl: headscale.url, machineKey: one.machineKey, nodeKey: one.nodeKey, interactive: true })
  const url = await waitFor('the link', () => one.links[0], { withinMs: 10_000 })
  await join_('arrives-meanwhile')
  await waitFor('the newcomer to be seen', () => [...(one.netMap?.peers.values() ?? [])].some((node) => node.Hostinfo?.Hostname === 'arrives-meanwhile'), { withinMs: 10_000 })
  expect(one.state.kind).toBe('waiting')
  await headscale.cli('auth', 'register', '--auth-id', url.slice(url.lastIndexOf('/') + 1), '--user', 'alice')
  await running(one)
})

test('logout is told to the server', async () => {
  const one = await join_('leaver')
  await one.control.logout(5000)
  expect(one.state.kind).toBe('needs-login')
  const node = (await headscale.nodes()).find((other) => other.given_name === 'leaver') as (HeadscaleNode & { expiry?: { seconds: number } }) | undefined
  expect(node?.expiry?.seconds ?? 0).toBeGreaterThan(0)
  expect(node!.expiry!.seconds * 1000).toBeLessThanOrEqual(Date.now() + 1000)
})

test("control's pings to the routers of one route are answered, so that the first one stays primary", async () => {
  const routes = ['10.77.0.0/24']
  const [one, two] = [await join_('router-one'), await join_('router-two')]
  for (const router of [one, two]) {
    router.tell({ hostinfo: { ...router.hostinfo, RoutableIPs: routes } })
    await waitFor('the routes to be told', () => router.journal.some((entry) => entry.kind === 'update-sent'), { withinMs: 10_000 })
    await headscale.approveRoutes((await stored(router.hostinfo.Hostname!)).id, routes)
  }
  const answered = (router: ControlClient): boolean => router.journal.some((entry) => entry.kind === 'ping-request' && entry['answered'] === true)
  await waitFor('both pings to be answered', () => answered(one) && answered(two), { withinMs: 40_000 })
  await waitFor('the first router to be primary', () => [...two.netMap!.peers.values()].some((node) => node.Name.startsWith('router-one') && node.PrimaryRoutes?.includes(routes[0]!)), { withinMs: 5000 })
})

test('a server that is not there is told as such, and another login goes ahead', async () => {
  const one = client('mitm')
  one.control.begin({ controlUrl: 'http://127.0.0.1:9', machineKey: one.machineKey, nodeKey: PrivateKey.fromRandom(systemRandom.bytes(32)), interactive: false })
  const state = await waitFor('the loss', () => (one.state.kind === 'lost' ? one.state : undefined), { withinMs: 10_000 })
  expect(state).toMatchObject({ code: 'connection-refused' })
  one.control.begin({ controlUrl: headscale.url, machineKey: one.machineKey, nodeKey: undefined, authKey: await headscale.authKey(), interactive: false })
  await running(one)
})
