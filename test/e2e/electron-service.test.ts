/**
 * The app and a service of the computer in real Electron: the service comes while the app runs and takes its sign-in over, goes down and comes
 * back, and goes for good. The service is a real engine below a folder that stands for the computer's own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { servicePlace } from '../../main/client/service-place.ts'
import { LocalApiClient } from '../../main/client/local-api-client.ts'
import type { Status } from '../../main/localapi/types.ts'
import { waitFor } from '../support/wait.ts'
import { TestApp } from './app.ts'
import { electronBinary, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const PATIENCE = { withinMs: 60_000 }

/** A computer's service without its systemd. */
class Service {
  readonly root = mkdtempSync(join(tmpdir(), 'bowline-service-'))
  readonly socket = servicePlace(process.platform, this.root).socket
  readonly #mark = servicePlace(process.platform, this.root).marks[0]!
  #child: ChildProcess | undefined

  install(): void {
    for (const path of [this.#mark, this.socket]) mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(this.#mark, '')
  }
  start(): void {
    const words = ['--service', `--statedir=${join(this.root, 'state')}`, `--socket=${this.socket}`, '--encrypt-state=false', '--socks5-server=off']
    this.#child = spawn(process.execPath, [join(root, 'dist/engine.mjs'), ...words], { stdio: 'ignore', env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: '' } })
  }
  async stop(how: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(how)
    await gone
  }
  uninstall(): void {
    rmSync(this.#mark, { force: true })
  }
  status(): Promise<Status> {
    return new LocalApiClient(this.socket).json({ method: 'GET', path: 'status' }) as Promise<Status>
  }
}

describe.skipIf(electronBinary() === undefined || process.platform !== 'linux')('the app and a service of the computer', () => {
  let lab: DemoLab
  let test: TestApp | undefined
  let service: Service

  beforeAll(async () => {
    lab = await startDemoLab()
    service = new Service()
  })
  afterEach(async () => {
    await test?.end()
    test = undefined
  })
  afterAll(async () => {
    await service?.stop('SIGKILL')
    rmSync(service.root, { recursive: true, force: true })
    await lab?.stop()
  })

  const launch = async (): Promise<void> => {
    test = await TestApp.launch({ env: { BOWLINE_SERVICE_ROOT: service.root } })
    await test.page()
  }
  const hasEngine = (): boolean => {
    try {
      return test!.enginePid() > 0
    } catch {
      return false
    }
  }
  const isHost = (host: string, engine: string): Promise<unknown> => waitFor(`${engine} ${host}`, async () => {
    const state = await test!.state()
    return state.engineHost === host && state.engine === engine
  }, PATIENCE)

  it('the sign-in goes to a service that comes, and stays there: the same key and address', async () => {
    await launch()
    await isHost('app', 'running')
    await test!.call('editPrefs', { ControlURL: lab.network.control.url, ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    await test!.call('start', { AuthKey: lab.network.control.createAuthKey({ login: 'anna' }) })
    await waitFor('a connection', async () => (await test!.call('status', {})).BackendState === 'Running', PATIENCE)
    const before = (await test!.call('status', {})).Self
    expect(await test!.call('service', {})).toMatchObject({ System: 'systemd', Installed: false, Running: false, InUse: false })

    service.install()
    service.start()
    await isHost('service', 'running')
    await waitFor('the end of its own engine', () => !hasEngine(), PATIENCE)
    expect(await test!.call('service', {})).toMatchObject({ Installed: true, Running: true, InUse: true })
    const after = await test!.call('status', {})
    expect([after.BackendState, after.Self.PublicKey, after.Self.TailscaleIPs]).toEqual(['Running', before.PublicKey, before.TailscaleIPs])
    expect((await service.status()).Self.PublicKey).toBe(before.PublicKey)
  })

  it('an app that starts is its client; while it is down the window says so, and no engine is started in its place', async () => {
    await launch()
    await isHost('service', 'running')
    await service.stop('SIGKILL')
    await isHost('service', 'stopped')
    expect((await test!.state()).code).toBe('service-stopped')
    expect(await (await test!.page()).locator('.engine-stopped').innerText()).toContain('It is a service of this computer')
    expect(hasEngine()).toBe(false)
    service.start()
    await isHost('service', 'running')
  })

  it('once it is gone for good the app has an engine of its own again', async () => {
    await launch()
    await isHost('service', 'running')
    await service.stop()
    service.uninstall()
    await isHost('app', 'running')
    expect(hasEngine()).toBe(true)
  })
})
