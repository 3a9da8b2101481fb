/**
 * The page of transfers in a real browser: thousands of rows and devices, hostile names, drops, the keyboard. Rows are told to the window as
 * its host's stream of events would tell them, since no engine makes such at once; files themselves move in the scenes and in Electron.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { NO_TRANSFERS, type TransferRow, type TransfersNews, type TransferTargetsPage } from '../../main/localapi/transfers.ts'
import { axe, missingBrowser, picture } from './browser.ts'
import { openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 30_000 }
const MANY = 1000
const DEVICES = 5000

/** What the page's events are told by, besides its host. */
const TELL = `(() => {
  const Real = window.EventSource
  window.EventSource = class extends Real { constructor(...of) { super(...of); window.tell = (notify) => this.dispatchEvent(new MessageEvent('notify', { data: JSON.stringify(notify) })) } }
})()`

const row = (id: number, change: Partial<TransferRow> = {}): TransferRow => ({
  ID: `t${id}`, Batch: `b${id}`, Direction: 'out', Peer: 'p1', PeerName: 'build-07', Name: `file-${id}.txt`, Kind: 'file', Files: 1, Size: 1e6, Done: 0, State: 'queued', Checked: false, Created: new Date(1.7e12 + id).toISOString(), ...change,
})
const batch = (count: number): readonly TransferRow[] => Array.from({ length: count }, (_, i) => row(i, { Batch: 'photos', Name: `IMG_${String(i).padStart(5, '0')}.jpg`, ...(i < 4 ? { State: 'sending', Done: 5e5, Path: { Kind: 'relay', Via: 'sin' }, Rate: 1e5 } : {}) }))
const HOSTILE = ['<img src=x onerror=alert(1)>', 'invoice\u202efdp.exe', 'a\u0000b\u0007\nc.txt', 'ملف مهم جدا.pdf', `${'w'.repeat(600)}.txt`, '   ', '../../etc/passwd', 'x\u200b\u200by']

