/**
 * The windows of the app in real Electron: closed and shown again, placed as they were, started hidden, started twice.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { TestApp } from './app.ts'
import { electronBinary, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const executablePath = electronBinary()
const PATIENCE = { withinMs: 30_000 }

describe.skipIf(executablePath === undefined)('the windows of the app', () => {
  let lab: DemoLab
  let app: TestApp | undefined

  beforeAll(async () => {
    lab = await startDemoLab()
  })
  afterEach(async () => {
    await app?.end()
    app = undefined
  })
  afterAll(async () => {
    await lab?.stop()
  })

  const start = async (...args: readonly string[]): Promise<TestApp> => (app = await TestApp.launch({ args: [`--socket=${lab.socketPath}`, ...args] }))
  const windows = (): Promise<{ visible: boolean; bounds: { x: number; y: number; width: number; height: number } }[]> =>
    app!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().map((window) => ({ visible: window.isVisible(), bounds: window.getBounds() })))
  const shown = (): Promise<unknown> => waitFor('the window on screen', async () => (await windows())[0]?.visible === true, PATIENCE)
  const secondStart = (...args: readonly string[]): Promise<number | null> =>
    new Promise((resolve) => {
      const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: '', BOWLINE_USER_DIR: app!.userDir }
      spawn(executablePath!, ['--no-sandbox', '--disable-gpu', root, ...args], { env, stdio: 'ignore' }).once('exit', resolve)
    })

  it('goes on without a window when that is closed, and a second start shows the same one again', async () => {
    await start()
    const page = await app!.page()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await shown()
    await page.evaluate("document.title = 'the very same'")
    await app!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    await waitFor('the window away', async () => (await windows())[0]!.visible === false, PATIENCE)
    expect(await secondStart()).toBe(0)
    await shown()
    expect(await page.title()).toBe('the very same')
    expect(await windows()).toHaveLength(1)
  })

  it('starts hidden with the session, also the second time, and shows its window when a person starts it', async () => {
    await start('--hidden')
    expect(await secondStart('--hidden')).toBe(0)
    expect(await windows()).toEqual([])
    expect(await secondStart()).toBe(0)
    await shown()
    await (await app!.page()).getByRole('heading', { name: 'Join your network' }).waitFor()
  })

  it('opens where and as large as it was, at least as large as it can be used', async () => {
    await start()
    await shown()
    await app!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.setBounds({ x: 40, y: 60, width: 780, height: 560 }))
    const file = join(app!.userDir, 'window.json')
    await waitFor('its place in the file', () => (JSON.parse(readFileSync(file, 'utf8')) as { width: number }).width === 780, PATIENCE)
    const { userDir } = app!
    await app!.end({ keep: true })
    app = await TestApp.launch({ args: [`--socket=${lab.socketPath}`], userDir })
    await shown()
    expect((await windows())[0]!.bounds).toMatchObject({ width: 780, height: 560 })
    await app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.setBounds({ width: 100, height: 100 }))
    await waitFor('the least size', async () => (await windows())[0]!.bounds.width === 720, PATIENCE)
    expect((await windows())[0]!.bounds).toMatchObject({ width: 720, height: 520 })
  })

  it('starts with the session when that is switched on, until the person removes it', async () => {
    await start()
    await app!.page()
    const entry = join(app!.userDir, 'config/autostart/bowline.desktop')
    await app!.call('editSettings', { startAtLogin: true })
    expect(readFileSync(entry, 'utf8')).toMatch(/^Exec=\S*electron \S+ --hidden$/m)
    await app!.call('editSettings', { startAtLogin: false })
    expect(existsSync(entry)).toBe(false)
    await app!.call('editSettings', { startAtLogin: true })
    rmSync(entry)
    const { userDir } = app!
    await app!.end({ keep: true })
    app = await TestApp.launch({ args: [`--socket=${lab.socketPath}`], userDir })
    await app.page()
    expect((await app.state()).settings.startAtLogin).toBe(false)
    expect(existsSync(entry)).toBe(false)
  })

  it('opens on a display that is there, whatever its file says', async () => {
    await start('--hidden')
    writeFileSync(join(app!.userDir, 'window.json'), JSON.stringify({ x: -90_000, y: 80_000, width: 3, height: 99_999, display: 77, maximized: 'yes' }))
    expect(await secondStart()).toBe(0)
    await shown()
    const area = await app!.app.evaluate(({ screen }) => screen.getPrimaryDisplay().workArea)
    const { bounds } = (await windows())[0]!
    expect(bounds.x).toBeGreaterThanOrEqual(area.x)
    expect(bounds.y).toBeGreaterThanOrEqual(area.y)
    expect(bounds.width).toBe(720)
  })
})
