/**
 * Whole engines, add-on and all, on the simulated servers: what has to go on when servers go, and what has to stop when
 * the policy says so. On loopback, hermetic, each test with engines of its own.
 */
import dgram from 'node:dgram'
import { existsSync } from 'node:fs'
import http from 'node:http'
import type net from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AddrPort } from '../../main/engine/base/ip.ts'
import { startEngine } from '../../main/engine/daemon.ts'
import type { Status } from '../../main/localapi/types.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { seededRandom } from './clock.ts'
import { SimControl } from './control/sim-control.ts'
import { ALLOW_ALL } from './control/policy.ts'
import { LocalApi } from './demo/local-api.ts'
import { fetchByHttpProxy, socksConnect } from './demo/proxied-fetch.ts'
import { FRAME, derpFrame } from './derp/derp-frames.ts'
import { SimDerp } from './derp/sim-derp.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const hasAddon = existsSync(`${root}native/bowline.${process.platform}-${process.arch}.node`)
const suite = hasAddon ? describe : describe.skip

type Running = Awaited<ReturnType<typeof startEngine>>

class Engine {
  readonly name: string
  readonly api: LocalApi
  #lab: Lab
  #running: Running | undefined

  constructor(lab: Lab, name: string) {
    this.#lab = lab
    this.name = name
    this.api = new LocalApi(join(lab.folder, `${name}.sock`))
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#running = await startEngine({
      stateDir: join(this.#lab.folder, this.name),
      statePath: undefined,
      socketPath: this.api.socketPath,
      port: 0,
      socks5: { ip: '127.0.0.1', port: 0 },
      httpProxy: { ip: '127.0.0.1', port: 0 },
      configPath: undefined,
      verbose: 0,
      debug: undefined,
      noLogsNoSupport: true,
      env: { TS_DEBUG_USE_DERP_HTTP: 'true', ...env },
      interfaces: () => [],
      log: (line) => this.#lab.log.push(`${this.name}: ${line}`),
    })
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.stop()
  }

  async join(): Promise<void> {
    const UpdatePrefs = { ControlURL: this.#lab.control.url, WantRunning: true, Hostname: this.name }
    await this.api.call('start', { body: { AuthKey: this.#lab.control.createAuthKey({ login: this.name }), UpdatePrefs } })
    await this.state('Running')
  }

  async state(wanted: Status['BackendState'], withinMs = 10_000): Promise<Status> {
    return waitFor(`${this.name} ${wanted}`, async () => {
      const status = await this.api.call('status')
      return status.BackendState === wanted && status
    }, { withinMs })
  }

  get udpPort(): number {
    return this.#running!.udpPort
  }

  get socks5(): AddrPort {
    return this.#running!.socks5!
  }

  /** The page of another engine's web server, by name. */
  async page(host: string, timeoutMs = 2000): Promise<string> {
    const page = await fetchByHttpProxy(this.#running!.httpProxy!, `http://${host}:${this.#lab.webPort}/`, timeoutMs)
    return page.status === 200 ? page.body.toString() : `HTTP ${page.status}`
  }
}

/** Servers, a web server on loopback, and engines that are ended with the test. */
class Lab {
  readonly folder = makeTempDir('eng')
  readonly control = new SimControl()
  readonly derp = new SimDerp({ verify: (key) => this.control.tailnet.nodeByKey(key) !== undefined })
  readonly log: string[] = []
  readonly #engines: Engine[] = []
  readonly #web = http.createServer((_request, response) => response.end('hello'))

  get webPort(): number {
    return (this.#web.address() as AddressInfo).port
  }

  async start(): Promise<void> {
    await this.control.start()
    await this.derp.start()
    this.control.tailnet.setDerpMap(this.derp.derpMap())
    await new Promise<void>((done) => this.#web.listen(0, '127.0.0.1', done))
  }

  engine(name: string): Engine {
    const engine = new Engine(this, name)
    this.#engines.push(engine)
    return engine
  }

  /** Two engines that can reach each other. */
  async pair(env: Readonly<Record<string, string>> = {}): Promise<[Engine, Engine]> {
    const pair: [Engine, Engine] = [this.engine('ada'), this.engine('web')]
    for (const engine of pair) {
      await engine.start(env)
      await engine.join()
    }
    await waitFor('the first page', async () => (await pair[0].page('web')) === 'hello', { withinMs: 10_000 })
    return pair
  }

  async stop(): Promise<void> {
    for (const engine of this.#engines) await engine.stop()
    await this.derp.stop()
    await this.control.stop()
    this.#web.closeAllConnections()
    await new Promise((done) => this.#web.close(done))
    removeTempDir(this.folder)
  }
}

const RELAY_ONLY = { TS_DEBUG_ALWAYS_USE_DERP: 'true' }

suite(`engines on simulated servers${hasAddon ? '' : ' (the native add-on is not built: npm run build:native)'}`, () => {
  let lab: Lab

  beforeEach(async (context) => {
    lab = new Lab()
    context.onTestFailed(() => console.error(lab.log.join('\n')))
    await lab.start()
  })

  afterEach(() => lab.stop())

  async function pathTo(engine: Engine, name: string): Promise<string | undefined> {
    const { paths } = await engine.api.call('paths')
    return paths.find((path) => path.name.split('.')[0] === name)?.kind
  }

  test('without a gate the path becomes direct; relay-only engines stay on the relay', async () => {
    const [ada] = await lab.pair()
    const isDirect = async (): Promise<boolean> => (await ada.page('web')) === 'hello' && (await pathTo(ada, 'web')) === 'direct'
    await waitFor('a direct path', isDirect, { withinMs: 10_000 })
    await lab.stop()
    lab = new Lab()
    await lab.start()
    const [mia] = await lab.pair(RELAY_ONLY)
    expect(await pathTo(mia, 'web')).toBe('relay')
  })

  test('a netcheck names the relay, its round trip and the address seen outside', async () => {
    const [ada] = await lab.pair()
    expect(await ada.api.call('netcheck', { method: 'POST' })).toMatchObject({
      udp: true,
      preferredDerp: lab.derp.region,
      regionLatencyMs: { [lab.derp.region]: expect.any(Number) },
      globalV4: { ip: '127.0.0.1', port: ada.udpPort },
    })
  })

  test('a policy that closes a port cuts new and open connections at once, and opens again', async () => {
    const [ada] = await lab.pair()
    const open = await socksConnect(ada.socks5, 'web', lab.webPort, 3000)
    open.on('error', () => {})
    expect(await answers(open, 2000)).toBe(true)
    lab.control.tailnet.setPolicy({ rules: [{ from: ['*'], to: ['*:1'] }] })
    await waitFor('new connections to be refused', async () => (await ada.page('web')) === 'HTTP 403', { withinMs: 1000 })
    expect(await answers(open, 500)).toBe(false)
    open.destroy()
    lab.control.tailnet.setPolicy(ALLOW_ALL)
    await waitFor('the page again', async () => (await ada.page('web')) === 'hello', { withinMs: 1000 })
  })

  test('tunnels go on while control is away; an engine started meanwhile comes up from its saved map', async () => {
    const [ada, web] = await lab.pair()
    await lab.control.stop()
    expect(await ada.page('web')).toBe('hello')
    await ada.stop()
    await ada.start()
    await ada.state('Running', 3000)
    await waitFor('the page', async () => (await ada.page('web')) === 'hello', { withinMs: 12_000 })
    expect((await web.api.call('status')).BackendState).toBe('Running')
    await lab.control.restart()
    const isOnline = (name: string): boolean => lab.control.tailnet.nodeNamed(name).online
    await lab.control.until(() => (isOnline('ada') && isOnline('web')) || undefined, 'both back', 15_000)
    expect(lab.control.tailnet.nodes.size).toBe(2)
  })

  test('a restarted relay is found again without help', async () => {
    const [ada] = await lab.pair(RELAY_ONLY)
    await lab.derp.restart()
    await waitFor('the page over the new connections', async () => (await ada.page('web')) === 'hello', { withinMs: 10_000 })
  })

  test('a restarted engine is the same node, and running within two seconds', async () => {
    const [ada] = await lab.pair()
    const before = await ada.api.call('status')
    await ada.stop()
    await ada.start()
    const after = await ada.state('Running', 2000)
    expect(after.Self.ID).toBe(before.Self.ID)
    expect(lab.control.tailnet.nodes.size).toBe(2)
  })

  test('rubbish from the relay and from the network does no harm', async () => {
    const [ada] = await lab.pair(RELAY_ONLY)
    const random = seededRandom(4)
    for (let size = 0; size < 400; size += 7) {
      for (const session of lab.derp.clients()) session.send(derpFrame(FRAME.recvPacket, random.bytes(size)))
    }
    const socket = dgram.createSocket('udp4')
    for (let size = 0; size < 3000; size += 11) socket.send(random.bytes(size), ada.udpPort, '127.0.0.1')
    await waitFor('the page after all that', async () => (await ada.page('web')) === 'hello', { withinMs: 10_000 })
    socket.close()
  })

  test('an auth key that was used is refused in the server’s words', async () => {
    const ada = lab.engine('ada')
    await ada.start()
    const AuthKey = lab.control.createAuthKey({ login: 'ada' })
    lab.control.tailnet.authKeys.get(AuthKey)!.used = true
    let said = ''
    const end = ada.api.watch(2, (notify) => (said = notify.ErrMessage ?? said))
    await ada.api.call('start', { body: { AuthKey, UpdatePrefs: { ControlURL: lab.control.url, WantRunning: true } } })
    await waitFor('the refusal', () => said.includes('authkey already used'), { withinMs: 5000 })
    end()
    expect(lab.log.join('\n')).not.toContain(AuthKey)
  })

  test('a node that is signed out is gone from its peers', async () => {
    const [ada, web] = await lab.pair()
    await ada.api.call('logout')
    await ada.state('NeedsLogin')
    await waitFor('ada to be shown as expired or gone', async () => {
      const { Peer } = await web.api.call('status')
      const peer = Object.values(Peer ?? {}).find((one) => one.HostName === 'ada')
      return peer === undefined || peer.Expired === true
    }, { withinMs: 3000 })
  })
})

/** Whether an HTTP server at the other end still answers on this connection. */
function answers(socket: net.Socket, withinMs: number): Promise<boolean> {
  return new Promise((done) => {
    const timer = setTimeout(() => done(false), withinMs)
    const end = (answer: boolean): void => {
      clearTimeout(timer)
      done(answer)
    }
    socket.once('data', () => end(true))
    socket.once('close', () => end(false))
    socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  })
}
