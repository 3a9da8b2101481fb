/**
 * The engine's control client on the simulated control server, in memory: sign-in of both kinds, deltas, policy, and a
 * server that fails, restarts, forgets and refuses. Time is moved by hand.
 */
import http from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { PrivateKey, discoKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { Control } from '../../../main/engine/control/control.ts'
import type { ControlLogin, HttpFetch } from '../../../main/engine/control/ports.ts'
import type { NetMapDelta } from '../../../main/engine/core/netmap/types.ts'
import type { ControlState } from '../../../main/engine/core/session/types.ts'
import { Http2Connection } from '../../../main/engine/io/http2.ts'
import { zstdDecompress } from '../../../main/engine/io/zstd.ts'
import { HandClock, seededRandom, settle } from '../clock.ts'
import { SimControl } from './sim-control.ts'
import type { SimControlOptions } from './sim-control.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** A server and its clients, all on one hand clock. */
class Lab {
  readonly clock = new HandClock()
  readonly random = seededRandom(11)
  readonly server: SimControl

  constructor(options: SimControlOptions = {}) {
    this.server = new SimControl({ clock: this.clock, random: this.random, ...options })
  }

  client(hostname: string): Client {
    const client = new Client(this, hostname)
    closers.push(() => client.control.stop())
    return client
  }

  /** Lets things happen for `ms` of simulated time. */
  async run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 50) {
      await this.clock.run(50)
      await settle(8)
    }
  }

  /** Runs until `look` is true, in simulated time; fails after `ms` of it. */
  async until(what: string, look: () => boolean, ms = 60_000): Promise<void> {
    for (let at = 0; at < ms; at += 100) {
      if (look()) return
      await this.run(100)
    }
    throw new Error(`${what}: not within ${ms} simulated ms`)
  }
}

class Client {
  readonly control: Control
  readonly machineKey: PrivateKey
  readonly states: ControlState[] = []
  readonly maps: NetMapDelta[] = []
  readonly links: string[] = []
  nodeKey: PrivateKey | undefined
  readonly #lab: Lab
  readonly #disco: PrivateKey
  readonly #hostname: string

  constructor(lab: Lab, hostname: string) {
    this.#lab = lab
    this.#hostname = hostname
    this.machineKey = PrivateKey.fromRandom(lab.random.bytes(32))
    this.#disco = PrivateKey.fromRandom(lab.random.bytes(32))
    this.control = new Control({
      env: { clock: lab.clock, random: lab.random, log: silentLog, journal: { add: () => {} } },
      dial: () => Promise.resolve(lab.server.connect()),
      http: fetchFrom(lab.server),
      http2: (stream, authority) => new Http2Connection(stream, authority),
      zstd: zstdDecompress,
    })
    this.control.start({
      onState: (state) => this.states.push(state),
      onLoggedIn: ({ nodeKey }) => (this.nodeKey = nodeKey),
      onNetMap: (delta) => this.maps.push(delta),
      onPopBrowser: (url) => this.links.push(url),
    })
    this.tell([])
  }

