/**
 * Signing in to a real Headscale from the window: its own page opens, the admin does what the window says, the devices come.
 */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { WebHost } from '../../main/web/web-host.ts'
import { Lab } from '../interop/lab/lab.ts'
import { findPeers } from '../interop/lab/peers.ts'
import { launchChromium, missingBrowser, rendererDir } from './browser.ts'

const missing = missingBrowser()
const peers = missing === undefined ? findPeers() : undefined
const why = missing ?? (peers === undefined ? 'real peers are not built: npm run interop:peers' : undefined)

describe.skipIf(why !== undefined).each(['current', 'before'] as const)(`the window on a real Headscale${why === undefined ? '' : ` (${why})`}: %s`, (headscale) => {
  let lab: Lab
  let browser: Browser

  beforeAll(async () => {
    lab = new Lab(peers!, { headscale, relays: 'embedded' })
    await lab.start()
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await lab?.stop()
  })

  it('signs in by the link that an admin approves, and shows the other devices', async () => {
    onTestFailed(() => console.error(lab.logs()))
    const [ours] = await Promise.all([lab.add('bowline', 'ours'), lab.join('tailscaled', 'real')])
    const host = new WebHost({ socketPath: ours.api.socketPath, rendererDir, port: 0 })
    await host.start()
    try {
      const context = await browser.newContext({ viewport: { width: 1100, height: 720 } })
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      await page.goto(host.address())
      await page.getByLabel('Server address').fill(lab.headscale.url)
      const opened = context.waitForEvent('page')
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      const signIn = await opened
      await signIn.waitForLoadState()
      expect(signIn.url().startsWith(`${lab.headscale.url}/register/`)).toBe(true)
      await page.getByText('For your admin').click()
      const line = (await page.locator('.admin-line code').textContent())!
      // The window's line is the one of the server's own page, with a user filled in.
      expect(line).toMatch(headscale === 'current' ? /^headscale auth register --user NAME --auth-id / : /^headscale nodes register --user NAME --key /)
      await lab.headscale.cli(...line.replace('NAME', 'alice').split(' ').slice(1))
      await page.getByRole('row', { name: /^real\./ }).waitFor({ timeout: 20_000 })
      await page.getByText('Connected', { exact: true }).first().waitFor()
      await page.getByRole('row', { name: /^real\./ }).click()
      await page.getByRole('button', { name: 'Ping' }).click()
      const replies = async (): Promise<string[]> => (await page.locator('.layers .reply').allTextContents()).filter((text) => text !== '–')
      // The path, tunnel and system over both families, and its services.
      await expect.poll(replies, { timeout: 30_000 }).toEqual(Array.from({ length: 6 }, () => expect.stringMatching(/ms/)))
    } finally {
      host.stop()
    }
  })
})
