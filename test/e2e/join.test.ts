/**
 * Joining in the window, in a real Chromium against the engine: an address that is looked at while it is typed, a certificate that
 * nobody vouches for, a join link with its checks, links that cannot be used, a QR code from a picture.
 */
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { encode } from 'uqr'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { makeLink } from '../../main/engine/core/join/link.ts'
import type { JoinContent } from '../../main/engine/core/join/link-types.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { tlsPair } from '../support/tls-files.ts'
import { launchChromium, missingBrowser, picture, rendererDir } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'
import { expectClean } from './lab-window.ts'

const missing = missingBrowser()
const SEED = new Uint8Array(32).fill(9)
const PATIENCE_MS = 30_000

describe.skipIf(missing !== undefined)(`joining in the window${missing === undefined ? '' : ` (${missing})`}`, () => {
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
    context = await browser.newContext({ viewport: { width: 1100, height: 720 }, permissions: ['clipboard-read', 'clipboard-write'] })
    page = await context.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(host.address())
  })
  afterAll(async () => {
    await browser?.close()
    host?.stop()
    await lab?.stop()
  })
  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const field = (): ReturnType<Page['getByLabel']> => page.getByLabel('Join link or server address')
  const lookAt = async (name: string): Promise<void> => {
    await expectClean(page, name)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await picture(page, `${name}-${colorScheme}`)
    }
    await page.emulateMedia({ colorScheme: null })
  }
  const linkOf = (over: Partial<JoinContent> = {}): string => {
    const content = { server: lab.network.control.url, org: 'Fjord Labs', contact: 'it@fjord.example', signIn: '', pins: [], settings: { names: true, routes: true, exitNode: 'none' }, untilMs: Date.now() + 86_400_000, ...over }
    const made = makeLink(content, SEED, Date.now() - 2 * 86_400_000)
    if (made.kind === 'refused') throw new Error(made.code)
    return made.text
  }

  it('looks at an address while it is typed, and says what is wrong with one that does not answer', async () => {
    told()
    await field().fill('127.0.0.1:1')
    await page.getByText(/nothing listens there/).waitFor()
    await page.getByRole('button', { name: 'Continue anyway' }).waitFor()
    await lookAt('welcome-closed')
    await field().fill(`${lab.network.control.url}/register/abc`)
    await page.getByText(/^Answers in \d+ ms\./).waitFor()
    await page.getByText("It will see this device's name, system and addresses.").waitFor()
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    await lookAt('welcome')
  })

  it('shows a certificate that nobody vouches for, and trusts it for that server alone when the person says so', async () => {
    told()
    const server = createTlsServer(tlsPair('localhost'), (_request, response) => response.end('hello')).listen(0, '127.0.0.1')
    if (!server.listening) await once(server, 'listening')
    try {
      await field().fill(`https://localhost:${(server.address() as AddressInfo).port}`)
      const card = page.getByRole('region', { name: 'A certificate that nobody vouches for' })
      await card.waitFor()
      expect(await card.innerText()).toMatch(/([0-9a-f]{4} ){15}[0-9a-f]{4}/)
      await lookAt('certificate')
      await page.getByRole('button', { name: 'Trust it for this server only' }).click()
      await page.getByText(/no control server/).waitFor()
      expect(await card.count()).toBe(0)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('refuses links that are damaged, no longer good, or hold a key, each with its sentence', async () => {
    told()
    const good = linkOf()
    const bad: readonly (readonly [string, RegExp])[] = [
      [`${good.slice(0, -8)}AAAAAAAA`, /damaged|changed on its way/], [linkOf({ untilMs: Date.now() - 60_000 }), /no longer good/], ['bowline://join#v9.a.b.c', /newer Bowline/],
    ]
    for (const [link, sentence] of bad) {
      await field().fill(link)
      await expect.poll(() => page.locator('#looked').innerText(), { timeout: PATIENCE_MS }).toMatch(sentence)
    }
    await field().fill('')
  })

  it('reads the link from a picture of a QR code, and refuses pictures that are none or too large', async () => {
    told()
    const input = page.locator('input[type=file]')
    await input.setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('<svg onload=alert(1)>') })
    await page.getByText('That is no picture that can be read.').waitFor()
    const bomb = Buffer.alloc(64)
    bomb.write('\u0089PNG\r\n\u001a\n', 'latin1')
    bomb.write('IHDR', 12)
    bomb.writeUInt32BE(60_000, 16)
    bomb.writeUInt32BE(60_000, 20)
    await input.setInputFiles({ name: 'bomb.png', mimeType: 'image/png', buffer: bomb })
    await page.getByText('That picture is too large.').waitFor()
    await input.setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: await qrPicture(lab.network.control.url) })
    await expect.poll(() => field().inputValue(), { timeout: PATIENCE_MS }).toBe(lab.network.control.url)
  })

  /** A PNG of that text as a code, drawn by the browser itself. */
  async function qrPicture(text: string): Promise<Buffer> {
    const { data, size } = encode(text, { border: 4 })
    const other = await context.newPage()
    await other.setViewportSize({ width: size * 6, height: size * 6 })
    await other.setContent(`<svg width="${size * 6}" height="${size * 6}" viewBox="0 0 ${size} ${size}" style="position:fixed;inset:0" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="#fff"/>${data.flatMap((row, y) => row.map((dark, x) => (dark ? `<rect x="${x}" y="${y}" width="1" height="1"/>` : ''))).join('')}</svg>`)
    const shot = await other.screenshot()
    await other.close()
    return shot
  }

  it('shows who invites, what would be set and whether this computer is ready, and joins after a yes', async () => {
    told()
    await field().fill(linkOf({ org: 'Fjord <b>Labs</b>' }))
    await page.getByRole('heading', { name: 'Fjord <b>Labs</b> invites you' }).waitFor()
    await page.getByText('11 of 11 checked').waitFor()
    await page.getByText('by a key that this computer sees for the first time').waitFor()
    expect(await page.locator('.invite-facts').innerText()).toMatch(/Names on\. Networks behind devices on\. Exit node off\./)
    await page.getByRole('button', { name: 'Show fingerprint' }).click()
    await lookAt('invite')
    await page.getByRole('button', { name: 'Copy checks for IT' }).click()
    const copied = String(await page.evaluate('navigator.clipboard.readText()'))
    expect(copied).toMatch(/\[ok\] Connection: Port \d+ answers in \d+ ms \(connection-open\)/)
    // Cancel leaves everything as it was.
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await field().fill(linkOf())
    const opened = context.waitForEvent('page')
    await page.getByRole('button', { name: 'Join and sign in' }).click()
    await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
    const signIn = await opened
    await signIn.locator('input[name=name]').fill('anna')
    await signIn.locator('button, input[type=submit]').first().click()
    await page.getByText(/You are in\. This computer is/).waitFor()
    await lookAt('joined')
    await signIn.close()
    await page.locator('.joined').getByRole('button', { name: 'Close' }).click()
    expect(await page.locator('.joined').count()).toBe(0)
  })
})
