/**
 * The tray in real Electron on a session bus of the test's own: what a panel is told of icon, tooltip and menu, and what its clicks do.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { waitFor } from '../support/wait.ts'
import type { TestApp } from './app.ts'
import { axe, electronBinary, picture } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { DBUS_DAEMON, TrayHost, type MenuEntry, type PrivateBus } from './desktop-bus.ts'
import { DesktopLab } from './desktop-lab.ts'

const missing = electronBinary() === undefined ? 'no Electron binary here' : existsSync(DBUS_DAEMON) ? undefined : 'no dbus-daemon here'
const PATIENCE = { withinMs: 30_000, everyMs: 100 }

describe.skipIf(missing !== undefined)(`the tray${missing === undefined ? '' : ` (${missing})`}`, () => {
  let desktop: DesktopLab<TrayHost>
  let lab: DemoLab
  let bus: PrivateBus
  let host: TrayHost
  let app: TestApp

  let api: LocalApi

  beforeAll(async () => {
    desktop = await DesktopLab.start((own) => new TrayHost(own))
    ;({ lab, api, bus, host } = desktop)
    app = await launch()
  })
  afterAll(async () => {
    await app?.end()
    host?.stop()
    await desktop?.stop()
  })

  const launch = (): Promise<TestApp> => desktop.launch('--hidden')
  const tooltip = (words: string): Promise<unknown> => waitFor(`the tooltip ${words}`, async () => (await host.look()).tooltip === words, PATIENCE)
  const entry = (label: string, fits: (entry: MenuEntry) => boolean): Promise<unknown> => waitFor(`${label} as expected`, async () => fits(await host.entry(label)), PATIENCE)
  const wants = async (): Promise<boolean> => ((await api.call('prefs')) as { WantRunning: boolean }).WantRunning
  const windows = (): Promise<string[]> => app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().filter((one) => one.isVisible()).map((one) => one.webContents.getURL().replace(/^[^#]*/, '')))

  it('is registered with the state as its tooltip, and a menu that begins with the way to the window', async () => {
    await tooltip('Connected')
    await host.entry('Exit node: none')
    const labels = (await host.menu()).map((one) => one.label)
    expect(labels.slice(0, 3)).toEqual(['Open Bowline', expect.stringMatching(/^Connected\. /), 'Disconnect'])
    expect(labels.slice(-3)).toEqual(['Small window', 'Settings…', 'Quit'])
    expect((await host.look()).icon.length).toBeGreaterThan(100)
  })

  it('disconnects and connects by its menu, with another icon, tooltip and whole menu each time', async () => {
    const before = { look: await host.look(), menu: await host.menu() }
    await host.click('Disconnect')
    await tooltip('Disconnected')
    expect(await wants()).toBe(false)
    const off = await host.look()
    expect(off.icon).not.toBe(before.look.icon)
    expect((await host.menu()).map((one) => one.label)).not.toContain('Devices')
    await host.click('Connect')
    await tooltip('Connected')
    expect(await wants()).toBe(true)
    expect((await host.look()).icon).toBe(before.look.icon)
    await host.entry('Devices')
    expect(ids(await host.menu()).filter((id) => ids(before.menu).includes(id))).toEqual([])
  })

  it('uses an exit node and lets go of it by its menu, marked as the engine has it', async () => {
    const connected = (await host.look()).icon
    await entry('None', (one) => one.checked === true)
    await host.click('exit-node')
    await host.entry('Exit node: exit-node')
    await entry('None', (one) => one.checked === false)
    expect((await host.look()).icon).not.toBe(connected)
    await host.click('Reach the local network')
    await entry('Reach the local network', (one) => one.checked === true)
    await host.click('Reach the local network')
    await entry('Reach the local network', (one) => one.checked === false)
    await host.click('None')
    await host.entry('Exit node: none')
    expect((await host.look()).icon).toBe(connected)
    const saved = JSON.parse(readFileSync(join(app.userDir, 'settings.json'), 'utf8')) as { accounts: Record<string, { recentExits: string[] }> }
    expect(Object.values(saved.accounts)[0]!.recentExits).toHaveLength(1)
  })

  it('copies an address, and shows names with "&" and "_" as they are', async () => {
    await host.click('files, ')
    const text = await app.app.evaluate(({ clipboard }) => clipboard.readText())
    expect(text).toMatch(/^100\.64\.\d+\.\d+$/)
    await api.call('editPrefs', { body: { ProfileName: 'R&D_lab', ProfileNameSet: true } })
    // In this protocol "__" is one underscore, and a single one underlines the next letter.
    await host.entry('R&D__lab, ')
    await api.call('editPrefs', { body: { ProfileName: '', ProfileNameSet: true } })
  })

  it('opens the window at the place that was asked for', async () => {
    expect(await windows()).toEqual([])
    await host.click('Settings…')
    await waitFor('the settings', async () => (await windows())[0]?.startsWith('#/settings'), PATIENCE)
    await app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    await waitFor('no window', async () => (await windows()).length === 0, PATIENCE)
    await host.click('Open Bowline')
    await waitFor('the window', async () => (await windows()).length === 1, PATIENCE)
  })

  it('has a small window with what is wanted most, which goes when the main window comes', async () => {
    await app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    await waitFor('no window', async () => (await windows()).length === 0, PATIENCE)
    const open = async (): Promise<Page> => {
      const [page] = await Promise.all([app.app.waitForEvent('window'), host.click('Small window')])
      page.setDefaultTimeout(PATIENCE.withinMs)
      return page
    }
    const page = await open()
    await page.getByRole('heading', { name: 'Connected' }).waitFor()
    await page.getByRole('button', { name: /^files\./ }).waitFor()
    expect(await page.evaluate('[innerWidth, innerHeight].join()')).toBe('380,560')
    expect(await axe(page)).toEqual([])
    await picture(page, 'small-window')
    await page.getByRole('button', { name: 'Keep this window open' }).click()
    await page.getByRole('button', { name: 'Close it when it loses the focus' }).click()
    await page.getByRole('switch', { name: 'Disconnect' }).click()
    await page.getByRole('heading', { name: 'Disconnected' }).waitFor()
    await page.getByRole('switch', { name: 'Connect', exact: true }).click()
    await page.getByRole('heading', { name: 'Connected' }).waitFor()
    await page.getByRole('button', { name: /^Exit node/ }).click()
    await waitFor('the main window alone', async () => (await windows()).join() === '#/exit-nodes', PATIENCE)
    const again = await open()
    await again.getByRole('heading', { name: 'Connected' }).waitFor()
    await again.getByRole('button', { name: 'Keep this window open' }).click()
    const loseFocus = (): Promise<void> => app.app.evaluate(({ BrowserWindow }) => void BrowserWindow.getAllWindows().find((one) => one.webContents.getURL().endsWith('#/small'))?.emit('blur'))
    await again.getByRole('button', { name: 'Close it when it loses the focus' }).waitFor()
    await loseFocus()
    await again.getByRole('button', { name: 'Close it when it loses the focus' }).click()
    await again.getByRole('button', { name: 'Keep this window open' }).waitFor()
    await Promise.all([again.waitForEvent('close'), loseFocus()])
    const third = await open()
    await third.getByRole('heading', { name: 'Connected' }).waitFor()
    const gone = third.waitForEvent('close')
    // The page may be gone before the key is up.
    await third.keyboard.press('Escape').catch(() => undefined)
    await gone
  })

  it('says that the engine stopped, and comes back with it', async () => {
    const connected = (await host.look()).icon
    await lab.stopEngine()
    await tooltip('Engine stopped')
    expect((await host.look()).icon).not.toBe(connected)
    expect((await host.menu()).map((one) => one.label)).not.toContain('Disconnect')
    await lab.startEngine()
    await tooltip('Connected')
  })

  it('is registered anew with a panel that came back, and quits by its menu', async () => {
    host.stop()
    host = new TrayHost(bus)
    await host.start()
    await tooltip('Connected')
    const ended = app.ended()
    await host.click('Quit')
    expect(await ended).toBe(0)
  })
})

const ids = (menu: readonly MenuEntry[]): readonly number[] => menu.flatMap((one) => [one.id, ...ids(one.children)])
