/**
 * Small windows and large text: what goes away comes back as it was, and nothing is lost where text needs more room (WCAG 1.4.10, 1.4.12).
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { missingBrowser, picture } from './browser.ts'
import { openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 30_000 }

/** The least spacing that must lose nothing, on every element. */
const SPACING = '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }'

/** Through CSSOM, as an extension of the browser does it: a `style` element would be refused. */
const SPACED = `(() => { const sheet = new CSSStyleSheet(); sheet.replaceSync(${JSON.stringify(SPACING)}); document.adoptedStyleSheets = [sheet] })()`

/** Controls and headings whose text is cut without a way to read it, and what sticks out sideways. */
const LOST = `(() => {
  const wide = document.documentElement.scrollWidth - innerWidth
  const seen = (one) => one.checkVisibility() && one.getClientRects().length > 0
  const clipped = [...document.querySelectorAll('button, a, h1, h2, .verdict, label, [role=tab]')].filter(seen).filter((one) => {
    const style = getComputedStyle(one)
    const cut = one.scrollHeight > one.clientHeight + 3 && style.overflowY !== 'visible' && one.clientHeight > 0
    return cut && !one.title && !one.closest('[title], .sr-only')
  })
  return [...(wide > 0 ? ['sideways ' + wide] : []), ...clipped.map((one) => one.outerHTML.slice(0, 160))]
})()`

const PLACES = ['#/devices', '#/exit-nodes', '#/transfers', '#/diagnose', '#/settings/files', '#/settings/general', '#/settings/connection', '#/settings/accounts']

describe.skipIf(missing !== undefined)(`room and text${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow

  beforeAll(async () => {
    open = await openLabWindow(30_000)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(open.lab.lines()))
  const go = async (hash: string): Promise<void> => {
    await open.page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
    await open.page.locator('h1:visible').first().waitFor()
  }

  it.each([['the back button', 900], ['Escape', 960], ['Escape', 720]] as const)('comes back from a device by %s at %d px to the same place and the same row', async (way, width) => {
    told()
    const { page } = open
    await page.setViewportSize({ width, height: 300 })
    await go('#/devices')
    const web = page.getByRole('row', { name: /^web\./ })
    await web.waitFor()
    await page.getByRole('row', { name: /^my-computer\./ }).focus()
    await page.keyboard.press('End')
    await expect.poll(() => page.evaluate('document.activeElement.textContent'), PATIENCE).toContain('web')
    const top = (): Promise<number> => page.evaluate("Math.round(document.querySelector('.device-list .scroll').scrollTop)")
    const before = await top()
    expect(before).toBeGreaterThan(0)
    await page.keyboard.press('Enter')
    await page.locator('.device-page').waitFor()
    await page.getByRole('heading', { name: 'web', exact: true }).waitFor()
    expect(await page.locator('.device-list').isVisible()).toBe(false)
    if (way === 'Escape') await page.keyboard.press('Escape')
    else await page.getByRole('button', { name: 'Back to the list' }).click()
    await page.locator('.device-page').waitFor({ state: 'detached' })
    await expect.poll(() => page.evaluate('document.activeElement.textContent'), PATIENCE).toContain('web')
    await expect.poll(top, PATIENCE).toBe(before)
  })

  it.each([[1100, 720], [720, 520], [550, 360]] as const)('loses nothing with the widest spacing of text at %d × %d px', async (width, height) => {
    told()
    const { page, api } = open
    await page.setViewportSize({ width, height })
    await page.evaluate(SPACED)
    const status = await api.call('status')
    const web = Object.values(status.Peer ?? {}).find(({ DNSName }) => DNSName.startsWith('web.'))!.ID
    const lost: Record<string, unknown> = {}
    for (const hash of [...PLACES, ...['', '/details', '/access'].map((tab) => `#/devices/${web}${tab}`)]) {
      await go(hash)
      await page.locator(hash.startsWith(`#/devices/${web}`) ? '.device-page' : 'h1:visible').first().waitFor()
      expect(await page.evaluate("getComputedStyle(document.querySelector('button')).letterSpacing")).not.toBe('normal')
      const found = (await page.evaluate(LOST)) as string[]
      if (found.length > 0) lost[hash] = found
      if (width === 550) await picture(page, `spacing-${hash.replaceAll(/\W+/g, '-')}`)
    }
    await page.evaluate('document.adoptedStyleSheets = []')
    expect(lost).toEqual({})
  })
})
