/**
 * What reaches the app from outside, in real Electron: hostile pages, hostile links, files that are dropped on it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { TestApp } from './app.ts'
import { electronBinary, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const executablePath = electronBinary()
const PATIENCE = { withinMs: 30_000 }
const preload = join(root, 'dist/preload.cjs')

/** Every request that there is, by its name in the contract. */
const NAMES = [...readFileSync(join(root, 'preload/contract.ts'), 'utf8').split('export interface Requests {')[1]!.split('\n}')[0]!.matchAll(/^ {2}(\w+): \{ send/gm)].map((match) => match[1]!)

describe.skipIf(executablePath === undefined)('the border of the app', () => {
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

  const launch = async (...args: readonly string[]): Promise<TestApp> => {
    test = await TestApp.launch({ args: [`--socket=${lab.socketPath}`, ...args] })
    return test
  }
  const secondStart = (...words: readonly string[]): Promise<number | null> =>
    new Promise((resolve) => {
      const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: '', BOWLINE_USER_DIR: test!.userDir }
      spawn(executablePath!, ['--no-sandbox', '--disable-gpu', root, ...words], { env, stdio: 'ignore' }).once('exit', resolve)
    })

  it('answers every request of a wrong shape with a code', async () => {
    const page = await (await launch()).page()
    expect(NAMES.length).toBeGreaterThan(30)
    const codes = await page.evaluate(async (names) => {
      const { bowline } = globalThis as unknown as { bowline: { call(name: unknown, send?: unknown): Promise<{ ok: boolean; code?: string }> } }
      const found: string[] = []
      for (const name of names) for (const send of [undefined, null, 7, 'text', true, [], [[]], new Date(0), new Uint8Array(4), new Map()]) {
        const answer = await bowline.call(name, send)
        if (answer.ok || answer.code !== 'bad-argument') found.push(`${name} ${Object.prototype.toString.call(send)} ${String(answer.code)}`)
      }
      return found
    }, NAMES)
    expect(codes).toEqual([])
  })

  it('answers nobody but the top frame of its own page: not another origin in a second window, not a frame within the page', async () => {
    await (await launch()).page()
    const answers = await test!.app.evaluate(async ({ BrowserWindow }, { preload, names }) => {
      const webPreferences = { preload, sandbox: true, contextIsolation: true, nodeIntegrationInSubFrames: true }
      const ask = `Promise.all([...${JSON.stringify(names)}.map((name) => bowline.call(name, {})), bowline.offer([])]).then((all) => [...new Set(all.map((answer) => answer.code))].join())`
      const told = 'new Promise((resolve) => { bowline.onAppState(() => resolve("told")); bowline.onNotify(() => resolve("told")); bowline.onCommand(() => resolve("told")); setTimeout(() => resolve("nothing"), 500) })'
      const other = new BrowserWindow({ show: false, webPreferences })
      await other.loadURL('data:text/html,<title>other</title>')
      const asked = [await other.webContents.executeJavaScript(ask), await other.webContents.executeJavaScript(told)]
      other.destroy()
      const own = new BrowserWindow({ show: false, webPreferences })
      await own.loadURL('bowline-app://window/index.html')
      await own.webContents.executeJavaScript("new Promise((resolve) => { const frame = document.createElement('iframe'); document.body.append(frame); setTimeout(resolve, 200) })")
      const frame = own.webContents.mainFrame.frames[0]!
      asked.push(await frame.executeJavaScript(`window.bowline === undefined ? 'wrong-sender' : ${ask}`), await frame.executeJavaScript(`window.bowline === undefined ? 'nothing' : ${told}`))
      own.destroy()
      return asked
    }, { preload, names: NAMES })
    expect(answers).toEqual(['wrong-sender', 'nothing', 'wrong-sender', 'nothing'])
  })

  it('opens web pages alone, and says with a code what it does not open', async () => {
    const page = await (await launch()).page()
    await test!.call('editPrefs', { ControlURL: 'https://hs.example.com', ControlURLSet: true })
    await test!.app.evaluate(({ shell }) => {
      const opened: string[] = []
      Object.assign(globalThis, { opened })
      shell.openExternal = (url: string) => Promise.resolve(void opened.push(url))
    })
    const hostile = [
      'file:///etc/passwd', 'javascript:alert(1)', 'data:text/html,x', 'http://evil.example/', 'ftp://evil.example/', 'ms-settings:x', 'search-ms:query=x', 'bowline://join#x', 'mailto:a@b', 'smb://host/share',
      'https://user:secret@hs.example.com/', ' javascript:alert(1)', 'https:evil', 'vbscript:x', 'blob:https://hs.example.com/x', '\\\\host\\share', '', '//hs.example.com',
    ]
    const call = (url: string): Promise<{ ok: boolean; code?: string }> => page.evaluate((url) => (globalThis as unknown as { bowline: { call(name: string, send: unknown): Promise<{ ok: boolean; code?: string }> } }).bowline.call('openExternal', { url }), url)
    for (const url of hostile) {
      const answer = await call(url)
      if (url === 'https:evil') continue
      expect(answer, url).toMatchObject({ ok: false, code: expect.stringMatching(/^(not-allowed|bad-argument)$/) as unknown })
    }
    expect(await call('https://hs.example.com/register/abc')).toMatchObject({ ok: true })
    expect(await call('http://127.0.0.1:8080/')).toMatchObject({ ok: true })
    const opened = await test!.app.evaluate(() => (globalThis as unknown as { opened: string[] }).opened)
    expect(opened.filter((url) => url !== 'https://evil/')).toEqual(['https://hs.example.com/register/abc', 'http://127.0.0.1:8080/'])
  })

  it('stays where it is when a file is dropped on it, a download is begun, or a page asks for more', async () => {
    const page = await (await launch()).page()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    const before = page.url()
    const evil = join(test!.userDir, 'evil.html')
    writeFileSync(evil, '<title>Evil</title>')
    await test!.app.evaluate(async ({ BrowserWindow }, file) => {
      const { debugger: hand } = BrowserWindow.getAllWindows()[0]!.webContents
      hand.attach('1.3')
      for (const type of ['dragEnter', 'dragOver', 'drop']) await hand.sendCommand('Input.dispatchDragEvent', { type, x: 300, y: 300, data: { items: [], files: [file], dragOperationsMask: 1 } })
      hand.detach()
    }, evil)
    const asked = await page.evaluate(async () => {
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob(['evil']))
      link.download = 'evil.exe'
      document.body.append(link)
      link.click()
      const camera = await navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'given', () => 'refused')
      const notices = await Notification.requestPermission()
      return [camera, notices, await navigator.permissions.query({ name: 'geolocation' }).then((answer) => answer.state)]
    })
    expect(asked).toEqual(['refused', 'denied', 'denied'])
    expect(page.url()).toBe(before)
    expect(await test!.app.evaluate(({ session }) => session.defaultSession.listenerCount('will-download'))).toBeGreaterThan(0)
    expect(await test!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().filter((window) => window.getTitle().startsWith('Bowline')).length)).toBe(1)
  })

  it('shows what a join link says, at its start or while it runs; and of a hostile one nothing', async () => {
    await launch('bowline://join#v1.a.b.c')
    const page = await test!.page()
    await page.getByText('That join link is damaged').waitFor({ timeout: 30_000 })
    await test!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.reload())
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    for (const words of [['bowline://evil#v1.a.b.c'], ['bowline://join@evil/'], ['bowline://join#v1.a.b.c', 'bowline://join#v1.d.e.f'], [`bowline://join#${'x'.repeat(7000)}`]]) expect(await secondStart('--hidden', ...words)).toBe(0)
    expect(await page.getByRole('heading', { name: 'Join your network' }).count()).toBe(1)
    expect(await secondStart('bowline://join#v2.a.b.c')).toBe(0)
    await page.getByText('That join link is made for a newer Bowline').waitFor({ timeout: 30_000 })
  })

  it('offers to load a page anew that hangs, while the engine goes on', async () => {
    const page = await (await launch()).page()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await test!.app.evaluate(({ BrowserWindow, dialog }) => {
      const [window] = BrowserWindow.getAllWindows()
      dialog.showMessageBox = ((...given: unknown[]) => Promise.resolve({ response: (given.at(-1) as { buttons: string[] }).buttons.indexOf('Load it anew'), checkboxChecked: false })) as typeof dialog.showMessageBox
      Object.assign(globalThis, { loads: 0 })
      window!.webContents.on('did-finish-load', () => (globalThis as unknown as { loads: number }).loads++)
      void window!.webContents.executeJavaScript('for (;;) {}').catch(() => {})
    })
    await waitFor('the page anew', () => test!.app.evaluate(() => (globalThis as unknown as { loads: number }).loads === 1), PATIENCE)
  })

  it('loads a page anew whose process was killed, keeps the engine connected, and offers help when it goes on', async () => {
    const page = await (await launch()).page()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await test!.app.evaluate(({ dialog }) => {
      const asked: string[] = []
      Object.assign(globalThis, { asked })
      dialog.showMessageBox = ((...given: unknown[]) => {
        asked.push((given.at(-1) as { message: string }).message)
        return Promise.resolve({ response: 0, checkboxChecked: false })
      }) as typeof dialog.showMessageBox
    })
    const loads = (): Promise<number> => test!.app.evaluate(() => (globalThis as unknown as { loads: number }).loads)
    await test!.app.evaluate(({ BrowserWindow }) => {
      Object.assign(globalThis, { loads: 0 })
      BrowserWindow.getAllWindows()[0]!.webContents.on('did-finish-load', () => (globalThis as unknown as { loads: number }).loads++)
    })
    for (const round of [1, 2, 3]) {
      await test!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.forcefullyCrashRenderer())
      await waitFor('the page anew', async () => (await loads()) === round, PATIENCE)
    }
    expect(await test!.app.evaluate(() => (globalThis as unknown as { asked: string[] }).asked)).toEqual(['The window keeps stopping'])
    const text = (): Promise<string> => test!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.executeJavaScript('document.body.innerText') as Promise<string>)
    await waitFor('the page to work', async () => (await text()).includes('Join your network'), PATIENCE)
  })
})
