/**
 * A change on trial in the window, over real engines: it comes from the bus, so it is there however the window came to it; Esc undoes, a
 * button keeps, and time undoes by itself.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { missingBrowser } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 40_000 }

describe.skipIf(missing !== undefined)(`a change on trial in the window${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let api: LocalApi
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(40_000)
    ;({ lab, api, page } = open)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const dialog = (): ReturnType<Page['getByRole']> => page.getByRole('alertdialog')
  const gone = (): Promise<void> => dialog().waitFor({ state: 'detached' })
  const begin = (Seconds: number): Promise<unknown> => api.call('answerTrial', { body: { Change: { Prefs: { RouteAll: true, RouteAllSet: true } }, Seconds } })
  const accepts = async (): Promise<boolean> => (await api.call('prefs')).RouteAll
  const ended = async (): Promise<string | undefined> => (await api.call('trial')).Last?.End

  it('says what is tried and when it goes back, and is clean and whole after a reload', async () => {
    told()
    await begin(120)
    await page.getByRole('alertdialog', { name: 'You are trying networks behind other devices' }).waitFor()
    expect(await accepts()).toBe(true)
    expect(await dialog().getByText(/^In \d+ seconds everything goes back as it was, unless you keep it\.$/).count()).toBe(1)
    await expectClean(page, 'a change on trial')
    await page.reload()
    await dialog().waitFor()
    await page.getByRole('timer', { name: /^1?\d?\d seconds left$/ }).waitFor()
  })

  it('is undone by Esc, whatever has the focus', async () => {
    told()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Escape')
    await gone()
    await expect.poll(accepts, PATIENCE).toBe(false)
    expect(await ended()).toBe('undone')
  })

  it('is kept by its button from the keyboard', async () => {
    told()
    await begin(120)
    await dialog().waitFor()
    await dialog().getByRole('button', { name: 'Keep it' }).focus()
    await page.keyboard.press('Enter')
    await gone()
    expect([await accepts(), await ended()]).toEqual([true, 'kept'])
    await api.call('editPrefs', { method: 'PATCH', body: { RouteAll: false, RouteAllSet: true } } as never)
  })

  it('is in the small window too, and is gone when nobody kept it in time, which is said', async () => {
    told()
    await page.evaluate("location.hash = '#/small'")
    await page.getByRole('main', { name: 'Bowline' }).or(page.locator('.small-window')).first().waitFor()
    await begin(5)
    await dialog().waitFor()
    await gone()
    await expect.poll(accepts, PATIENCE).toBe(false)
    expect(await ended()).toBe('ran-out')
    await page.getByText('Undone: nobody kept it in time.').waitFor({ state: 'attached' })
  })

  it('changes of the window that take nothing are made at once', async () => {
    told()
    await page.evaluate("location.hash = '#/settings/names'")
    const names = page.getByRole('switch', { name: 'Use the names of your network' })
    const before = (await api.call('prefs')).CorpDNS
    for (const wanted of [!before, before]) {
      await names.click()
      await expect.poll(async () => (await api.call('prefs')).CorpDNS, PATIENCE).toBe(wanted)
      expect(await dialog().count()).toBe(0)
    }
  })

  it('how this computer joins is chosen in Settings, with the next step where the whole computer cannot be had', async () => {
    told()
    await page.evaluate("location.hash = '#/settings/connection'")
    const group = page.getByRole('radiogroup', { name: 'How this computer joins' })
    await group.waitFor()
    expect(await group.getByRole('radio', { name: /^Apps only/ }).getAttribute('aria-checked')).toBe('true')
    await expectClean(page, 'how this computer joins')
  })
})
