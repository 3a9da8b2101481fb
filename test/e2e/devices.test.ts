/**
 * The list of devices in a real browser: by keyboard and pointer over the demo network, then with ten thousand devices.
 */
import { readFileSync } from 'node:fs'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { WebHost } from '../../main/web/web-host.ts'
import { device, ManyPeers } from '../bench/many-peers.ts'
import { manyDevices, manyOwners } from '../bench/ui.ts'
import { launchChromium, missingBrowser, picture, rendererDir } from './browser.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE_MS = 30_000
/** A formula for a spreadsheet, markup, and what would turn the reading direction. */
const HOSTILE = '=cmd()<b>\u202eevil'

const focused = (page: Page): Promise<string> => page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent') as Promise<string>
const expectFocus = (page: Page, name: RegExp): Promise<void> => expect.poll(() => focused(page), { timeout: PATIENCE_MS }).toMatch(name)
const groups = (page: Page): Promise<readonly string[]> => page.locator('.row.group button').evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? ''))
const names = (page: Page): Promise<readonly string[]> => page.locator('.row.device .name').evaluateAll((all) => all.map((one) => one.textContent ?? ''))
const expectNames = (page: Page, wanted: readonly string[]): Promise<void> => expect.poll(() => names(page), { timeout: PATIENCE_MS }).toEqual(wanted)