  tell(endpoints: readonly string[]): void {
    this.control.set({
      hostinfo: { Hostname: this.#hostname, OS: 'linux' },
      endpoints: endpoints.map((addr) => ({ addr, type: 2 as const })),
      discoKey: discoKey(this.#disco.publicBytes()),
    })
  }

  begin(login: Partial<ControlLogin>): void {
    const { machineKey, nodeKey } = this
    this.control.begin({ controlUrl: this.#lab.server.url, machineKey, nodeKey, interactive: false, ...login })
  }

  async join(login: Partial<ControlLogin> = {}): Promise<void> {
    this.begin({ authKey: this.#lab.server.createAuthKey({ login: 'ada' }), ...login })
    await this.running()
  }

  running(): Promise<void> {
    return this.#lab.until(`${this.#hostname} running`, () => this.state.kind === 'running')
  }

  get state(): ControlState {
    return this.control.state
  }

  /** The newest map's peers by name. */
  peers(): string[] {
    return [...(this.maps.at(-1)?.netMap.peers.values() ?? [])].map((peer) => peer.Name.split('.')[0]!)
  }
}

function fetchFrom(server: SimControl): HttpFetch {
  return ({ method, url, signal }) =>
    new Promise((done, fail) => {
      const { pathname, search } = new URL(url)
      const options = { method, path: pathname + search, createConnection: () => server.connect() as never, ...(signal && { signal }) }
      const request = http.request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', fail)
        response.on('end', () => done({ status: response.statusCode ?? 0, headers: {}, body: Buffer.concat(chunks) }))
      })
      request.on('error', fail)
      request.end()
    })
}

test('an auth key leads to a map with a name and rules', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  expect(ada.maps[0]?.netMap.self.Name).toBe('ada.sim.internal.')
  expect([...ada.maps[0]!.netMap.packetFilters.keys()]).toEqual(['base'])
})

test('a bad auth key fails for good and says why in the server’s words', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  ada.begin({ authKey: 'hskey-auth-no-such' })
  await lab.until('failed', () => ada.state.kind === 'failed')
  expect(ada.state).toMatchObject({ code: 'auth-key-invalid', message: expect.stringContaining('invalid pre auth key') })
  const asked = lab.server.counts.get('/machine/register')
  await lab.run(30_000)
  expect(lab.server.counts.get('/machine/register')).toBe(asked)
})

test('an interactive sign-in shows a link, waits, and is in once somebody confirms', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  ada.begin({ interactive: true })
  await lab.until('a link', () => ada.links.length > 0 && lab.server.counts.has('/machine/register followup'))
  expect(ada.links).toEqual([lab.server.pendingSignIns()[0]!.url])
  lab.server.registration.approve(lab.server.pendingSignIns()[0]!.id, 'grace')
  await ada.running()
})

test('a refused sign-in gives a new link and says so, and ends when it is refused again and again', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  ada.begin({ interactive: true })
  await lab.until('a follow-up', () => lab.server.counts.has('/machine/register followup'))
  lab.server.registration.reject(lab.server.pendingSignIns()[0]!.id)
  await lab.until('a second link', () => ada.links.length === 2)
  expect(ada.state).toMatchObject({ kind: 'waiting', problem: { code: 'login-refused' } })
  await lab.until('the end', () => {
    for (const { id } of lab.server.pendingSignIns()) lab.server.registration.reject(id)
    return ada.state.kind === 'needs-login'
  })
  expect(ada.state).toMatchObject({ code: 'login-refused' })
  expect(ada.links).toHaveLength(4)
})

for (const deltaStyle of ['patch', 'headscale'] as const) {
  test(`peers that join, move, are renamed, leave: seen within one batch (${deltaStyle})`, async () => {
    const lab = new Lab({ deltaStyle, batchMs: 50 })
    const ada = lab.client('ada')
    await ada.join()
    const mia = lab.client('mia')
    await mia.join()
    await lab.until('mia is seen', () => ada.peers().includes('mia'))
    mia.tell(['192.0.2.7:41641'])
    await lab.until('her endpoint', () => [...ada.maps.at(-1)!.netMap.peers.values()][0]?.Endpoints?.[0] === '192.0.2.7:41641')
    lab.server.tailnet.rename(lab.server.tailnet.nodeNamed('mia'), 'hopper')
    await lab.run(200)
    expect(ada.peers()).toEqual(['hopper'])
    lab.server.tailnet.remove(lab.server.tailnet.nodeNamed('hopper'))
    await lab.run(200)
    expect(ada.peers()).toEqual([])
  })
}

test('a policy change arrives as new rules', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  lab.server.tailnet.setPolicy({ rules: [{ from: ['*'], to: ['ada:22'] }] })
  await lab.run(200)
  expect(ada.maps.at(-1)?.filterChanged).toBe(true)
  const rules = ada.maps.at(-1)?.netMap.packetFilters.get('base')
  expect(rules?.[0]?.DstPorts?.[0]).toEqual({ IP: '100.64.0.1', Ports: { First: 22, Last: 22 } })
})

test('a server that echoes every update does not make the client chatter', async () => {
  const lab = new Lab({ deltaStyle: 'headscale', echoLiteUpdates: true })
  const ada = lab.client('ada')
  await ada.join()
  ada.tell(['192.0.2.7:41641'])
  await lab.run(5000)
  const sent = lab.server.counts.get('/machine/map lite')
  await lab.run(120_000)
  expect(lab.server.counts.get('/machine/map lite')).toBe(sent)
})

