/**
 * Closing and quitting the app in real Electron: what is asked, what is said once, and what becomes of the connection.
 */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LocalApiClient } from '../../main/client/local-api-client.ts'
import type { AppSettings } from '../../main/localapi/app-settings.ts'
import type { Status } from '../../main/localapi/types.ts'
import { pause, waitFor } from '../support/wait.ts'
import { TestApp } from './app.ts'
import { electronBinary } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const PATIENCE = { withinMs: 30_000 }

/** A question that the app asked, as it came to the system's dialog. */
interface Asked {
  readonly message: string
  readonly detail: string
  readonly buttons: readonly string[]
}

describe.skipIf(electronBinary() === undefined)('leaving the app', () => {
  let lab: DemoLab
  let client: LocalApiClient
  let test: TestApp | undefined

  beforeAll(async () => {
    lab = await startDemoLab()
    await lab.signIn('mia')
    client = new LocalApiClient(lab.socketPath)
  })
  afterEach(async () => {
    await test?.end()
    test = undefined
  })
  afterAll(async () => {
    await lab?.stop()
  })

  const launch = async (settings: Partial<AppSettings>): Promise<TestApp> => {
    test = await TestApp.launch({ args: [`--socket=${lab.socketPath}`], settings: { onQuit: 'ask', ...settings } })
    await (await test.page()).getByRole('row', { name: /^files\./ }).waitFor({ timeout: 30_000 })
    return test
  }
  /** From now on a question is answered with this button, "wait" = not at all; what was asked is kept. */
  const answer = (button: string, remember = false): Promise<void> =>
    test!.app.evaluate(({ dialog }, { button, remember }) => {
      const asked: unknown[] = []
      Object.assign(globalThis, { asked })
      dialog.showMessageBox = ((...given: unknown[]) => {
        const options = given.at(-1) as { buttons: string[]; signal: AbortSignal }
        asked.push({ message: given.at(-1) && (given.at(-1) as { message: string }).message, detail: (given.at(-1) as { detail: string }).detail, buttons: options.buttons })
        if (button === 'wait') return new Promise(() => {})
        return Promise.resolve({ response: options.buttons.indexOf(button), checkboxChecked: remember })
      }) as typeof dialog.showMessageBox
    }, { button, remember })
  const asked = (): Promise<readonly Asked[]> => test!.app.evaluate(() => (globalThis as unknown as { asked: Asked[] }).asked)
  /** Ctrl+Q in the window: what a person presses. */
  const press = (keyCode: string): Promise<void> =>
    test!.app.evaluate(({ BrowserWindow }, keyCode) => {
      const { webContents } = BrowserWindow.getAllWindows()[0]!
      for (const type of ['keyDown', 'keyUp'] as const) webContents.sendInputEvent({ type, keyCode, modifiers: ['control'] })
    }, keyCode)
  const visible = (): Promise<boolean> => test!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible())
  const wantsRunning = async (): Promise<boolean> => ((await client.json({ method: 'GET', path: 'prefs' })) as { WantRunning: boolean }).WantRunning
  const settings = (): AppSettings => JSON.parse(readFileSync(join(test!.userDir, 'settings.json'), 'utf8')) as AppSettings

  it('asks in the person\'s language whether a service stays connected, goes on when that is called off, and remembers the answer', async () => {
    await launch({ language: 'de' })
    await answer('Abbrechen')
    await press('q')
    await waitFor('the question', async () => (await asked()).length === 1, PATIENCE)
    expect((await asked())[0]!.message).toBe('Bowline beenden?')
    await pause(300)
    expect(await visible()).toBe(true)
    await answer('Beenden, verbunden bleiben', true)
    const ended = test!.ended()
    await press('q')
    expect(await ended).toBe(0)
    expect(settings().onQuit).toBe('keep')
    expect(await wantsRunning()).toBe(true)
  })

  it('says what is on its way before it disconnects', async () => {
    await launch({})
    const [laptop] = Object.values(((await client.json({ method: 'GET', path: 'status' })) as Status).Peer ?? {}).filter(({ HostName }) => HostName === 'laptop')
    // Sparse: long to send, and nothing on the disk.
    const large = join(lab.folder, 'large.bin')
    writeFileSync(large, '')
    truncateSync(large, 4_000_000_000)
    const { IDs } = (await client.json({ method: 'POST', path: 'bowline/transfers', body: { Do: 'send', Peer: laptop!.ID, Items: [{ Path: large }] } })) as { IDs: readonly string[] }
    await answer('Cancel')
    await waitFor('the question to tell of it', async () => {
      await press('q')
      return (await asked()).at(-1)?.detail.endsWith('\n\nOne file is on its way. It stands still while you are disconnected.')
    }, { ...PATIENCE, everyMs: 200 })
    await client.json({ method: 'POST', path: 'bowline/transfers', body: { Do: 'cancel', ID: IDs[0] } })
  })

  it('disconnects a service when the person wants that', async () => {
    await launch({})
    await answer('Quit and disconnect')
    const ended = test!.ended()
    await press('q')
    expect(await ended).toBe(0)
    expect(await wantsRunning()).toBe(false)
    await client.json({ method: 'PATCH', path: 'prefs', body: { WantRunning: true, WantRunningSet: true } })
  })

  it('never asks when the system ends it, not even while a question is open, and leaves the service connected', async () => {
    await launch({})
    await answer('wait')
    await press('q')
    await waitFor('the question', async () => (await asked()).length === 1, PATIENCE)
    const ended = test!.ended()
    process.kill(test!.pid, 'SIGTERM')
    expect(await ended).toBe(0)
    expect(await wantsRunning()).toBe(true)
  })

  it('says once, where no tray can be seen, that closing the window ends nothing', async () => {
    await launch({ told: [] })
    await answer('Close the window')
    await press('w')
    await waitFor('the window away', async () => !(await visible()), PATIENCE)
    expect(await asked()).toEqual([{
      message: 'Bowline is still connected.', detail: 'There is no tray icon here. To see the window again, start Bowline again.', buttons: ['Close the window', 'Quit Bowline', 'Cancel'],
    }])
    expect(settings().told).toContain('closed')
    await test!.app.evaluate(({ app }) => app.emit('activate'))
    await waitFor('the window back', visible, PATIENCE)
    await press('w')
    await waitFor('the window away', async () => !(await visible()), PATIENCE)
    expect(await asked()).toHaveLength(1)
    expect(await wantsRunning()).toBe(true)
  })

  it('quits by the page\'s own request too, and says that it does', async () => {
    await launch({ onQuit: 'keep' })
    const ended = test!.ended()
    await (await test!.page()).evaluate("void window.bowline.call('quit', {})")
    expect(await ended).toBe(0)
  })
})