describe.skipIf(missing !== undefined)(`the list of devices${missing === undefined ? '' : ` (${missing})`}`, () => {
  let window: LabWindow
  let page: Page
  const ALL = ['my-computer', 'exit-node', 'files', 'laptop', 'web']
  const rowOf = (name: string): Locator => page.getByRole('row', { name: new RegExp(`^${name}[.,]`) })
  const told = (): void => onTestFailed(() => console.error(window.lab.lines()))

  beforeAll(async () => {
    window = await openLabWindow(PATIENCE_MS)
    page = window.page
    for (const name of ALL) await rowOf(name).waitFor()
  })
  afterAll(() => window?.stop())

  it('is walked, folded and searched by keyboard', async () => {
    told()
    await rowOf('my-computer').focus()
    await page.keyboard.press('ArrowDown')
    await expectFocus(page, /^exit-node\./)
    await page.keyboard.press('l')
    await expectFocus(page, /^laptop\./)
    await page.keyboard.press('ArrowLeft')
    await expectFocus(page, /^People, 4 devices$/)
    await page.keyboard.press('ArrowLeft')
    await expectNames(page, ['my-computer'])
    await expectFocus(page, /^People, 4 devices$/)
    await page.keyboard.press('ArrowRight')
    await expectNames(page, ALL)
    await page.keyboard.press('ArrowDown')
    await expectFocus(page, /^exit-node\./)
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowUp')
    await expectFocus(page, /^Name$/)
    await page.keyboard.press('Enter')
    await expectNames(page, ['web', 'laptop', 'files', 'exit-node', 'my-computer'].toSorted((a, b) => Number(b === 'my-computer') - Number(a === 'my-computer')))
    expect(await page.getByRole('columnheader', { name: 'Name' }).getAttribute('aria-sort')).toBe('descending')
    await page.keyboard.press('Enter')
    await expectNames(page, ALL)
    await page.keyboard.press('/')
    await expectFocus(page, /^Search devices/)
  })

  it('offers filters while somebody types, and its chips edit the same text', async () => {
    told()
    const search = page.getByRole('combobox', { name: /^Search devices/ })
    await search.fill('ow')
    await page.getByRole('option', { name: /^owner:/ }).waitFor()
    await search.press('ArrowDown')
    await search.press('Enter')
    expect(await search.inputValue()).toBe('owner:')
    await page.getByRole('option', { name: 'owner:mia' }).click()
    expect(await search.inputValue()).toBe('owner:mia ')
    await expectNames(page, ['laptop'])
    await expectClean(page, 'filter')
    await page.getByRole('button', { name: 'Remove the filter owner:mia' }).click()
    await expectNames(page, ALL)
    await page.getByRole('button', { name: /^Yours/ }).first().click()
    expect(await search.inputValue()).toBe('is:mine')
    await expectNames(page, ['my-computer'])
    await page.getByRole('button', { name: /^All/ }).click()
    await page.getByRole('button', { name: 'Path', exact: true }).click()
    await expectFocus(page, /^Search devices/)
    await page.getByRole('option', { name: 'path:idle' }).waitFor()
    await expectClean(page, 'offers')
    await search.press('Escape')
    await search.press('Escape')
    expect(await search.inputValue()).toBe('')
    await search.press('ArrowDown')
    await expectFocus(page, /^(my-computer|exit-node|laptop)\./)
  })

  it('pins, names and hides devices for the account, hostile nicknames too, and has them again after a reload', async () => {
    told()
    await rowOf('web').click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Pin', exact: true }).click()
    await expect.poll(() => groups(page)).toEqual(['Pinned, 1 device', 'Yours, 1 device', 'People, 3 devices'])
    await rowOf('files').focus()
    await page.keyboard.press('ContextMenu')
    await page.getByRole('menuitem', { name: 'Nickname…' }).waitFor()
    await expectClean(page, 'menu')
    await page.keyboard.press('Escape')
    await expectFocus(page, /^files\./)
    await page.keyboard.press('Shift+F10')
    await page.getByRole('menuitem', { name: 'Nickname…' }).click()
    await expectClean(page, 'nickname')
    await page.getByLabel('Nickname', { exact: true }).fill(HOSTILE)
    await page.keyboard.press('Enter')
    const shown = '=cmd()<b>\ufffdevil'
    await page.getByText(shown).first().waitFor()
    expect(await page.locator('.device-list b').count()).toBe(0)
    await rowOf('laptop').hover()
    await rowOf('laptop').getByRole('button', { name: 'More for laptop' }).click()
    await page.getByRole('menuitem', { name: 'Hide', exact: true }).click()
    await page.getByRole('button', { name: '1 hidden' }).waitFor()
    await page.reload()
    await expectNames(page, ['web', 'my-computer', `${shown}files`, 'exit-node'])
    await page.getByRole('button', { name: '1 hidden' }).click()
    await expectNames(page, ['laptop'])
    await rowOf('laptop').click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Show again' }).click()
    await page.getByRole('button', { name: 'Clear filter' }).click()
    await expectNames(page, ['web', 'my-computer', `${shown}files`, 'exit-node', 'laptop'])
  })

  it('selects many, copies their addresses and exports them as a table that runs nothing', async () => {
    told()
    await rowOf('web').focus()
    await page.keyboard.press('Control+c')
    const copied = (): Promise<unknown> => page.evaluate('navigator.clipboard.readText()')
    await expect.poll(copied).toMatch(/^100\.64\.0\.\d+$/)
    await rowOf('exit-node').click({ modifiers: ['Control'] })
    await rowOf('laptop').click({ modifiers: ['Shift'] })
    await page.getByText('2 devices selected').waitFor()
    await rowOf('web').click({ modifiers: ['Control'] })
    await page.getByText('3 devices selected').waitFor()
    await expectClean(page, 'selection')
    await page.getByRole('button', { name: 'Copy addresses' }).click()
    await expect.poll(copied).toMatch(/^(100\.64\.0\.\d+\n){2}100\.64\.0\.\d+$/)
    await page.keyboard.press('Control+a')
    await rowOf('web').focus()
    await page.keyboard.press('Control+a')
    await page.getByText('5 devices selected').waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as CSV' }).click()])
    expect(download.suggestedFilename()).toBe('devices.csv')
    const table = readFileSync((await download.path())!, 'utf8')
    expect(table.trim().split('\r\n')).toHaveLength(6)
    expect(table).toContain(`"'=cmd()<b>\ufffdevil"`)
    await page.getByRole('button', { name: 'Clear selection' }).click()
    await expect.poll(() => page.locator('[aria-selected=true]').count()).toBe(0)
  })

  it('shows the columns and groups that were chosen', async () => {
    told()
    const heads = (): Promise<readonly string[]> => page.getByRole('columnheader').allTextContents()
    expect(await heads()).toEqual(['Name', 'Owner or tag', 'Address', 'Path', 'Round trip', 'Heard'])
    await page.getByRole('button', { name: 'Columns and groups' }).click()
    await page.getByRole('checkbox', { name: 'Owner or tag' }).click()
    await page.getByRole('checkbox', { name: 'Server says' }).click()
    await page.getByRole('button', { name: 'Move Server says forward' }).click()
    await page.getByRole('radio', { name: 'No groups' }).click()
    await expectClean(page, 'view')
    await page.getByRole('button', { name: 'Close' }).click()
    await expect.poll(heads).toEqual(['Name', 'Address', 'Path', 'Round trip', 'Server says', 'Heard'])
    await expect.poll(() => groups(page)).toEqual([])
    await page.getByRole('button', { name: 'Columns and groups' }).click()
    await page.getByRole('radio', { name: 'Yours, people, tagged' }).click()
    await page.getByRole('button', { name: 'Usual columns' }).click()
    await page.getByRole('button', { name: 'Close' }).click()
    await expect.poll(heads).toEqual(['Name', 'Owner or tag', 'Address', 'Path', 'Round trip', 'Heard'])
    // As wide as a small window, and as a large one at twice the size of text.
    for (const width of [860, 720, 550]) {
      await page.setViewportSize({ width, height: 520 })
      await expect.poll(heads).toEqual(width < 860 ? ['Name', 'Path', 'Round trip'] : ['Name', 'Address', 'Path', 'Round trip', 'Heard'])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    }
    await page.setViewportSize({ width: 1100, height: 720 })
  })

  it('opens a device by Enter and by double click, and Escape comes back to its row', async () => {
    told()
    await rowOf('exit-node').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'exit-node' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('columnheader', { name: 'Name' }).waitFor()
    await expectFocus(page, /^exit-node\./)
    await rowOf('laptop').dblclick()
    await page.getByRole('heading', { name: 'laptop' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('columnheader', { name: 'Name' }).waitFor()
  })

  it('says that it knows no path when the engine stops, and since when', async () => {
    told()
    await window.lab.stopEngine()
    await page.getByRole('row', { name: /^web\. Path unknown/ }).waitFor()
    await page.getByRole('columnheader', { name: 'Known at' }).waitFor()
    await picture(page, 'devices-engine-stopped')
    await window.lab.startEngine()
    await page.getByRole('columnheader', { name: 'Heard' }).waitFor()
    await page.getByRole('row', { name: /^web\. (Idle|Direct|Relayed|Trying)/ }).waitFor()
  })
})

describe.skipIf(missing !== undefined)(`ten thousand devices${missing === undefined ? '' : ` (${missing})`}`, () => {
  const COUNT = 10_000
  let peers: ManyPeers
  let host: WebHost
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    peers = new ManyPeers(manyDevices(COUNT), manyOwners)
    await peers.start()
    host = new WebHost({ socketPath: peers.socketPath, rendererDir, port: 0 })
    await host.start()
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1100, height: 720 } })
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(host.address())
  })
  afterAll(async () => {
    await browser?.close()
    host?.stop()
    await peers?.stop()
  })

  it('are a list of which only what is in view is drawn', async () => {
    await page.getByRole('row', { name: /^device-/ }).first().waitFor()
    expect(Number(await page.getByRole('grid').getAttribute('aria-rowcount'))).toBeGreaterThan(COUNT)
    expect(await page.locator('.row.device').count()).toBeLessThan(60)
    await page.locator('.row.device').nth(3).focus()
    await page.keyboard.press('End')
    await expectFocus(page, /^device-99\d\d\./)
    await page.keyboard.press('PageUp')
    await page.keyboard.press('PageUp')
    await expectFocus(page, /^device-9[89]\d\d\./)
    await page.keyboard.press('Home')
    await expectFocus(page, /^bench\. This device/)
    await expectClean(page, 'ten thousand')
  })

  it('are found by typing', async () => {
    await page.keyboard.press('/')
    await page.keyboard.type('device-77 tag:db')
    await expect.poll(async () => (await names(page)).every((name) => name.startsWith('device-77')) && (await names(page)).length > 3).toBe(true)
    await page.keyboard.press('Escape')
    await expect.poll(() => groups(page)).toEqual(expect.arrayContaining([expect.stringMatching(/^People, 7,500 devices$/)]))
  })

  it('keep the focus where it is while rows are scrolled away and devices come and go', async () => {
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await expectFocus(page, /^device-\d+\./)
    const name = await focused(page)
    await page.locator('.scroll').evaluate((scroller) => void ((scroller as unknown as { scrollTop: number }).scrollTop = 90_000))
    await expect.poll(async () => Number(await page.locator('.row.device').nth(12).getAttribute('aria-rowindex')), { timeout: PATIENCE_MS }).toBeGreaterThan(2000)
    expect(await focused(page)).toBe(name)
    const inView = await page.locator('.row.device').nth(12).getAttribute('aria-label')
    const top = (): Promise<number | undefined> => page.getByRole('row', { name: inView!, exact: true }).boundingBox().then((box) => box?.y)
    const before = await top()
    // It comes before all others, so everything moves down by one.
    peers.send({ PeersChanged: [{ ...device(COUNT + 50), Name: 'aaa-new.sim.internal.', User: 1 }] })
    await expect.poll(() => page.locator('.foot').textContent(), { timeout: 60_000 }).toContain('10,002 devices')
    expect(await top()).toBe(before)
    expect(await focused(page)).toBe(name)
    await page.keyboard.press('ArrowDown')
    await expectFocus(page, /^device-\d+\./)
    expect(await focused(page)).not.toBe(name)
  })
})
