/**
 * The same window in real Electron: over the demo tailnet, with its own engine that is killed, and against hostile calls.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { axe, electronBinary, picture, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const executablePath = electronBinary()

interface Bridge {
  call(name: unknown, send: unknown): Promise<{ ok: boolean; code?: string }>
}

describe.skipIf(executablePath === undefined)(`the app${executablePath === undefined ? ' (no Electron binary here)' : ''}`, () => {
  let lab: DemoLab
  let app: ElectronApplication | undefined
  let userDir: string

  const launch = async (args: readonly string[]): Promise<Page> => {
    writeFileSync(join(userDir, 'settings.json'), JSON.stringify({ onQuit: 'keep' }))
    app = await _electron.launch({
      executablePath: executablePath!,
      args: ['--no-sandbox', '--disable-gpu', root, ...args],
      env: { ...(process.env as Record<string, string>), BOWLINE_USER_DIR: userDir, DBUS_SESSION_BUS_ADDRESS: '' },
    })
    const page = await app.firstWindow()
    await page.waitForLoadState()
    return page
  }

  beforeAll(async () => {
    lab = await startDemoLab()
  })
  afterEach(async () => {
    await app?.close()
    app = undefined
    rmSync(userDir, { recursive: true, force: true })
  })
  afterAll(async () => {
    await lab?.stop()
  })

  it('shows the window of the engine at the given socket, sandboxed, with nothing of Node in the page', async () => {
    userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    const page = await launch([`--socket=${lab.socketPath}`])
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await picture(page, 'electron-sign-in')
    expect(await axe(page)).toEqual([])
    expect(await page.evaluate('[typeof require, typeof process, typeof module, Object.keys(window.bowline).sort().join()]')).toEqual(['undefined', 'undefined', 'undefined', 'call,offer,onAppState,onCommand,onNotify'])
    expect(new URL(page.url()).protocol).toBe('bowline-app:')
  })

  it('refuses every request of a wrong name or shape with a code, and goes on', async () => {
    userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    const page = await launch([`--socket=${lab.socketPath}`])
    const names = ['status', 'prefs', 'editPrefs', 'start', 'loginInteractive', 'logout', 'ping', 'paths', 'openExternal', 'openForward', 'useExitNode', 'offer', 'nonesuch', '__proto__', '', 7, null, {}]
    const bodies = [null, 7, 'text', [], [[]], true]
    const answers = await page.evaluate(async ({ names, bodies }) => {
      const bridge = (globalThis as unknown as { bowline: Bridge }).bowline
      const out: string[] = []
      for (const name of names) for (const body of bodies) out.push((await bridge.call(name, body)).code ?? 'ok')
      return out
    }, { names, bodies })
    expect(new Set(answers)).toEqual(new Set(['bad-argument']))
    for (const url of ['file:///etc/passwd', 'javascript:alert(1)', 'ms-settings:x', 'http://evil.example/']) {
      const answer = await page.evaluate((url) => (globalThis as unknown as { bowline: Bridge }).bowline.call('openExternal', { url }), url)
      expect(answer.ok).toBe(false)
    }
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
  })

  it('neither navigates away nor opens windows, whatever the page tries', async () => {
    userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    const page = await launch([`--socket=${lab.socketPath}`])
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await page.evaluate("window.open('https://example.com'); location.href = 'https://example.com/'")
    await page.waitForTimeout(500)
    expect(new URL(page.url()).protocol).toBe('bowline-app:')
    expect(app!.windows()).toHaveLength(1)
    const fetched = await page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', (error) => String(error))")
    expect(fetched).toContain('TypeError')
  })

  it('uses an exit node and opens a port of a device, as the web window does', async () => {
    userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    await lab.signIn('anna')
    const page = await launch([`--socket=${lab.socketPath}`])
    page.setDefaultTimeout(30_000)
    await page.getByRole('row', { name: /^files\./ }).click()
    await page.getByRole('button', { name: 'Open a service' }).click()
    await page.getByLabel('port').fill(String(lab.network.filesPort))
    await page.getByRole('button', { name: 'Get an address' }).click()
    const at = await page.locator('.door .num').textContent()
    expect(await (await fetch(`http://${at}/readme.txt`)).text()).toContain('demo file server')
    await page.keyboard.press('Control+e')
    await page.getByRole('radio', { name: /^exit-node\./ }).click()
    await page.getByRole('region', { name: 'In use' }).getByRole('heading', { name: 'exit-node' }).waitFor()
    expect(await axe(page)).toEqual([])
    await page.getByRole('button', { name: 'Stop using it' }).click()
    await page.getByRole('heading', { name: 'None in use' }).waitFor()
  })

  it('says within two seconds that its engine was killed, and has it back by itself', async () => {
    userDir = mkdtempSync(join(tmpdir(), 'bowline-app-'))
    const page = await launch([])
    await page.getByRole('heading', { name: 'Join your network' }).waitFor({ timeout: 20_000 })
    const pid = engineOf(app!.process().pid!)
    process.kill(pid, 'SIGKILL')
    const killedMs = Date.now()
    await page.getByText('Engine stopped').first().waitFor({ state: 'attached', timeout: 2000 })
    expect(Date.now() - killedMs).toBeLessThan(2000)
    await page.getByRole('heading', { name: 'Join your network' }).waitFor({ timeout: 15_000 })
    expect(engineOf(app!.process().pid!)).not.toBe(pid)
  })
})

/** Process id of the engine that the app started: the child that holds a lock in a state directory. */
function engineOf(appPid: number): number {
  const children = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      children.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => pid === appPid || (children.has(pid) && children.get(pid)! > 1 && isBelow(children.get(pid)!))
  const engine = [...children.keys()].find((pid) => isBelow(pid) && /node\.mojom\.NodeService/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
  if (engine === undefined) throw new Error('the app has no engine process')
  return engine
}
