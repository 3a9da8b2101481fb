/**
 * Files in real Electron: dropped, chosen, named on the command line, sent from the tray; and what a page can and cannot say about them.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer, OfferedFiles } from '../../preload/contract.ts'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { waitFor } from '../support/wait.ts'
import type { TestApp } from './app.ts'
import { axe, electronBinary, picture, root } from './browser.ts'
import { DBUS_DAEMON, NoticeHost, TrayHost } from './desktop-bus.ts'
import { DesktopLab } from './desktop-lab.ts'

const missing = electronBinary() === undefined ? 'no Electron binary here' : existsSync(DBUS_DAEMON) ? undefined : 'no dbus-daemon here'
const PATIENCE = { withinMs: 60_000, everyMs: 100 }

type Bridge = { readonly bowline: { call(name: string, send: unknown): Promise<Answer<unknown>>; offer(files: unknown): Promise<Answer<OfferedFiles>>; onCommand(handle: (command: unknown) => void): void } }

describe.skipIf(missing !== undefined)(`files${missing === undefined ? '' : ` (${missing})`}`, () => {
  let desktop: DesktopLab<TrayHost>
  let app: TestApp
  let api: LocalApi
  let page: Page
  let peer: string
  let self: string
  let notices: NoticeHost

  beforeAll(async () => {
    desktop = await DesktopLab.start((own) => new TrayHost(own), 'office')
    api = desktop.api
    notices = new NoticeHost(desktop.bus)
    await notices.start()
    app = await desktop.launch()
    page = await app.page()
    page.setDefaultTimeout(PATIENCE.withinMs)
    await page.getByRole('row', { name: /^files\./ }).waitFor()
    peer = await waitFor('the device', async () => Object.values((await api.call('status')).Peer ?? {}).find(({ HostName }) => HostName === 'files')?.ID, PATIENCE)
    self = (await api.call('status')).Self.ID
    writeFileSync(path('a b.txt'), 'hello')
    writeFileSync(path('ü “x”.txt'), 'umlaut')
    mkdirSync(path('dir'))
    writeFileSync(path('dir/in.txt'), 'inner')
    symlinkSync('/etc/passwd', path('link'))
  })
  afterAll(async () => {
    await app?.end()
    notices?.stop()
    await desktop?.stop()
  })

  const path = (name: string): string => join(desktop.lab.folder, name)
  const call = (name: string, send: unknown): Promise<Answer<unknown>> => page.evaluate(([name, send]) => (globalThis as unknown as Bridge).bowline.call(name as string, send), [name, send])
  /** Names of what the engine is to send, each once. */
  const sent = async (): Promise<readonly string[]> => [...new Set((await api.call('transfers')).Rows.filter(({ Direction }) => Direction === 'out').map(({ Name }) => Name))].toSorted()
  const forgetAll = async (): Promise<void> => {
    for (const { ID } of (await api.call('transfers')).Rows) await api.call('transferAction', { body: { Do: 'cancel', ID } }).catch(() => undefined)
    await api.call('transferAction', { body: { Do: 'forget' } })
    await waitFor('an empty list', async () => (await sent()).length === 0, PATIENCE)
  }
  const secondStart = (...words: readonly string[]): Promise<number | null> =>
    new Promise((resolve) => {
      const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: '', BOWLINE_USER_DIR: app.userDir }
      spawn(electronBinary()!, ['--no-sandbox', '--disable-gpu', root, ...words], { env, stdio: 'ignore', cwd: desktop.lab.folder }).once('exit', resolve)
    })
  /** Has the page keep what it is offered by the next drop. */
  const drop = async (files: readonly string[]): Promise<Answer<OfferedFiles>> => {
    await page.evaluate(() => {
      addEventListener('dragover', (event) => event.preventDefault(), { capture: true })
      addEventListener('drop', (event) => {
        event.stopImmediatePropagation()
        event.preventDefault()
        Object.assign(globalThis, { offered: (globalThis as unknown as Bridge).bowline.offer([...event.dataTransfer!.files]) })
      }, { capture: true, once: true })
    })
    await app.app.evaluate(async ({ BrowserWindow }, files) => {
      const { debugger: hand } = BrowserWindow.getAllWindows()[0]!.webContents
      hand.attach('1.3')
      for (const type of ['dragEnter', 'dragOver', 'drop']) await hand.sendCommand('Input.dispatchDragEvent', { type, x: 500, y: 300, data: { items: [], files, dragOperationsMask: 1 } })
      hand.detach()
    }, files)
    await waitFor('the drop', () => page.evaluate('globalThis.offered !== undefined'), PATIENCE)
    return page.evaluate('(() => { const { offered } = globalThis; delete globalThis.offered; return offered })()')
  }

  it('that are dropped become an offer with names alone, and are sent to the device that is said', async () => {
    const before = page.url()
    const answer = await drop([path('a b.txt'), path('dir'), path('link'), path('ü “x”.txt')])
    expect(answer).toMatchObject({ ok: true, value: { Count: 3, Size: 16, LeftOut: 1, Items: [{ Name: 'a b.txt', Kind: 'file', Size: 5 }, { Name: 'dir', Kind: 'folder', Files: 1 }, { Name: 'ü “x”.txt' }] } })
    expect(JSON.stringify(answer)).not.toContain(desktop.lab.folder)
    const { Offer } = (answer as { value: OfferedFiles }).value
    expect(await call('sendFiles', { offer: Offer, peer })).toMatchObject({ ok: true })
    await waitFor('all of them on their way', async () => (await sent()).join() === 'a b.txt,dir,ü “x”.txt', PATIENCE)
    expect(await call('sendFiles', { offer: Offer, peer })).toMatchObject({ ok: false, code: 'offer-over' })
    expect(page.url()).toBe(before)
    await forgetAll()
  })

  it('are known by what the system gave the page, and never by what the page makes itself', async () => {
    const codes = await page.evaluate(async () => {
      const { bowline } = globalThis as unknown as Bridge
      const made = [new File(['x'], '/etc/passwd'), new File(['x'], 'a', { type: 'text/plain' })]
      Object.defineProperty(made[1], 'path', { value: '/etc/passwd' })
      const tries: unknown[] = [[], made, [{ path: '/etc/passwd' }], ['/etc/passwd'], [null], 'x', undefined, { length: 1, map: () => ['/etc/passwd'] }, Object.assign([], { map: () => ['/etc/passwd'] })]
      return Promise.all(tries.map((one) => bowline.offer(one).then((answer) => (answer.ok ? 'given' : answer.code), () => 'thrown')))
    })
    expect(codes.filter((code) => code !== 'thrown' && code !== 'nothing-to-send' && code !== 'too-many')).toEqual([])
    expect(codes.slice(0, 2)).toEqual(['nothing-to-send', 'nothing-to-send'])
    expect(await sent()).toEqual([])
  })

  it('are offered to one window alone', async () => {
    const answer = await drop([path('a b.txt')])
    const { Offer } = (answer as { value: OfferedFiles }).value
    const other = await app.app.evaluate(async ({ BrowserWindow }, [offer, peer, preload]) => {
      const window = new BrowserWindow({ show: false, webPreferences: { preload: preload!, sandbox: true, contextIsolation: true } })
      await window.loadURL('bowline-app://window/index.html')
      const code = (await window.webContents.executeJavaScript(`bowline.call('sendFiles', ${JSON.stringify({ offer, peer })}).then((answer) => answer.code)`)) as string
      window.destroy()
      return code
    }, [Offer, peer, join(root, 'dist/preload.cjs')])
    expect(other).toBe('offer-over')
    expect(await call('dropOffer', { offer: Offer })).toMatchObject({ ok: true })
    expect(await call('sendFiles', { offer: Offer, peer })).toMatchObject({ ok: false, code: 'offer-over' })
  })

  it('are chosen by a dialog of the system, and so is a folder for what comes in', async () => {
    const choose = (filePaths: readonly string[]): Promise<void> => app.app.evaluate(({ dialog }, paths) => {
      dialog.showOpenDialog = (() => Promise.resolve({ canceled: paths.length === 0, filePaths: [...paths] })) as typeof dialog.showOpenDialog
    }, filePaths)
    await choose([path('a b.txt')])
    const answer = await call('chooseFiles', { folder: false })
    expect(answer).toMatchObject({ ok: true, value: { Count: 1, Items: [{ Name: 'a b.txt' }] } })
    await choose([])
    expect(await call('chooseFiles', { folder: true })).toEqual({ ok: true, value: null })
    expect(await call('chooseFolder', { for: 'inbox' })).toEqual({ ok: true, value: null })
    await choose([path('dir')])
    expect(await call('chooseFolder', { for: 'inbox' })).toEqual({ ok: true, value: { Folder: path('dir') } })
    expect((await api.call('extras')).Taildrop.Folder).toBe(path('dir'))
  })

  it('come into Downloads/Bowline from the first start on, unless the person goes back to the engine', async () => {
    const folder = (): Promise<string> => api.call('extras').then(({ Taildrop }) => Taildrop.Folder)
    const told = (): readonly string[] => (JSON.parse(readFileSync(join(app.userDir, 'settings.json'), 'utf8')) as { told: readonly string[] }).told
    await waitFor('the folder to be made', () => told().some((mark) => mark.startsWith('inbox ')), PATIENCE)
    expect(existsSync(join(app.userDir, 'Downloads/Bowline'))).toBe(true)
    expect(await call('editTaildrop', { Folder: '' })).toMatchObject({ ok: true })
    expect(await folder()).toBe('')
    await page.reload()
    await page.getByRole('row', { name: /^files\./ }).waitFor()
    expect(await folder()).toBe('')
  })

  it('are taken from the tray: chosen there, and shown to the window with a device still to be said', async () => {
    await app.app.evaluate(({ dialog }, paths) => {
      dialog.showOpenDialog = (() => Promise.resolve({ canceled: false, filePaths: paths })) as typeof dialog.showOpenDialog
    }, [path('a b.txt')])
    const heard = await listen()
    await desktop.host.click('Send files…')
    expect(await heard()).toMatchObject({ kind: 'send', offer: { Count: 1, Items: [{ Name: 'a b.txt' }] } })
    await desktop.host.click('Transfers…')
    await waitFor('the place', () => page.evaluate("location.hash === '#/transfers'"), PATIENCE)
  })

  it('are taken from the command line of a second start, a few or six hundred', async () => {
    let heard = await listen()
    expect(await secondStart('--send', 'a b.txt', path('dir'))).toBe(0)
    expect(await heard()).toMatchObject({ kind: 'send', offer: { Count: 2, Items: [{ Name: 'a b.txt' }, { Name: 'dir', Kind: 'folder' }] } })
    const many = Array.from({ length: 600 }, (_, i) => path(`a-rather-long-name-of-a-file-that-somebody-has-marked-with-many-others-${i}.txt`))
    for (const one of many) writeFileSync(one, '')
    heard = await listen()
    expect(await secondStart('--send', ...many)).toBe(0)
    expect(await heard()).toMatchObject({ kind: 'send', offer: { Count: 600, LeftOut: 0 } })
  })

  const sendsUs = (...names: readonly string[]): Promise<unknown> => desktop.lab.peer('files').api.call('transferAction', { body: { Do: 'send', Peer: self, Items: names.map((name) => ({ Path: path(name) })) } })
  const row = (name: string, state: string) => waitFor(`${name} to be ${state}`, async () => (await api.call('transfers')).Rows.find(({ Name, State }) => Name === name && State === state), PATIENCE)
  /** What the app has the system open or show. */
  const opened = (): Promise<readonly string[]> => app.app.evaluate(() => (globalThis as unknown as { opened: string[] }).opened)
  const keepFromOpening = (): Promise<void> => app.app.evaluate(({ shell }) => {
    const opened: string[] = []
    Object.assign(globalThis, { opened })
    shell.openPath = (path: string) => Promise.resolve((opened.push(`open ${path}`), ''))
    shell.showItemInFolder = (path: string) => void opened.push(`show ${path}`)
  })

  it('that somebody wants to send are asked for in the window, the tray and by a notification, and come in when they are accepted there', async () => {
    await keepFromOpening()
    mkdirSync(path('in'))
    await api.call('editExtras', { body: { Taildrop: { ...(await api.call('extras')).Taildrop, Folder: path('in') } } })
    expect(await call('editTaildrop', { Own: 'ask' })).toMatchObject({ ok: true })
    const calm = (await desktop.host.look()).icon
    writeFileSync(path('report.pdf'), 'a report')
    await sendsUs('report.pdf')
    // The page of transfers says it by itself; elsewhere the window does.
    const line = page.getByRole('status').filter({ hasText: 'files wants to send you report.pdf' })
    await page.evaluate("void (location.hash = '#/transfers')")
    await page.getByRole('button', { name: 'Accept' }).waitFor()
    expect(await line.count()).toBe(0)
    await page.evaluate("void (location.hash = '#/devices')")
    await line.waitFor()
    await waitFor('the tray to ask', async () => (await desktop.host.look()).icon !== calm, PATIENCE)
    await desktop.host.entry('Transfers (1)…')
    await app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    writeFileSync(path('tool.sh'), 'echo')
    await sendsUs('tool.sh')
    const asked = await waitFor('a notification', () => notices.shown.find(({ title }) => title === 'files wants to send you report.pdf' || title.startsWith('files wants to send you tool.sh')), PATIENCE)
    notices.press(asked, 'Accept')
    await waitFor('the ask closed', () => notices.closed.includes(asked.id), PATIENCE)
    for (const ask of (await api.call('transfers')).Asks) await api.call('transferAction', { body: { Do: 'accept', Batch: ask.Batch } })
    await row('report.pdf', 'received')
    await row('tool.sh', 'received')
    expect(readFileSync(path('in/report.pdf'), 'utf8')).toBe('a report')
    await waitFor('the tray to be calm', async () => (await desktop.host.look()).icon === calm, PATIENCE)
  })

  it('that somebody wants to send can be saved elsewhere, in a folder that the person chooses', async () => {
    mkdirSync(path('elsewhere'))
    await app.app.evaluate(({ dialog }, folder) => {
      dialog.showOpenDialog = (() => Promise.resolve({ canceled: false, filePaths: [folder] })) as typeof dialog.showOpenDialog
    }, path('elsewhere'))
    writeFileSync(path('saved.txt'), 'saved')
    await sendsUs('saved.txt')
    const ask = await waitFor('the ask', async () => (await api.call('transfers')).Asks.find(({ Items }) => Items[0]?.Name === 'saved.txt'), PATIENCE)
    expect(await call('chooseFolder', { for: ask.Batch })).toEqual({ ok: true, value: { Folder: path('elsewhere') } })
    await row('saved.txt', 'received')
    expect(readFileSync(path('elsewhere/saved.txt'), 'utf8')).toBe('saved')
  })

  it('that came in are told of, opened where they only show something, and else shown in their folder', async () => {
    const [report, tool] = [await row('report.pdf', 'received'), await row('tool.sh', 'received')]
    const came = await waitFor('the news', () => notices.shown.find(({ title }) => title === 'report.pdf came from files' || title === 'tool.sh came from files'), PATIENCE)
    notices.press(came, 'Show in folder')
    await waitFor('the folder', async () => (await opened()).length === 1, PATIENCE)
    await desktop.host.click('Open Bowline')
    expect(await call('openReceived', { id: report.ID, how: 'open' })).toEqual({ ok: true, value: { Did: 'opened' } })
    expect(await call('openReceived', { id: tool.ID, how: 'open' })).toEqual({ ok: true, value: { Did: 'shown' } })
    expect(await call('openInbox', {})).toMatchObject({ ok: true })
    expect((await opened()).slice(1)).toEqual([`open ${path('in/report.pdf')}`, `show ${path('in/tool.sh')}`, `open ${path('in')}`])
    rmSync(path('in/report.pdf'))
    symlinkSync('/etc/passwd', path('in/report.pdf'))
    expect(await call('openReceived', { id: report.ID, how: 'open' })).toMatchObject({ ok: false, code: 'not-there' })
    expect(await call('openReceived', { id: 'nothing', how: 'show' })).toMatchObject({ ok: false, code: 'not-there' })
    expect(await opened()).toHaveLength(4)
  })

  it('are in the small window while they move or wait for an answer, and can be dropped there', async () => {
    const [small] = await Promise.all([app.app.waitForEvent('window'), desktop.host.click('Small window')])
    small.setDefaultTimeout(PATIENCE.withinMs)
    await small.getByRole('button', { name: 'Keep this window open' }).click()
    writeFileSync(path('plan.pdf'), 'a plan')
    await sendsUs('plan.pdf')
    const ask = small.getByRole('group', { name: 'Files that wait for your answer' }).filter({ hasText: 'plan.pdf' })
    await ask.getByText('files wants to send you plan.pdf').waitFor()
    // Sparse: large to send, and nothing on the disk.
    writeFileSync(path('large.bin'), '')
    truncateSync(path('large.bin'), 4_000_000_000)
    await dropOn(small, '#/small', 'files', [path('large.bin')])
    await small.getByRole('status').filter({ hasText: 'One thing is on its way to files.' }).waitFor()
    await small.getByRole('button', { name: 'Sending large.bin to files' }).waitFor()
    await small.getByRole('progressbar').waitFor()
    expect(await axe(small)).toEqual([])
    await picture(small, 'small-window-files')
    const large = await waitFor('the row', async () => (await api.call('transfers')).Rows.find(({ Name }) => Name === 'large.bin'), PATIENCE)
    await api.call('transferAction', { body: { Do: 'cancel', ID: large.ID } })
    await small.getByRole('button', { name: 'Sending large.bin to files' }).waitFor({ state: 'detached' })
    await ask.getByRole('button', { name: 'Accept' }).click()
    await row('plan.pdf', 'received')
    await ask.waitFor({ state: 'detached' })
    const heard = await listen()
    await dropOn(small, '#/small', 'Exit node', [path('a b.txt')])
    expect(await heard()).toMatchObject({ kind: 'send', offer: { Items: [{ Name: 'a b.txt' }] } })
  })

  /** Drops files on what says these words. */
  async function dropOn(where: Page, hash: string, words: string, files: readonly string[]): Promise<void> {
    const box = await where.getByRole('button', { name: new RegExp(`^${words}`) }).first().boundingBox()
    const at = { x: Math.round(box!.x + box!.width / 2), y: Math.round(box!.y + box!.height / 2) }
    await app.app.evaluate(async ({ BrowserWindow }, { hash, at, files }) => {
      const { debugger: hand } = BrowserWindow.getAllWindows().find((one) => one.webContents.getURL().endsWith(hash))!.webContents
      hand.attach('1.3')
      for (const type of ['dragEnter', 'dragOver', 'drop']) await hand.sendCommand('Input.dispatchDragEvent', { type, ...at, data: { items: [], files, dragOperationsMask: 1 } })
      hand.detach()
    }, { hash, at, files: [...files] })
  }

  /** Listens for the next files that the window is given; answers the way to get them. */
  async function listen(): Promise<() => Promise<unknown>> {
    await page.evaluate(() => {
      Object.assign(globalThis, { heard: undefined })
      const { bowline } = globalThis as unknown as Bridge
      bowline.onCommand((command) => (command as { kind: string }).kind === 'send' && Object.assign(globalThis, { heard: command }))
    })
    return async () => {
      await waitFor('files for the window', () => page.evaluate('globalThis.heard !== undefined'), PATIENCE)
      return page.evaluate('globalThis.heard')
    }
  }
})
