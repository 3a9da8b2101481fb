/**
 * Networks behind devices and services of devices in the window, over real engines: what a person clicks is what the engine then does.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { OFFICE_NETWORK } from '../sim/demo/demo-network.ts'
import { missingBrowser } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 30_000 }

describe.skipIf(missing !== undefined)(`networks and services in the window${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let api: LocalApi
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(30_000)
    ;({ lab, api, page } = open)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const stateOf = async (prefix: string): Promise<string | undefined> => (await api.call('routes')).Routes.find((row) => row.Prefix === prefix)?.State
  const clean = (name: string): Promise<void> => expectClean(page, name)

  it('shows the network behind a device as not used, and uses it when somebody says so', async () => {
    told()
    await page.getByRole('row', { name: /^files\./ }).click()
    await page.getByRole('tab', { name: 'Access' }).click()
    const networks = page.getByRole('region', { name: 'Networks behind this device' })
    await networks.getByText('Networks behind devices are not used on this computer.').waitFor()
    expect(await stateOf(OFFICE_NETWORK)).toBe('not-accepted')
    await networks.scrollIntoViewIfNeeded()
    await clean('not accepted')
    const use = networks.getByRole('switch', { name: `Use ${OFFICE_NETWORK}` })
    await use.click()
    await networks.getByText('Through files.').waitFor()
    await expect.poll(() => use.getAttribute('aria-checked'), PATIENCE).toBe('true')
    expect(await stateOf(OFFICE_NETWORK)).toBe('used')
    await use.click()
    await networks.getByText('Left out').waitFor()
    await expect.poll(() => use.getAttribute('aria-checked'), PATIENCE).toBe('false')
    expect(await stateOf(OFFICE_NETWORK)).toBe('skipped')
    await clean('left out')
    await use.click()
    await expect.poll(() => stateOf(OFFICE_NETWORK), PATIENCE).toBe('used')
  })

  it('offers a network of this computer to the others, and takes it back', async () => {
    told()
    await page.getByRole('row', { name: /^my-computer\./ }).click()
    await page.getByRole('tab', { name: 'Access' }).click()
    const own = page.getByRole('region', { name: 'Networks' })
    await own.getByText('One network is offered.').waitFor()
    await own.getByLabel('Network to offer').fill('10.30.0.7/24')
    await own.getByRole('button', { name: 'Offer it' }).click()
    await own.getByText('must be a network like 10.0.3.0/24').waitFor()
    await own.getByLabel('Network to offer').fill('10.30.0.0/24')
    await own.getByRole('button', { name: 'Offer it' }).click()
    await own.getByText(/^Approved/).waitFor()
    await clean('offered')
    await expect.poll(async () => (await api.call('prefs')).AdvertiseRoutes, PATIENCE).toEqual(['10.30.0.0/24'])
    await own.getByRole('button', { name: 'Offer 10.30.0.0/24 no longer' }).click()
    await expect.poll(async () => (await api.call('prefs')).AdvertiseRoutes ?? [], PATIENCE).toEqual([])
  })

  it('gives a loopback address for a port of a device, which leads there', async () => {
    told()
    await page.getByRole('row', { name: /^files\./ }).click()
    await page.getByRole('tab', { name: 'Access' }).click()
    await page.getByRole('button', { name: 'Open a service' }).click()
    await page.getByRole('region', { name: 'Open a service' }).getByLabel('port').fill(String(lab.network.filesPort))
    await page.getByRole('button', { name: 'Get an address' }).click()
    const at = await page.locator('.door .num').textContent()
    expect(at).toMatch(/^127\.0\.0\.1:\d+$/)
    await clean('a door')
    expect(await (await fetch(`http://${at}/readme.txt`)).text()).toContain('demo file server')
    await page.getByRole('button', { name: 'Copy address' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(at)
    expect((await api.call('forwards')).Forwards).toMatchObject([{ Listen: at, Temporary: true }])
  })

  it('keeps a forward, shows what passes by it, and removes it', async () => {
    told()
    await page.getByRole('button', { name: 'Keep this forward' }).click()
    await page.getByText(/on this computer from now on, also after a restart\.$/).waitFor()
    const [kept] = (await api.call('forwards')).Forwards.filter((one) => one.Temporary !== true)
    expect(kept).toMatchObject({ State: 'listening', To: `files.demo.internal:${lab.network.filesPort}` })
    expect(await (await fetch(`http://${kept!.Listen}/readme.txt`)).text()).toContain('demo file server')
    const forwards = page.getByRole('region', { name: 'Forwards' })
    await forwards.getByText(/\d open now, 1 so far/).waitFor()
    await forwards.scrollIntoViewIfNeeded()
    await clean('forwards')
    await forwards.getByRole('button', { name: `Remove the forward ${kept!.Listen}` }).click()
    await expect.poll(async () => (await api.call('forwards')).Forwards.filter((one) => one.Temporary !== true), PATIENCE).toEqual([])
    await page.getByRole('button', { name: `Remove the forward ${kept!.Listen}` }).waitFor({ state: 'detached' })
  })

  it('says which mode this is, what it means and where apps find the network', async () => {
    told()
    await page.getByRole('button', { name: 'Apps only' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('No admin rights are needed.').waitFor()
    const { Socks5, PacUrl } = await api.call('proxies')
    for (const address of [Socks5!, PacUrl!]) await dialog.getByText(address, { exact: true }).waitFor()
    await clean('mode')
    await page.keyboard.press('Escape')
    await expect.poll(() => dialog.count(), PATIENCE).toBe(0)
  })

  it('says why a port cannot be reached, and keeps it in mind', async () => {
    told()
    await page.getByRole('region', { name: 'Open a service' }).getByLabel('port').fill('9')
    await page.getByRole('button', { name: 'Get an address' }).click()
    await page.getByRole('region', { name: 'Open a service' }).getByRole('alert').waitFor()
    const blocked = page.getByRole('region', { name: 'Blocked' })
    await blocked.getByText(/its rules do not let you in\.$/).waitFor()
    await blocked.scrollIntoViewIfNeeded()
    await clean('refused')
  })
})
