/**
 * The page of one device in a real Chromium over real engines: verdict, chart, pings of every layer, tabs by keyboard, ticket, trying
 * for a direct path, and what is said when the device is gone.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { missingBrowser, picture } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 30_000 }

describe.skipIf(missing !== undefined)(`the page of one device${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(30_000)
    ;({ lab, page } = open)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const text = (selector: string) => (): Promise<string | null> => page.locator(selector).first().textContent()

  it('leaves a device that nobody uses alone, and says so', async () => {
    told()
    await page.getByRole('row', { name: /^laptop\./ }).click()
    await expect.poll(text('.verdict'), PATIENCE).toMatch(/^Idle: nothing (is being|has been) sent to laptop/)
    await page.getByText('No round trip measured in this window yet.').waitFor()
    expect(await page.locator('.layers').count()).toBe(0)
    await expectClean(page, 'idle')
  })

  it('pings every layer until it is stopped, and says what the answers mean', async () => {
    told()
    await page.getByRole('row', { name: /^web\./ }).click()
    await page.getByRole('button', { name: 'Ping', exact: true }).click()
    const replies = async (): Promise<string[]> => (await page.locator('.layers .reply').allTextContents()).filter((one) => one !== '–')
    await expect.poll(replies, PATIENCE).toEqual(Array.from({ length: 6 }, () => expect.stringMatching(/ms[1-9]/)))
    await page.getByText('Every layer answers.').waitFor()
    await expect.poll(text('.layers .way'), PATIENCE).toMatch(/^Relayed, demo/)
    await expect.poll(text('.verdict'), PATIENCE).toMatch(/^Relayed through demo/)
  })

  it('draws the round trip as it is measured, to be walked by keys and read as a table', async () => {
    told()
    const samples = async (): Promise<number> => Number(await page.getByRole('slider').getAttribute('aria-valuemax'))
    await expect.poll(samples, PATIENCE).toBeGreaterThan(3)
    expect(await page.locator('.chart .run-relay').count()).toBeGreaterThan(0)
    expect(await page.locator('.chart .bar-relay').count()).toBeGreaterThan(0)
    await page.getByRole('button', { name: 'Stop pinging' }).click()
    const slider = page.getByRole('slider')
    await slider.focus()
    await page.keyboard.press('Home')
    expect(await slider.getAttribute('aria-valuenow')).toBe('1')
    await page.keyboard.press('ArrowRight')
    expect(await slider.getAttribute('aria-valuenow')).toBe('2')
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^\d\d:\d\d:\d\d: .* ms, Relayed, demo$/)
    await expectClean(page, 'chart')
    await picture(page, 'device-relayed-chart')
    await page.getByRole('button', { name: 'Show as table' }).click()
    expect(await page.getByRole('table', { name: 'Samples of the round trip' }).getByRole('row').count()).toBeGreaterThan(3)
    await expectClean(page, 'samples as a table')
    await page.getByRole('button', { name: 'Show as chart' }).click()
  })

  it('is pinged by Ctrl P and explains its path by Ctrl D, from the page and from its row', async () => {
    told()
    const stop = page.getByRole('button', { name: 'Stop pinging' })
    const focus = (): Promise<string> => page.evaluate('document.activeElement.className')
    await page.getByRole('tab', { name: 'Details' }).click()
    await page.keyboard.press('Control+p')
    await stop.waitFor()
    await page.getByRole('tab', { name: 'Path', selected: true }).waitFor()
    await page.keyboard.press('Control+p')
    await stop.waitFor({ state: 'detached' })
    await page.keyboard.press('Control+d')
    await expect.poll(focus, PATIENCE).toBe('verdict')
    await page.getByRole('row', { name: /^files\./ }).click()
    await page.getByRole('heading', { name: 'files', exact: true }).waitFor()
    expect(await stop.count()).toBe(0)
    await page.getByRole('row', { name: /^files\./ }).focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Control+p')
    await page.getByRole('heading', { name: 'web', exact: true }).waitFor()
    await stop.waitFor()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Control+d')
    await page.getByRole('heading', { name: 'laptop', exact: true }).waitFor()
    await page.getByRole('tab', { name: 'Path', selected: true }).waitFor()
    expect(await stop.count()).toBe(0)
    await page.getByRole('row', { name: /^web\./ }).click()
    await page.getByRole('heading', { name: 'web', exact: true }).waitFor()
  })

  it('goes from tab to tab by arrow keys, and keeps the tab in the address', async () => {
    told()
    await page.getByRole('tab', { name: 'Path' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('tab', { name: 'Details', selected: true }).waitFor()
    expect(page.url()).toMatch(/#\/devices\/[^/]+\/details$/)
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Details')
    await page.getByText('Node key').waitFor()
    await expectClean(page, 'details')
    await page.getByRole('button', { name: /^Copy nodekey:/ }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toMatch(/^nodekey:[0-9a-f]{64}$/)
    await page.getByRole('tab', { name: 'Details' }).focus()
    await page.keyboard.press('End')
    await page.getByRole('tab', { name: 'Access', selected: true }).waitFor()
    await page.reload()
    await page.getByRole('tab', { name: 'Access', selected: true }).waitFor()
    await page.getByRole('region', { name: 'Reach a port' }).getByLabel('port').fill(String(lab.network.webPort))
    await page.getByRole('button', { name: 'Can it be reached?' }).click()
    const rungs = page.locator('.rung-passed')
    await expect.poll(() => rungs.count(), PATIENCE).toBeGreaterThan(3)
    await expectClean(page, 'access')
    await page.getByRole('tab', { name: 'Access' }).focus()
    await page.keyboard.press('Home')
    await page.getByRole('tab', { name: 'Path', selected: true }).waitFor()
  })

  it('copies for a ticket what the person wants in it', async () => {
    told()
    await page.getByRole('button', { name: 'Copy for ticket' }).click()
    const ticket = async (): Promise<string> => {
      await page.getByRole('button', { name: 'Copy the ticket' }).click()
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      const copied = (await page.evaluate('navigator.clipboard.readText()')) as string
      await page.getByRole('button', { name: 'Copy the ticket' }).waitFor()
      return copied
    }
    expect(await ticket()).toMatch(/^Bowline, path to one device\nVerdict: [^]*UDP gets out: here [^]*There: /)
    expect(await ticket()).not.toMatch(/Device: |100\.64/)
    await page.getByLabel('Facts of both sides').uncheck()
    await page.getByLabel('Names and addresses').check()
    const named = await ticket()
    expect(named).toMatch(/Device: web 100\.64/)
    expect(named).not.toContain('UDP gets out')
    await expectClean(page, 'ticket')
  })

  it('tries for a direct path and says what came of it, and the chart shows the change', async () => {
    told()
    await page.getByRole('button', { name: 'Ping', exact: true }).click()
    await expect.poll(text('.layers .way'), PATIENCE).toMatch(/^Relayed/)
    lab.network.gate.open()
    await page.getByRole('button', { name: 'Try direct again' }).click()
    await page.getByRole('status').filter({ hasText: 'web answers directly now.' }).waitFor()
    await page.locator('.drawing-direct').waitFor()
    await expect.poll(text('.verdict'), PATIENCE).toMatch(/^Direct: web answers on this computer\.$/)
    await expect.poll(() => page.locator('.chart .bar-direct').count(), PATIENCE).toBeGreaterThan(0)
    await page.getByRole('region', { name: 'Last changes of the path' }).getByText(/to direct$/).first().waitFor()
    await page.getByRole('button', { name: 'Stop pinging' }).click()
    await expectClean(page, 'direct')
    await picture(page, 'device-direct-chart')
    await page.emulateMedia({ forcedColors: 'active' })
    await picture(page, 'device-forced-colours')
    await page.emulateMedia({ forcedColors: null })
  })

  it('says that a device is gone instead of showing another', async () => {
    told()
    await page.goto(new URL('#/devices/gone', page.url()).href)
    await page.getByText('This device is no longer in your network.').waitFor()
    await expectClean(page, 'gone')
    await page.getByRole('button', { name: 'Show all devices' }).click()
    expect(page.url()).toMatch(/#\/devices$/)
  })
})
