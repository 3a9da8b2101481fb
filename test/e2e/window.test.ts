/**
 * A new person's first minutes in the window, in a real Chromium: sign in, devices, ping, from relayed to direct, a device's page.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { WebHost } from '../../main/web/web-host.ts'
import { axe, launchChromium, missingBrowser, picture, rendererDir } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const missing = missingBrowser()

describe.skipIf(missing !== undefined)(`the window in a browser${missing === undefined ? '' : ` (${missing})`}`, () => {
  let lab: DemoLab
  let host: WebHost
  let browser: Browser
  let context: BrowserContext
  let page: Page

  beforeAll(async () => {
    lab = await startDemoLab()
    host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
    await host.start()
    browser = await launchChromium()
    context = await browser.newContext({ viewport: { width: 1100, height: 720 }, permissions: ['clipboard-write'] })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
  })

  afterAll(async () => {
    await browser?.close()
    host?.stop()
    await lab?.stop()
  })

  /** Looks at the present screen in light and dark: a picture of each, and axe finds nothing. */
  async function lookAt(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await picture(page, `${name}-${colorScheme}`)
      expect(await axe(page), `${name}, ${colorScheme}`).toEqual([])
    }
    await page.emulateMedia({ forcedColors: 'active' })
    await picture(page, `${name}-forced-colours`)
    await page.emulateMedia({ colorScheme: null, forcedColors: null })
  }
  const told = (): void => onTestFailed(() => console.error(lab.lines()))

  it('opens on the sign-in page and refuses what is no server', async () => {
    told()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    await page.goto(host.address())
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await lookAt('sign-in')
    await page.getByLabel('Server address').fill('not a server')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('That is no server address').waitFor()
    expect(problems).toEqual([])
  })

  it('signs in by the link on the server’s page', async () => {
    told()
    const opened = context.waitForEvent('page')
    await page.getByLabel('Server address').fill(lab.network.control.url)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
    const signIn = await opened
    await lookAt('waiting-browser')
    await signIn.locator('input[name=name]').fill('anna')
    await signIn.locator('button, input[type=submit]').first().click()
    await page.getByRole('heading', { name: 'Devices' }).waitFor({ timeout: 20_000 })
    await signIn.close()
  })

  it('lists the devices and finds one by typing', async () => {
    told()
    for (const name of ['web', 'files', 'laptop', 'exit-node']) await page.getByRole('row', { name: new RegExp(`^${name}\\.`) }).waitFor({ timeout: 20_000 })
    await page.getByText('Connected', { exact: true }).first().waitFor()
    await lookAt('devices')
    await page.keyboard.press('/')
    await page.keyboard.type('laptop')
    await expect.poll(() => page.getByRole('row', { name: /^web\./ }).count()).toBe(0)
    await page.keyboard.press('Escape')
    await page.getByRole('row', { name: /^web\./ }).waitFor()
  })

  it('pings a device through the relay and says why it is relayed', async () => {
    told()
    await page.getByRole('row', { name: /^web\./ }).click()
    await page.getByRole('button', { name: 'Ping' }).click()
    await expect.poll(() => page.locator('.layers dd').allTextContents(), { timeout: 15_000 }).toEqual(expect.arrayContaining([expect.stringMatching(/ms through/)]))
    await expect.poll(() => page.locator('.verdict').textContent(), { timeout: 10_000 }).toMatch(/relay/i)
    await lookAt('device-relayed')
  })

  it('sees the path become direct when the network lets it', async () => {
    told()
    lab.network.gate.open()
    await expect.poll(async () => {
      await page.getByRole('button', { name: 'Ping' }).click()
      return page.locator('.layers dd').allTextContents()
    }, { timeout: 30_000, interval: 500 }).toEqual(expect.arrayContaining([expect.stringMatching(/direct, 127\.0\.0\.1:/)]))
    await page.locator('.drawing-direct').waitFor({ timeout: 10_000 })
    await expect.poll(() => page.locator('.verdict').textContent()).toMatch(/direct/i)
    await lookAt('device-direct')
  })

  it('opens the device’s own web page through the tunnel', async () => {
    told()
    const opened = context.waitForEvent('page')
    await page.getByLabel('port').fill(String(lab.network.webPort))
    await page.getByRole('button', { name: 'Open its web page' }).click()
    const itsPage = await opened
    await itsPage.waitForLoadState()
    expect(await itsPage.title()).not.toBe('')
    expect(lab.network.webHits()).toBeGreaterThan(0)
    await itsPage.close()
  })

  it('disconnects and connects by the switch, and says so', async () => {
    told()
    await page.getByRole('switch').click()
    await page.getByText('Disconnected', { exact: true }).first().waitFor({ timeout: 10_000 })
    await page.getByRole('switch').click()
    await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 15_000 })
  })
})
