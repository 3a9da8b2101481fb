/**
 * Whole engines, add-on and all, on simulated servers: on loopback, hermetic, each lab with engines of its own.
 */
import { existsSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AddrPort } from '../../main/engine/base/ip.ts'
import { startEngine } from '../../main/engine/daemon.ts'
import type { Status } from '../../main/localapi/types.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { SimControl } from './control/sim-control.ts'
import { LocalApi } from './demo/local-api.ts'
import { fetchByHttpProxy } from './demo/proxied-fetch.ts'
import { SimDerp } from './derp/sim-derp.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
export const hasAddon = existsSync(`${root}native/bowline.${process.platform}-${process.arch}.node`)
type Running = Awaited<ReturnType<typeof startEngine>>

export class Engine {
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
export class Lab {
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