test('a cut connection is made again by itself, and the map is kept meanwhile', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  lab.server.dropConnections()
  await lab.until('lost and running again', () => ada.state.kind === 'running' && ada.states.some((state) => state.kind === 'lost'))
  expect(lab.server.tailnet.nodes.size).toBe(1)
  expect(lab.server.counts.get('/machine/register')).toBe(1)
})

test('a stream that falls silent is noticed within two minutes', async () => {
  const lab = new Lab({ keepAliveMs: 10_000_000 })
  const ada = lab.client('ada')
  await ada.join()
  const opened = lab.server.counts.get('/machine/map stream')
  await lab.run(119_000)
  expect(lab.server.counts.get('/machine/map stream')).toBe(opened)
  await lab.until('a second stream', () => lab.server.counts.get('/machine/map stream') !== opened, 10_000)
})

test('keepalives hold a quiet stream open for an hour', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  const opened = lab.server.counts.get('/machine/map stream')
  for (let minute = 0; minute < 60; minute++) await lab.clock.run(60_000)
  expect(ada.state.kind).toBe('running')
  expect(lab.server.counts.get('/machine/map stream')).toBe(opened)
})

test('a server that answers 503 for a while is waited for', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  lab.server.faults.add('/machine/map', { kind: 'status', status: 503, body: 'busy' }, 5)
  await ada.join()
  expect(ada.states.some((state) => state.kind === 'lost')).toBe(true)
})

test('frames of garbage end the stream, not the client', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  const node = lab.server.tailnet.nodeNamed('ada')
  const opened = lab.server.counts.get('/machine/map stream') ?? 0
  lab.server.sendBytesTo(node, new Uint8Array([5, 0, 0, 0, 1, 2, 3, 4, 5]))
  await lab.until('a second stream', () => (lab.server.counts.get('/machine/map stream') ?? 0) > opened && ada.state.kind === 'running')
  lab.server.sendBytesTo(node, new Uint8Array([0xff, 0xff, 0xff, 0xff, 1]))
  await lab.until('a third stream', () => (lab.server.counts.get('/machine/map stream') ?? 0) > opened + 1 && ada.state.kind === 'running')
})

test('a server that cuts off after the upgrade is told apart from one that is away', async () => {
  const lab = new Lab()
  lab.server.handshake = 'cut'
  const ada = lab.client('ada')
  ada.begin({ authKey: lab.server.createAuthKey({ login: 'ada' }) })
  await lab.until('an end', () => ada.state.kind === 'failed' || ada.state.kind === 'lost')
  expect(ada.state).toMatchObject({ code: 'control-version' })
})

test('a node that was removed while it was away has to sign in again', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  const { nodeKey, machineKey } = ada
  ada.control.stop()
  lab.server.tailnet.remove(lab.server.tailnet.nodeNamed('ada'))
  const again = lab.client('ada')
  again.begin({ machineKey, nodeKey })
  await lab.until('needs login', () => again.state.kind === 'needs-login')
  expect(again.state).toMatchObject({ code: 'control-not-found' })
})

test('a saved key is enough after a restart of the client', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  const { nodeKey, machineKey } = ada
  ada.control.stop()
  const again = lab.client('ada')
  again.begin({ machineKey, nodeKey })
  await again.running()
  expect(lab.server.tailnet.nodes.size).toBe(1)
})

test('logout ends the node key on the server', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  await Promise.all([ada.control.logout(5000), lab.run(1000)])
  expect(lab.server.tailnet.isExpired(lab.server.tailnet.nodeNamed('ada'))).toBe(true)
  expect(ada.state.kind).toBe('needs-login')
})

test('an expired key is known from the stream', async () => {
  const lab = new Lab()
  const ada = lab.client('ada')
  await ada.join()
  lab.server.tailnet.expire(lab.server.tailnet.nodeNamed('ada'))
  await lab.run(500)
  expect(ada.maps.at(-1)?.netMap.self.Expired).toBe(true)
})
