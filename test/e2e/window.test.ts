/**
 * A new person's first minutes in the window, in a real Chromium: sign in, devices, ping, from relayed to direct, a device's page.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { main } from '../../main/cli/bowline.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { axe, launchChromium, missingBrowser, rendererDir, withNamedServer } from './browser.ts'
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

  /** Looks at the present screen in light and dark: axe finds nothing. */
  async function lookAt(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await axe(page), `${name}, ${colorScheme}`).toEqual([])
    }
    await page.emulateMedia({ colorScheme: null })
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

  it('says of a server that it cannot use what is wrong, once, with what to do, and lets go of it', async () => {
    told()
    const plain = createServer((_req, res) => res.end('<h1>a web page</h1>')).listen(0, '127.0.0.1')
    const tls = createTlsServer({ key: vector('tls/localhost.key'), cert: vector('tls/localhost.crt') }, (_req, res) => res.end('hello')).listen(0, '127.0.0.1')
    const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
    await Promise.all([plain, tls, silent].map((server) => (server.listening ? Promise.resolve([]) : once(server, 'listening'))))
    try {
      const servers: readonly [string, RegExp, RegExp][] = [
        ['http://127.0.0.1:1', /^Cannot reach 127\.0\.0\.1:1: nothing listens there/, /^Check the address/],
        [`http://127.0.0.1:${portOf(plain)}`, /no control server/, /^Check the address/],
        [`https://localhost:${portOf(tls)}`, /^The certificate of localhost is self-signed/, /add it/],
        [`https://127.0.0.1:${portOf(plain)}`, /does not speak TLS/, /http:\/\//],
      ]
      for (const [url, what, next] of servers) {
        await page.getByLabel('Server address').fill(url)
        await page.locator('button[type=submit]').click()
        await expect.poll(() => page.locator('.problem-what').textContent({ timeout: 6000 }), { timeout: 8000 }).toMatch(what)
        expect(await page.locator('.problem p > span').last().textContent()).toMatch(next)
        // It stays while the engine tries again, and the way on stays open.
        await page.waitForTimeout(600)
        expect(await page.locator('.problem-what').textContent()).toMatch(what)
        expect(await page.getByRole('button', { name: 'Try again' }).isEnabled()).toBe(true)
      }
      await lookAt('sign-in-problem')
      await page.getByLabel('Server address').fill(`http://127.0.0.1:${portOf(silent)}`)
      await page.locator('button[type=submit]').click()
      await page.getByText(/No answer for \d+ s/).waitFor()
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    } finally {
      for (const server of [plain, tls, silent]) server.close()
    }
  })

  it('says why an auth key is refused', async () => {
    told()
    await page.getByRole('button', { name: 'I have an auth key' }).click()
    await page.getByLabel('Server address').fill(lab.network.control.url)
    await page.getByLabel('Auth key').fill('hskey-auth-wrong')
    await page.locator('button[type=submit]').click()
    await expect.poll(() => page.locator('.problem-what').textContent({ timeout: 6000 }), { timeout: 8000 }).toMatch(/key/i)
    expect(await page.locator('body').innerText()).not.toContain('hskey-auth-wrong')
    expect(await page.getByLabel('Auth key').inputValue()).toBe('')
    await page.getByRole('button', { name: 'Sign in with the browser' }).click()
  })

  it('signs in by the link on the server’s page', async () => {
    told()
    const opened = context.waitForEvent('page')
    await page.getByLabel('Server address').fill(lab.network.control.url)
    await page.locator('button[type=submit]').click()
    await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
    const signIn = await opened
    await page.getByText('A page of your server has opened.').waitFor()
    await lookAt('waiting-browser')
    // No phone can open a page on loopback, where labs are: a server with a name of its own offers the link to one.
    expect(await page.getByRole('img', { name: 'The link as a QR code' }).count()).toBe(0)
    await withNamedServer(page, async () => {
      await page.getByRole('img', { name: 'The link as a QR code' }).waitFor({ timeout: 20_000 })
      await lookAt('waiting-browser-phone')
    })
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
    await page.keyboard.type(' but not this')
    await page.getByText('No device matches').waitFor()
    await lookAt('empty filter')
    await page.keyboard.press('Escape')
    await page.getByRole('row', { name: /^web\./ }).waitFor()
  })

  it('pings a device through the relay and says why it is relayed, in a sentence', async () => {
    told()
    await page.getByRole('row', { name: /^web\./ }).click()
    await page.getByRole('button', { name: 'Ping' }).click()
    await expect.poll(() => page.locator('.layers .way').first().textContent(), { timeout: 30_000 }).toMatch(/^Relayed, /)
    await page.getByRole('button', { name: 'Stop pinging' }).click()
    await expect.poll(() => page.locator('.verdict').textContent(), { timeout: 10_000 }).toMatch(/relay/i)
    await lookAt('device-relayed')
  })

  it('shows the evidence for the path, and copies it for a ticket', async () => {
    told()
    const said = async (): Promise<string> => {
      let out = ''
      const system = { platform: 'linux', uid: 1000, home: '/', user: 'x', env: {} }
      await main(['--socket', lab.socketPath, 'debug', 'path', 'web'], { out: (text) => void (out += text), err: () => {}, system, interrupted: new AbortController().signal })
      return out.split('\n')[0]!
    }
    await expect.poll(said, { timeout: 30_000 }).toMatch(/^relayed: no reply from its only address; unknown why: /)
    await expect.poll(() => page.locator('.verdict').textContent(), { timeout: 30_000 }).toMatch(/^Relayed through .*\. We do not know why yet: /)
    await page.getByRole('button', { name: 'Show the evidence' }).click()
    const row = page.getByRole('table', { name: 'Addresses of the device' }).getByRole('row').nth(1)
    await expect.poll(() => row.textContent()).toMatch(/127\.0\.0\.1:\d+.*the server.*(ago|now)never/)
    await expect.poll(() => page.getByRole('region', { name: 'Your side' }).textContent()).toContain('UDP gets outmeasured')
    await page.getByRole('table', { name: 'What happened lately' }).scrollIntoViewIfNeeded()
    await lookAt('device-evidence')
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const ticket = async (): Promise<string> => {
      await page.getByRole('button', { name: 'Copy the ticket' }).click()
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      const text = (await page.evaluate('navigator.clipboard.readText()')) as string
      await page.getByRole('button', { name: 'Copy the ticket' }).waitFor()
      return text
    }
    await page.getByRole('button', { name: 'Copy for ticket' }).click()
    expect(await ticket()).toMatch(/^Bowline, path to one device\nVerdict: relayed: [^]*\nRule: /)
    expect(await ticket()).not.toMatch(/\bweb\b|127\.0\.0\.1/)
    await page.getByLabel('Names and addresses').check()
    expect(await ticket()).toMatch(/Device: web 100\.64/)
    await page.getByRole('button', { name: 'Hide the evidence' }).click()
    await page.getByRole('table', { name: 'Addresses of the device' }).waitFor({ state: 'detached' })
  })

  it('sees the path become direct when the network lets it', async () => {
    told()
    lab.network.gate.open()
    await page.getByRole('button', { name: 'Ping' }).click()
    await expect.poll(() => page.locator('.layers .way').first().textContent(), { timeout: 30_000 }).toMatch(/^Direct, 127\.0\.0\.1:/)
    await page.getByRole('button', { name: 'Stop pinging' }).click()
    await page.locator('.drawing-direct').waitFor({ timeout: 10_000 })
    await expect.poll(() => page.locator('.verdict').textContent()).toMatch(/direct/i)
    await lookAt('device-direct')
  })

  it('opens the device’s own web page through the tunnel', async () => {
    told()
    await page.getByRole('button', { name: 'Open a service' }).click()
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

  it('is walked by the keyboard alone, in order, with a ring around what has the focus', async () => {
    told()
    await page.goto(new URL('#/devices', page.url()).href)
    await page.reload()
    await page.getByRole('row', { name: /^web\./ }).waitFor()
    const focus = (): Promise<{ name: string; ring: boolean }> => page.evaluate(FOCUS) as Promise<{ name: string; ring: boolean }>
    const walk: string[] = []
    for (let i = 0; i < 13; i++) {
      await page.keyboard.press('Tab')
      const { name, ring } = await focus()
      expect(ring, name).toBe(true)
      walk.push(name)
    }
    expect(walk).toEqual([
      expect.stringMatching(/Account: demo\.internal ?anna/), expect.stringMatching(/^Connected\. Disconnect/), 'Apps only', expect.stringMatching(/^Devices/), 'Exit nodes', expect.stringMatching(/^Transfers/), 'Diagnose', 'Settings', expect.stringMatching(/^Copy this device's address/),
      expect.stringMatching(/^Search devices/), 'Columns and groups', expect.stringMatching(/^All/), expect.stringMatching(/^my-computer\. This device/),
    ])
    const rows = async (key: string): Promise<string> => {
      await page.keyboard.press(key)
      // The next row gets the focus with the next frame.
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
      return (await focus()).name
    }
    expect(await rows('End')).toMatch(/^web\./)
    expect(await rows('Home')).toMatch(/^my-computer\./)
    expect(await rows('ArrowDown')).toMatch(/^exit-node\./)
    expect(await rows('ArrowDown')).toMatch(/^files\./)
    expect(await rows('ArrowUp')).toMatch(/^exit-node\./)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'exit-node' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByRole('heading', { name: 'exit-node' }).count()).toBe(0)
    await expect.poll(async () => (await focus()).name).toMatch(/^exit-node\./)
    await page.keyboard.press('/')
    expect((await focus()).name).toMatch(/^Search devices/)
    // In a small window the page of a device takes the place of the list, and gives it back.
    await page.setViewportSize({ width: 720, height: 520 })
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'exit-node' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(async () => (await focus()).name).toMatch(/^exit-node\./)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(720)
    await page.setViewportSize({ width: 1100, height: 720 })
  })

  it('says that the engine stopped, keeps the list as it was, and goes on when it is back', async () => {
    told()
    await lab.stopEngine()
    const stoppedMs = Date.now()
    await page.getByText('The engine stopped, so you are not connected.').waitFor({ timeout: 2000 })
    expect(Date.now() - stoppedMs).toBeLessThan(2000)
    expect(await page.getByRole('row', { name: /^web\. Path unknown/ }).count()).toBe(1)
    await lookAt('engine stopped')
    await lab.startEngine()
    await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 20_000 })
    await expect.poll(() => page.getByText('The engine stopped').count()).toBe(0)
  })

  it('says that the sign-in has ended, and signs in again from there', async () => {
    told()
    const { tailnet } = lab.network.control
    tailnet.expire(tailnet.nodeNamed('my-computer'))
    await page.getByText('Your sign-in has ended.').waitFor({ timeout: 15_000 })
    await lookAt('signed out')
    const opened = context.waitForEvent('page')
    await page.getByRole('button', { name: 'Sign in' }).click()
    const signIn = await opened
    await signIn.locator('input[name=name]').fill('anna')
    await signIn.locator('button, input[type=submit]').first().click()
    await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 20_000 })
    await signIn.close()
  })

  it('waits for an admin, hands over what to ask for, and goes on by itself', async () => {
    told()
    const { tailnet } = lab.network.control
    tailnet.letIn(tailnet.nodeNamed('my-computer'), false)
    await page.getByRole('heading', { name: 'Waiting for approval' }).waitFor({ timeout: 15_000 })
    await page.getByText('You are signed in as anna.').waitFor()
    await lookAt('waiting-approval')
    await page.getByRole('button', { name: 'Copy request for admin' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    tailnet.letIn(tailnet.nodeNamed('my-computer'), true)
    await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 20_000 })
  })

  it('signs out behind a sentence that says what is lost', async () => {
    told()
    await page.getByRole('button', { name: /^Account/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out…' }).click()
    await page.getByText('This removes my-computer from the account anna.').waitFor()
    await lookAt('sign out')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    await page.getByRole('button', { name: /^Account/ }).click()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor({ timeout: 10_000 })
    expect(await page.getByLabel('Server address').inputValue()).toBe(lab.network.control.url)
  })

  it('signs in with an auth key', async () => {
    told()
    await page.getByRole('button', { name: 'I have an auth key' }).click()
    await page.getByLabel('Auth key').fill(lab.network.control.createAuthKey({ login: 'anna' }))
    await page.locator('button[type=submit]').click()
    await page.getByRole('row', { name: /^web\./ }).waitFor({ timeout: 20_000 })
  })
})

/** What has the focus: its name for a screen reader, and whether a ring of at least 2 px is drawn around it or its field. */
const FOCUS = `(() => {
  const element = document.activeElement
  const name = element.getAttribute('aria-label') ?? element.textContent
  const rings = [element, element.closest('.field')].filter(Boolean).map((one) => getComputedStyle(one))
  return { name, ring: rings.some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) }
})()`

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
const vector = (path: string): Buffer => readFileSync(new URL(`../vectors/${path}`, import.meta.url))
