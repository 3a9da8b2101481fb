/**
 * The app and its own engine in real Electron: one that hangs, one that cannot start, one that starts without connecting, and the
 * system's proxy settings.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer as createHttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConnectProxy } from '../support/connect-proxy.ts'
import { waitFor } from '../support/wait.ts'
import { TestApp } from './app.ts'
import { electronBinary, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const PATIENCE = { withinMs: 40_000 }
/** No proxy of the machine that the tests run on. */
const NO_PROXIES = Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [[name, ''], [name.toLowerCase(), '']]))

describe.skipIf(electronBinary() === undefined)('the app and its engine', () => {
  let lab: DemoLab
  let test: TestApp | undefined

  beforeAll(async () => {
    lab = await startDemoLab()
  })
  afterEach(async () => {
    await test?.end()
    test = undefined
  })
  afterAll(async () => {
    await lab?.stop()
  })

  const running = (): Promise<unknown> => waitFor('a running engine', async () => (await test!.state()).engine === 'running', PATIENCE)
  const signIn = async (server = lab.network.control.url): Promise<void> => {
    await test!.call('editPrefs', { ControlURL: server, ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    await test!.call('start', { AuthKey: lab.network.control.createAuthKey({ login: 'anna' }) })
    await waitFor('a connection', async () => (await test!.call('status', {})).BackendState === 'Running', PATIENCE)
  }

  it('says that its engine hangs, ends it, and has another one', async () => {
    test = await TestApp.launch()
    await test.page()
    await running()
    const pid = test.enginePid()
    process.kill(pid, 'SIGSTOP')
    await waitFor('the window to say so', async () => (await test!.state()).engine === 'stopped', PATIENCE)
    await waitFor('another engine', () => test!.enginePid() !== pid, PATIENCE)
    await running()
    expect((await test.state()).restarts).toBe(1)
  })

  it('says which other engine keeps its own from starting, and starts it when asked', async () => {
    const userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    const other = spawn(process.execPath, [join(root, 'dist/engine.mjs'), `--statedir=${join(userDir, 'engine')}`, `--socket=${join(userDir, 'other.sock')}`], { stdio: ['ignore', 'ignore', 'pipe'] })
    const gone = new Promise((resolve) => other.once('exit', resolve))
    await new Promise<void>((resolve) => {
      let said = ''
      other.stderr.on('data', (chunk) => {
        said += String(chunk)
        if (said.includes('ready')) resolve()
      })
    })
    try {
      writeFileSync(join(userDir, 'settings.json'), '{}')
      test = await TestApp.launch({ userDir })
      await test.page()
      await waitFor('it to give up', async () => (await test!.state()).engine === 'keeps-stopping', PATIENCE)
      expect(await test.state()).toMatchObject({ code: 'already-running', message: expect.stringContaining(`process ${other.pid}`) as unknown })
    } finally {
      other.kill()
      await gone
    }
    await test.call('restartEngine', {})
    await running()
    expect((await test.state()).code).toBeUndefined()
  })

  it('connects again when it is started again, and not when the person wants to begin disconnected', async () => {
    test = await TestApp.launch()
    await test.page()
    await running()
    await signIn()
    const { userDir } = test
    await test.end({ keep: true })
    test = await TestApp.launch({ userDir })
    await test.page()
    await waitFor('a connection', async () => (await test!.call('status', {})).BackendState === 'Running', PATIENCE)
    await test.end({ keep: true })
    test = await TestApp.launch({ userDir, settings: { startDisconnected: true } })
    await test.page()
    await running()
    expect(await test.call('prefs', {})).toMatchObject({ WantRunning: false })
    expect((await test.call('status', {})).BackendState).toBe('Stopped')
    // Only the first run of the engine begins so: one that crashed goes on as it was.
    await test.call('editPrefs', { WantRunning: true, WantRunningSet: true })
    await waitFor('a connection', async () => (await test!.call('status', {})).BackendState === 'Running', PATIENCE)
    const pid = test.enginePid()
    process.kill(pid, 'SIGKILL')
    await waitFor('another engine', () => test!.enginePid() !== pid, PATIENCE)
    await waitFor('a connection', async () => (await test!.call('status', {})).BackendState === 'Running', PATIENCE)
  })

  it('reaches the server by the proxy that the system\'s PAC file names, where the environment names none', async () => {
    const proxy = await new ConnectProxy({ resolve: (host) => (host === 'hs.lab.internal' ? '127.0.0.1' : undefined) }).start()
    const pac = createHttpServer((_req, res) => {
      res.setHeader('content-type', 'application/x-ns-proxy-autoconfig')
      res.end(`function FindProxyForURL(url, host) { return host === 'hs.lab.internal' ? 'PROXY 127.0.0.1:1; PROXY 127.0.0.1:${proxy.port}' : 'DIRECT' }`)
    })
    await new Promise<void>((resolve) => pac.listen(0, '127.0.0.1', resolve))
    try {
      test = await TestApp.launch({ args: [`--proxy-pac-url=http://127.0.0.1:${(pac.address() as AddressInfo).port}/proxy.pac`], env: NO_PROXIES })
      await test.page()
      await running()
      const at = `hs.lab.internal:${new URL(lab.network.control.url).port}`
      await signIn(`http://${at}`)
      expect(new Set(proxy.asked)).toEqual(new Set([at]))
    } finally {
      pac.close()
      pac.closeAllConnections()
      await proxy.stop()
    }
  })
})
