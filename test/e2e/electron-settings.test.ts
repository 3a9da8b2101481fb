/**
 * Settings that the app alone has, in real Electron: they are there, they are kept in its file, and the licences are read from the package.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AppSettings } from '../../main/localapi/app-settings.ts'
import { TestApp } from './app.ts'
import { axe, electronBinary, picture } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const missing = electronBinary() === undefined ? 'no Electron binary here' : undefined
const PATIENCE = { timeout: 30_000 }

describe.skipIf(missing !== undefined)(`settings in the app${missing === undefined ? '' : ` (${missing})`}`, () => {
  let lab: DemoLab
  let app: TestApp
  let page: Page

  beforeAll(async () => {
    lab = await startDemoLab()
    await lab.signIn('anna')
    app = await TestApp.launch({ args: [`--socket=${lab.socketPath}`] })
    page = await app.page()
    page.setDefaultTimeout(30_000)
    await page.getByRole('link', { name: 'Settings' }).click()
  })
  afterAll(async () => {
    await app?.end()
    await lab?.stop()
  })

  const kept = (): AppSettings => JSON.parse(readFileSync(join(app.userDir, 'settings.json'), 'utf8')) as AppSettings

  it('say what happens when the app starts and quits, and keep it', async () => {
    const start = page.getByRole('switch', { name: 'Start when you sign in to this computer' })
    await start.click()
    await expect.poll(() => start.getAttribute('aria-checked'), PATIENCE).toBe('true')
    expect(kept().startAtLogin).toBe(true)
    expect(await page.getByRole('switch', { name: 'Start disconnected' }).count()).toBe(0)
    await page.getByLabel('When you quit').selectOption('Ask each time')
    await expect.poll(() => kept().onQuit, PATIENCE).toBe('ask')
    await page.getByLabel('When you quit').selectOption('Keep the connection where a service holds it')
    await expect.poll(() => kept().onQuit, PATIENCE).toBe('keep')
    expect(await axe(page)).toEqual([])
    await picture(page, 'settings-app-general')
  })

  it('say what may be told outside the window, kind by kind', async () => {
    await page.getByRole('link', { name: 'Notifications' }).click()
    await page.getByLabel('Exit node', { exact: true }).selectOption('Mark on the tray')
    await expect.poll(() => kept().notifications['exit-node'], PATIENCE).toBe('badge')
    expect(await axe(page)).toEqual([])
    await picture(page, 'settings-app-notifications')
  })

  it('have the licences of what is inside', async () => {
    await page.getByRole('link', { name: 'About' }).click()
    await page.getByRole('searchbox', { name: 'Find software or a licence' }).fill('smoltcp')
    await page.getByText('1 package', { exact: true }).waitFor()
  })
})