describe.skipIf(missing !== undefined)(`the page of transfers${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(30_000)
    page = open.page
    await page.addInitScript(TELL)
    await page.route('**/api/call/transferTargets', (route) => {
      const Targets: TransferTargetsPage['Targets'] = Array.from({ length: DEVICES }, (_, i) => ({ ID: `d${i}`, Name: `device-${i}`, DNSName: '', OS: 'linux', Owner: 'You', Own: true, Online: true, Usable: true, Target: 1 }))
      return route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ok: true, value: { Targets } }) })
    })
    await page.reload()
    await page.locator('[data-device]').first().waitFor()
    await go()
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(open.lab.lines()))
  const go = async (): Promise<void> => {
    await page.evaluate("location.hash = '#/transfers'")
    await page.locator('.transfers').waitFor()
  }
  const tell = (news: TransfersNews): Promise<unknown> => page.evaluate(`window.tell(${JSON.stringify({ State: null, ErrMessage: null, Transfers: news })})`)
  const show = (rows: readonly TransferRow[], more: Partial<TransfersNews['Whole']> = {}): Promise<unknown> => tell({ Whole: { ...NO_TRANSFERS, ...more, Rows: rows } })
  const focused = (): Promise<string> => page.evaluate("document.activeElement?.closest('[data-line]')?.dataset.line ?? ''")

  it('shows a batch of a thousand as one row, which opens, and draws only what is in view', async () => {
    told()
    await show(batch(MANY))
    const fold = page.getByRole('row', { name: new RegExp(`^IMG_00000.jpg and ${MANY - 1} more`) })
    await fold.focus()
    await page.keyboard.press('ArrowRight')
    await page.locator('.transfer.part').first().waitFor()
    expect(await page.locator('.transfer.part').count()).toBeLessThan(80)
    await page.keyboard.press('End')
    await expect.poll(focused, PATIENCE).toBe(`t${MANY - 1}`)
    expect(await page.getByRole('treegrid').getAttribute('aria-rowcount')).toBe(String(MANY + 2))
    // News of one row leave the focus and the place where they are.
    await tell({ Rows: [row(3, { Batch: 'photos', Name: 'IMG_00003.jpg', State: 'sending', Done: 9e5 })] })
    expect(await focused()).toBe(`t${MANY - 1}`)
    await page.keyboard.press('ArrowLeft')
    await expect.poll(focused, PATIENCE).toBe('out photos')
    await page.keyboard.press('ArrowLeft')
    await page.locator('.transfer.part').first().waitFor({ state: 'detached' })
  })

  it('is walked and worked by keys: Space pauses, Delete asks where bytes have arrived, Enter opens', async () => {
    told()
    const asked: unknown[] = []
    await page.route('**/api/call/transferAction', (route) => {
      asked.push(route.request().postDataJSON())
      return route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ok: true, value: {} }) })
    })
    await show([row(1, { State: 'sending', Done: 5e5 }), row(2, { State: 'waiting-device', Why: { Code: 'device-offline', Text: '' } }), row(3, { State: 'stopped', Why: { Code: 'peer-away', Text: '' } })])
    await page.locator('[data-line=t1]').focus()
    await page.keyboard.press(' ')
    await expect.poll(() => asked, PATIENCE).toEqual([{ Do: 'pause', ID: 't1' }])
    await page.keyboard.press('Delete')
    await page.locator('dialog[open]').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog[open]').waitFor({ state: 'detached' })
    await page.locator('[data-line=t1]').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Delete')
    await expect.poll(() => asked.at(-1), PATIENCE).toEqual({ Do: 'cancel', ID: 't2' })
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press(' ')
    await expect.poll(() => asked.at(-1), PATIENCE).toEqual({ Do: 'retry', ID: 't3' })
    await page.keyboard.press('Shift+F10')
    await page.locator('.row-menu').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(focused, PATIENCE).toBe('t3')
    await page.unroute('**/api/call/transferAction')
  })

  it('gives the focus of a row that went to its neighbour', async () => {
    told()
    await show([row(1), row(2), row(3)])
    await page.locator('[data-line=t3]').focus()
    await tell({ Gone: ['t3'] })
    await expect.poll(focused, PATIENCE).toBe('t2')
  })

  it('shows hostile names as text, each in its row', async () => {
    told()
    const dialogs: string[] = []
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    await show(HOSTILE.map((name, i) => row(i, { Name: name, PeerName: HOSTILE[(i + 3) % HOSTILE.length]!, State: i % 2 === 0 ? 'sending' : 'delivered', Done: 5, Finished: new Date().toISOString() })), {
      Asks: [{ Batch: 'x', Peer: 'p', PeerName: HOSTILE[1]!, Owner: HOSTILE[0]!, Items: HOSTILE.map((Name) => ({ Name, Kind: 'file', Size: 1, Files: 1 })), Count: HOSTILE.length, Size: 8, Since: '', Held: false, Accepted: 3 }],
    })
    await page.locator('.ask').waitFor()
    await page.locator('.ask-words .link').click()
    for (const width of [1100, 720, 550]) {
      await page.setViewportSize({ width, height: 720 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    }
    await page.setViewportSize({ width: 1100, height: 720 })
    const all = (await page.locator('.transfers-main').textContent()) ?? ''
    expect(all).toContain('<img src=x onerror=alert(1)>')
    // oxlint-disable-next-line no-control-regex
    expect(all).not.toMatch(/[\u0000-\u001f\u200b\u200e\u200f\u202a-\u202e]/)
    expect(await page.locator('.place img, .place script').count()).toBe(0)
    expect(new Set(await page.locator('.transfer').evaluateAll((rows) => rows.map((one) => (one as unknown as { offsetHeight: number }).offsetHeight)))).toEqual(new Set([68, 53]))
    await picture(page, 'transfers-hostile')
    expect(await axe(page)).toEqual([])
    expect(dialogs).toEqual([])
  })

  it('finds one device among thousands, and draws only some', async () => {
    told()
    await page.locator('.targets .search input').fill('device-4321')
    await expect.poll(() => page.locator('.target').count(), PATIENCE).toBe(1)
    await page.locator('.targets .search input').fill('')
    await expect.poll(() => page.locator('.target').count(), PATIENCE).toBeGreaterThan(5)
    expect(await page.locator('.target').count()).toBeLessThan(60)
    await page.locator('.target').first().focus()
    await page.keyboard.press('End')
    await expect.poll(focused, PATIENCE).toMatch(/^d\d+$/)
  })

  it('takes what is dropped anywhere and waits for a device, which gets it; and goes nowhere', async () => {
    told()
    const sent: unknown[] = []
    await page.route('**/api/spool', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ok: true, value: { Spool: 's1', Size: 5 } }) }))
    await page.route('**/api/call/sendSpooled', (route) => {
      sent.push(route.request().postDataJSON())
      return route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ok: true, value: {} }) })
    })
    const drop = (selector: string, kind: 'dragover' | 'drop'): Promise<boolean> => page.evaluate(`(() => {
      const data = new DataTransfer()
      data.items.add(new File(['hello'], 'dropped.txt', { type: 'text/plain' }))
      return !document.querySelector(${JSON.stringify(selector)}).dispatchEvent(new DragEvent(${JSON.stringify(kind)}, { bubbles: true, cancelable: true, dataTransfer: data }))
    })()`)
    const before = page.url()
    expect(await drop('.drop-box', 'dragover')).toBe(true)
    await page.locator('.drop-hint').waitFor()
    expect(await drop('.target', 'dragover')).toBe(true)
    expect(await page.locator('.target[data-dropping]').count()).toBe(1)
    expect(await drop('h1', 'drop')).toBe(true)
    await page.locator('.offer-strip').waitFor()
    expect(await page.locator('[data-dropping]').count()).toBe(0)
    await picture(page, 'transfers-dropped')
    await page.locator('.targets .search input').fill('device-4321')
    await page.getByRole('button', { name: /^device-4321/ }).click()
    await expect.poll(() => sent, PATIENCE).toEqual([{ peer: 'd4321', items: [{ spool: 's1', name: 'dropped.txt' }] }])
    await page.locator('.offer-strip').waitFor({ state: 'detached' })
    // On a device it goes there at once.
    await drop('.target', 'drop')
    await expect.poll(() => sent.length, PATIENCE).toBe(2)
    expect(page.url()).toBe(before)
    // A link that is dropped opens nothing either.
    expect(await page.evaluate(`!document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() }))`)).toBe(true)
  })

  it('says what stands in the way of receiving', async () => {
    told()
    await show([], { Inbox: { Folder: '/srv/in', FreeBytes: 5e8, Waiting: 0, Problem: { Code: 'folder-gone', Text: '' } } })
    await page.getByText('Nothing can come in: the folder for incoming files is gone.').waitFor()
    await show([], { Inbox: { Folder: '/srv/in', FreeBytes: 5e8, Waiting: 0 } })
    await page.getByText('Only 500 MB are free where files are saved.').waitFor()
  })
})
