/**
 * Names from a hostile network on screen: markup, control and bidirectional characters, great length. They stay text, in
 * their own row, and turn nothing around.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { machineKeyText, nodeKeyText } from './keys.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { axe, launchChromium, missingBrowser, picture, rendererDir } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const missing = missingBrowser()
const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script>'
/** A right-to-left override that would make "exe.gpj" read as "jpg.exe", an isolate, a line break, a bell, zero width. */
const TURNED = 'photo\u202egpj.exe\u2066\n\u0007\u200bend'
const ARABIC = 'حاسوب-المكتب'
const LONG = 'a-very-long-name-'.repeat(18).slice(0, 300)

describe.skipIf(missing !== undefined)(`hostile names${missing === undefined ? '' : ` (${missing})`}`, () => {
  let lab: DemoLab
  let host: WebHost
  let browser: Browser
  let page: Page
  const dialogs: string[] = []

  beforeAll(async () => {
    lab = await startDemoLab()
    const { tailnet } = lab.network.control
    for (const [i, name] of [MARKUP, TURNED, ARABIC, LONG].entries()) {
      const owner = tailnet.user(`owner-${i}`, `${name.slice(0, 60)} owner`)
      const node = tailnet.admit({ machineKey: machineKeyText(i), nodeKey: nodeKeyText(i), user: owner, hostinfo: { Hostname: name, OS: name.slice(0, 40), RoutableIPs: ['0.0.0.0/0', '::/0'] } })
      // Past the server's own tidying of names: this server means harm.
      node.name = name
    }
    await lab.signIn('anna')
    host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
    await host.start()
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1100, height: 720 } })
    page.setDefaultTimeout(10_000)
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    page.on('pageerror', (error) => dialogs.push(error.message))
    await page.goto(host.address())
  })
  afterAll(async () => {
    await browser?.close()
    host?.stop()
    await lab?.stop()
  })
  const told = (): void => onTestFailed(() => console.error(lab.lines()))

  it('show as text in rows of the usual height, without what turns the reading direction', async () => {
    told()
    await page.getByRole('row', { name: /^web\./ }).waitFor({ timeout: 20_000 })
    await page.getByRole('row', { name: /<img src=x/ }).waitFor()
    const rows = await page.locator('.row.device').evaluateAll((all) => all.map((row) => ({ text: row.textContent ?? '', height: (row as unknown as { offsetHeight: number }).offsetHeight })))
    expect(rows).toHaveLength(9)
    expect(new Set(rows.map((row) => row.height))).toEqual(new Set([32]))
    const all = rows.map((row) => row.text).join('|')
    expect(all).toContain('<script>')
    // oxlint-disable-next-line no-control-regex
    expect(all).not.toMatch(/[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/)
    expect(all).toContain(ARABIC)
    expect(await page.locator('.place img, .place script').count()).toBe(0)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1100)
    await picture(page, 'hostile-names')
    expect(await axe(page)).toEqual([])
  })

  it('in messages of the server show as text, gravest first; what they would open is a web page or nothing', async () => {
    told()
    const { control } = lab.network
    const me = control.tailnet.nodeNamed('my-computer')
    const message = (Severity: string, URL: string, Text: string): object => ({ Title: `${MARKUP}\u202e`, Text, Severity, ImpactsConnectivity: true, PrimaryAction: { URL, Label: `Click me ${TURNED}` } })
    control.sendTo(me, { DisplayMessages: {
      script: message('high', 'javascript:alert(3)', MARKUP), file: message('medium', 'file:///etc/passwd', TURNED), long: message('low', 'https://example.com/help', LONG.repeat(20)),
    } } as never)
    await page.locator('.health-row').first().waitFor()
    await page.getByRole('button', { name: /^Show \d more$/ }).click()
    const rows = await page.locator('.health-row').allTextContents()
    expect(rows.map((row) => row.slice(0, 8))).toEqual(expect.arrayContaining(['Serious:', 'Warning:', 'Note: <i']))
    // oxlint-disable-next-line no-control-regex
    expect(rows.join('|')).not.toMatch(/[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/)
    expect(await page.locator('.health-row button').count()).toBe(1)
    expect(await page.locator('.health-row button').getAttribute('title')).toBe('https://example.com/help')
    expect(await page.locator('.place img, .place script, .place a').count()).toBe(0)
    for (const width of [1100, 720]) {
      await page.setViewportSize({ width, height: 520 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await page.getByRole('row', { name: /^web\./ }).waitFor()
    }
    await page.setViewportSize({ width: 1100, height: 720 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await picture(page, `hostile-messages-${colorScheme}`)
      expect(await axe(page)).toEqual([])
    }
    for (const url of ['javascript:alert(4)', 'file:///etc/passwd', 'data:text/html,x']) {
      const refused = await page.evaluate((url) => fetch('./api/call/openExternal', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ url }) }).then((reply) => reply.json()), url)
      expect(refused, url).toMatchObject({ ok: false })
    }
    control.sendTo(me, { DisplayMessages: { '*': null } } as never)
    await expect.poll(() => page.locator('.health-row', { hasText: '<script>' }).count()).toBe(0)
  })

  it('stay inside the page of the device and the small window', async () => {
    told()
    for (const start of ['<img src=x', 'photo', ARABIC, LONG.slice(0, 20)]) {
      await page.getByRole('row', { name: new RegExp(`^${start}`) }).click()
      await page.locator('.device-page h1', { hasText: start }).waitFor()
      for (const width of [1100, 720]) {
        await page.setViewportSize({ width, height: 520 })
        expect(await page.evaluate('document.documentElement.scrollWidth'), start).toBe(width)
        expect(await page.locator('.page-body').evaluate((body) => (body as unknown as { scrollWidth: number; clientWidth: number }).scrollWidth <= (body as unknown as { clientWidth: number }).clientWidth), start).toBe(true)
      }
      await page.setViewportSize({ width: 1100, height: 720 })
      await page.keyboard.press('Escape')
    }
    expect(dialogs).toEqual([])
  })

  it('stay in their rows on the page of exit nodes', async () => {
    told()
    await page.keyboard.press('Control+e')
    await page.getByRole('radio', { name: /^<img src=x/ }).waitFor()
    const all = (await page.getByRole('radio').allTextContents()).join('|')
    expect(all).toContain(ARABIC)
    // oxlint-disable-next-line no-control-regex
    expect(all).not.toMatch(/[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/)
    expect(await page.locator('.place img, .place script').count()).toBe(0)
    for (const width of [1100, 720, 360]) {
      await page.setViewportSize({ width, height: 520 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await page.locator('.page-body').evaluate((body) => (body as unknown as { scrollWidth: number; clientWidth: number }).scrollWidth <= (body as unknown as { clientWidth: number }).clientWidth), String(width)).toBe(true)
    }
    await page.setViewportSize({ width: 1100, height: 720 })
    await picture(page, 'hostile-exit-nodes')
    expect(await axe(page)).toEqual([])
    expect(dialogs).toEqual([])
  })
})
